"""How much of what there is models are shown at once: the key `expose`.

Must not know: how anything is searched, how lists are made.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lockgate.config.limits import Section
from lockgate.config.patterns import Patterns
from lockgate.config.quantities import count

Mode = Literal["full", "compact", "search", "auto"]


class ExposeSettings(Section):
    """What a list of tools shows. Whatever it shows, every tool can be called by its own name."""

    mode: Mode = Field(
        default="full",
        description=(
            "`full`: every tool as its server defines it. `compact`: every tool, with one sentence "
            "and a schema without texts, beside `describe_tools`. `search`: `find_tools`, "
            "`describe_tools` and `call_tool` instead of the tools. `auto`: `full` as long as the "
            "list takes at most `share` of `window`, else `search`."
        ),
    )
    window: int = count(
        200_000, 1000, 100_000_000, "The tokens that the models here can take in, for `auto`."
    )
    share: Annotated[float, Field(ge=0.001, le=1)] = Field(
        default=0.05, description="The share of the window that a list may take, for `auto`."
    )
    always: Patterns = Field(
        default=[],
        description=(
            "Tools that are listed in full in every mode, by patterns `SERVER` or `SERVER/NAME`."
        ),
    )


def expose_of(value: object) -> object:
    """`expose: search` is `expose: {mode: search}`."""
    return {"mode": value} if isinstance(value, str) else value


Expose = Annotated[
    ExposeSettings, BeforeValidator(expose_of, json_schema_input_type=Mode | ExposeSettings)
]
