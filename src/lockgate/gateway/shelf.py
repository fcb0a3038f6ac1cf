"""Every list of every server that is kept, by who is told it, and what it says of single things.

Must not know: how lists are read, merged or shown.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from lockgate.core.raw import Raw
from lockgate.gateway.kept import Kept
from lockgate.gateway.listing import LISTS, Section, safe_to_repeat
from lockgate.gateway.views import View

MOST_VIEWS: Final = 1024

Key = tuple[str, str, View]
"""The list's method, the server, and who is told it."""


class Shelf:
    """Bounded: what was put there first goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Kept] = OrderedDict()

    def _let_go_of_oldest(self) -> None:
        while len(self._kept) > MOST_VIEWS * len(LISTS):
            self._kept.popitem(last=False)

    def count(self, server: str, method: str) -> int | None:
        """How many items a server lists, as last seen by anybody; None when it was never seen."""
        for key, kept in reversed(self._kept.items()):
            if key[:2] == (method, server) and kept.section.problem is None:
                return len(kept.section.items)
        return None

    def sections(self, server: str) -> list[Section]:
        """The lists of a server's tools, as everyone was shown them who was shown any."""
        return [it.section for key, it in self._kept.items() if key[:2] == ("tools/list", server)]

    def repeatable(self, server: str, tool: str) -> bool:
        """Whether the server lists this tool, to everyone who was shown it, as safe to repeat."""
        kept = self.sections(server)
        found = [safe_to_repeat(one.raw) for part in kept for one in part.items if one.key == tool]
        return bool(found) and all(found)

    def definition(self, server: str, method: str, key: str) -> Raw | None:
        """What a server lists under a name of its own, as last seen by anybody."""
        for kept_key, kept in reversed(self._kept.items()):
            if kept_key[:2] == (method, server) and kept.section.problem is None:
                return next((item.raw for item in kept.section.items if item.key == key), None)
        return None
