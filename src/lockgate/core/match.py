"""Which settings a tool has, by patterns on its server's own name for it; the first match wins.

Must not know: what the settings are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from typing import Final, Generic, TypeVar

T = TypeVar("T")
MOST_KNOWN: Final = 1000


class ByTool(Generic[T]):
    """Shell-style patterns (`search_*`, case matters) and what belongs to each, in file order."""

    def __init__(self, patterns: Sequence[tuple[str, T]], otherwise: T) -> None:
        """`otherwise` is what belongs to a tool no pattern matches."""
        self._patterns = [(re.compile(translate(pattern)), what) for pattern, what in patterns]
        self._otherwise = otherwise
        self._known: dict[str, T] = {}

    def __getitem__(self, tool: str) -> T:
        """What belongs to this tool; a pattern is tried once for each name."""
        found = self._known.get(tool)
        return self._find(tool) if found is None else found

    def _find(self, tool: str) -> T:
        matches = (what for pattern, what in self._patterns if pattern.match(tool))
        found = next(matches, self._otherwise)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[tool] = found
        return found
