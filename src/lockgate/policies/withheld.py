"""No call of what a list withholds, whatever way its name came.

Refuses: calls of tools, prompts, resources and templates that the guard keeps from every list.
Costs: next to nothing while nothing is withheld, and a look into a dictionary otherwise.
Does not protect from: what was never listed, and so never judged.

Must not know: why anything is withheld, or who decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import ClassVar, Final

from lockgate.core.message import Call, Failure
from lockgate.core.policy import Stage

Refused = Callable[[Call], Failure | None]
_GATED: Final = frozenset({"tools/call", "prompts/get", "resources/read", "completion/complete"})


class Withheld:
    """Before one server. See `lockgate.core.policy.Check`."""

    name: ClassVar[str] = "definitions"
    stage: ClassVar[Stage] = Stage.VERIFY

    def __init__(self, refused: Refused, *withheld: Sized) -> None:
        """`refused` says why what a call is about is withheld, if anything is in `withheld`."""
        self._refused = refused
        self._withheld = withheld

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Check`."""
        return method in _GATED

    def check(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Check`."""
        for things in self._withheld:
            if things:
                return self._refused(call)
        return None
