"""What is asked of the structured results of tools.

Must not know: how anything is checked. The keys of a server win, one by one, over the gateway's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lockgate.config.limits import KIB, MIB, Section
from lockgate.config.quantities import Bytes, size


class OutputGuard(Section):
    """What tools answer: `structuredContent`, held against each tool's own `outputSchema`."""

    mode: Literal["enforce", "warn", "off"] = Field(
        default="warn",
        description=(
            "What becomes of a result that does not fit: `warn` logs it, once for each tool; "
            "`enforce` refuses it, though the call was made and may have had its effect."
        ),
    )
    largest: Bytes = size(
        MIB,
        KIB,
        1024 * MIB,
        "The most structured content that is checked; what is larger counts as not fitting.",
    )
    unusable: Literal["refuse", "pass"] = Field(
        default="pass",
        description=(
            "With `enforce`: calls of a tool whose output schema nothing can be checked by; "
            "`refuse` does not make them."
        ),
    )
