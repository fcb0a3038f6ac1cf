"""What servers say of their tools, for rules of access that ask.

Must not know: rules. A tool may be listed differently to different callers; each of its forms is
told, so that whoever decides can be as careful as it has to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

from lockgate.gateway.listing import Section

SectionsOf = Callable[[str], Iterable[Section]]
Hints = Mapping[str, object]
UNKNOWN: Final[Sequence[Hints]] = ({},)
MOST_INDEXED: Final = 4096


class ToolHints:
    """The annotations of tools as they are listed now."""

    def __init__(self) -> None:
        """Nothing is listed until `sections` and `edition` are told where to look."""
        self.sections: SectionsOf = lambda _: ()
        self.edition: Callable[[], int] = lambda: 0
        self._seen = -1
        self._now: dict[str, list[Mapping[str, Hints]]] = {}
        self._indexed: dict[int, tuple[Section, Mapping[str, Hints]]] = {}

    def __call__(self, server: str, tool: str) -> Sequence[Hints]:
        """The annotations of a tool, in each form in which it is listed."""
        edition = self.edition()
        if edition != self._seen:
            self._seen, self._now = edition, {}
        indexes = self._now.get(server)
        if indexes is None:
            indexes = self._now[server] = [self._index(one) for one in self.sections(server)]
        return [index[tool] for index in indexes if tool in index] or UNKNOWN

    def _index(self, section: Section) -> Mapping[str, Hints]:
        known = self._indexed.get(id(section))
        if known is not None and known[0] is section:
            return known[1]
        if len(self._indexed) >= MOST_INDEXED:
            self._indexed.clear()
        index = {item.key: _hints(item.raw.get("annotations")) for item in section.items}
        self._indexed[id(section)] = section, index
        return index


def _hints(said: object) -> Hints:
    return cast("Hints", said) if isinstance(said, dict) else {}
