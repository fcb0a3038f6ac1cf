"""What must not follow what: the entries of `lockgate.access.flows`.

Must not know: how it is remembered what went before.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from lockgate.config.limits import Section
from lockgate.config.patterns import Patterns
from lockgate.config.quantities import Seconds, time


class FlowSettings(Section):
    """After something of each list was answered, some calls are no longer let through just so."""

    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="What logs and refusals call it; otherwise its number.",
    )
    after: list[Patterns] = Field(
        min_length=1,
        max_length=16,
        description=(
            "Lists of things, by patterns `SERVER` or `SERVER/NAME`. One of each has to have "
            "answered: what strangers write in one list, what is private in the other."
        ),
    )
    approve: Patterns = Field(
        default=[], description="What then waits for a person to say yes, each time."
    )
    deny: Patterns = Field(default=[], description="What is then refused.")
    within: Seconds = time(3600, 1, 30 * 86400, "How long it is remembered what answered.")

    @property
    def verb(self) -> Literal["approve", "deny"]:
        """What becomes of the calls it is about."""
        return "approve" if self.approve else "deny"

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if bool(self.approve) == bool(self.deny):
            raise ValueError("a flow has one of `approve` and `deny`")
        return self
