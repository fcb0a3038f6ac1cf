"""What is asked of the arguments of tools, and what is done about those that do not fit.

Must not know: how anything is checked. The keys of a server win, one by one, over the gateway's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.config.limits import Section


class ArgumentGuard(Section):
    """What clients send to tools: held against each tool's own input schema."""

    mode: Literal["enforce", "warn", "off"] = Field(
        default="enforce",
        description=(
            "What becomes of a call whose arguments do not fit the tool's `inputSchema`: "
            "`enforce` refuses it, with what was expected; `warn` logs it and lets it through."
        ),
    )
    strict: bool = Field(
        default=False,
        description=(
            "Refuse arguments the schema does not name, unless it says that there may be others."
        ),
    )
    unusable: Literal["refuse", "pass"] = Field(
        default="refuse",
        description=(
            "Calls of a tool whose schema nothing can be checked by, because it is invalid, in an "
            "unknown dialect, too large, or refers to another document: none is fetched."
        ),
    )
