"""No call of what a list withholds, whatever way its name came.

Refuses: calls of tools, prompts, resources and templates that the guard keeps from every list.
Costs: one look into a dictionary.
Does not protect from: what was never listed, and so never judged.

Must not know: why anything is withheld, or who decides it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from lockgate.core.message import Call, Failure
from lockgate.core.policy import Stage

Refused = Callable[[Call], Failure | None]
_GATED: Final = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})


class Withheld:
    """Before one server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "definitions"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, refused: Refused) -> None:
        """`refused` says why what a call is about is withheld, if it is."""
        self._refused = refused

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Check`."""
        return method in _GATED

    def check(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Check`."""
        return self._refused(call)
