"""The schemas of the tools of one server, found again by the target of a call.

Must not know: what is checked by them.

The same list leads to the same targets, so a target's identity says which definition is meant: a
list that is read anew has targets of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lockgate.core.message import Call, Target
from lockgate.core.raw import Raw
from lockgate.guard.schemas.schema import Checked, Schemas
from lockgate.guard.schemas.shape import Unusable

MOST_TARGETS: Final = 4096
MOST_SAID: Final = 1024


class KnownSchemas:
    """Those that stand under one member of each definition."""

    def __init__(
        self,
        definition: Callable[[Call], Raw | None],
        schemas: Schemas,
        member: str,
        *,
        strict: bool = False,
    ) -> None:
        """`definition` gives what the caller was shown of the tool; None: it was shown nothing."""
        self._definition = definition
        self._schemas = schemas
        self._member = member
        self._strict = strict
        self.by_target: dict[int, tuple[Target, Checked | Unusable | None]] = {}

    def learn(self, call: Call, target: Target) -> Checked | Unusable | None:
        """The schema of a call whose target is not known yet; None: it has none."""
        definition = self._definition(call)
        data = None if definition is None else definition.member(self._member)
        found = None if data is None else self._schemas.of(data, strict=self._strict)
        if len(self.by_target) >= MOST_TARGETS:
            self.by_target.clear()
        self.by_target[id(target)] = target, found
        return found


class Said:
    """What was said already, so that it is said once for each tool."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def first(self, target: Target, what: str) -> bool:
        """Whether this has not been said of the tool; past a bound nothing more is."""
        key = target.name, what
        if key in self._said or len(self._said) >= MOST_SAID:
            return False
        self._said.add(key)
        return True
