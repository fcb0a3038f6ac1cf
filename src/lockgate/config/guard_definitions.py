"""What is done about what servers define: the section `guard.definitions`.

Must not know: how anything is found. The keys of a server win, one by one, over the gateway's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lockgate.config.limits import Section
from lockgate.guard.signals.kinds import KINDS, SHADOW_KINDS

Doing = Literal["refuse", "warn", "off"]


def _known(kind: str) -> str:
    if kind not in KINDS and kind not in SHADOW_KINDS:
        raise ValueError(
            f"no kind of finding is called {kind!r}; docs/security/scanning.md has all"
        )
    return kind


Known = Annotated[str, AfterValidator(_known)]


class DefinitionSettings(Section):
    """What servers say of themselves, their tools, prompts, resources and templates."""

    block: Doing = Field(
        default="refuse",
        description=(
            "Findings that honest definitions practically never have: `refuse` keeps what has one "
            "from every list and refuses it by name, `warn` logs and counts it, `off` does not "
            "look."
        ),
    )
    review: Doing = Field(
        default="warn",
        description="The same for findings that a person should look at.",
    )
    kinds: dict[Known, Doing] = Field(
        default={},
        max_length=200,
        description="The same for single kinds of finding, such as `{same-name: refuse}`.",
    )
    allow: dict[str, list[Known]] = Field(
        default={},
        max_length=1000,
        description=(
            "What was looked at and may stay: by name of a tool, prompt, template or resource URI "
            "(`*`: all of them), the kinds of finding it may have."
        ),
    )
