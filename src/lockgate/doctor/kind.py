"""One kind of finding.

Must not know: which kinds there are.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["note", "warning", "error"]


class Kind(msgspec.Struct, frozen=True):
    """One row of the table.

    severity  error: clients fail, or the specification forbids it. warning: some clients fail, or
              it is unsafe. note: worth knowing.
    step      the step that finds it; `any` for what can come up at each.
    means     what it is, in a few words; what was seen is said beside it.
    cause     why it is so, as a rule.
    remedy    what to do.
    """

    id: str
    severity: Severity
    step: str
    means: str
    cause: str
    remedy: str
