"""What passes between a model and a server, held against what is to be kept from it.

Must not know: calls, replies, policies; what any filter looks for.

Most content holds nothing: then its bytes are read once, for hints, and pass as they are. Only what
gave a hint is looked at string by string, and only strings that change are written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

from lockgate.core.raw import Raw
from lockgate.guard.anchors import finder
from lockgate.guard.holding import Holding, Words
from lockgate.guard.pieces import PIECES, TEXT
from lockgate.guard.seen import Doing, Filter, Inspected, Seen
from lockgate.guard.sieve import LARGE, often
from lockgate.guard.strings import changed

OPAQUE: Final = frozenset(
    {"requestState", "nextCursor", "resultType", "ttlMs", "cacheScope", "taskId"}
)
"""Members that mean something to whoever wrote them alone, and have to come back as they were."""

ESCAPE: Final = "\\u"
"""How JSON spells what it does not say in ASCII: whoever looks for words has to read it."""


class Inspector:
    """Filters, asked one after another, each about what the ones before it have left."""

    def __init__(self, filters: Sequence[Filter], *also: str) -> None:
        """Filters that are off are left out; `also`: what else `suspects` stops at, in small."""
        self._filters = tuple(one for one in filters if one.doing != "off")
        words = tuple(word for one in self._filters for word in _as_json(one.words))
        self._find = finder(words) if words else _nothing
        self._look = finder((*words, ESCAPE, *also))
        self._free = tuple(one for one in self._filters if not one.words)
        self._bound = tuple(one for one in self._filters if one.words)
        sets = [Words(_as_json(one.words), _as_json(one.spelled)) for one in self._bound]
        self._holding = Holding([*sets, Words((ESCAPE, *also))])

    def __bool__(self) -> bool:
        """Whether anything is looked for."""
        return bool(self._filters)

    def doing(self, name: str) -> Doing:
        """What is done about what a filter of this name finds."""
        for one in self._filters:
            if one.name == name:
                return one.doing
        return "off"

    def inspect(self, data: bytes) -> Inspected:
        """Inspect a JSON text."""
        hinted = self.hinted(data)
        if not hinted:
            return Inspected(data)
        seen: dict[Seen, None] = {}
        after = changed(data, lambda key, text: _cleaned(hinted, key, text, seen))
        return Inspected(after, tuple(seen))

    def inspect_members(self, raw: Raw) -> tuple[Raw, Sequence[Seen]]:
        """Inspect an object, but for members that are opaque; the very same if nothing changed."""
        data = raw.encode()
        if len(data) < LARGE and not self.hinted(data):
            return raw, ()
        members: dict[str, bytes] = {}
        seen: dict[Seen, None] = {}
        for name in raw:
            if name in OPAQUE:
                continue
            before = raw.member(name) or b"null"
            one = self.inspect(before)
            seen |= dict.fromkeys(one.seen)
            if one.data is not before:
                members[name] = one.data
        return (raw.with_members(members) if members else raw), tuple(seen)

    def inspect_text(self, text: str) -> tuple[str, Sequence[Seen]]:
        """Inspect a text that is no JSON."""
        seen: dict[Seen, None] = {}
        return _cleaned(self._filters, "", text, seen), tuple(seen)

    def suspects(self, data: bytes) -> bool:
        """Whether any filter may have to look at this JSON; no more than a first look."""
        if self._free:
            return True
        if len(data) >= LARGE:
            return self._large(data)
        if not data.isascii():
            return True
        return len(self._look(data.lower())) > 0

    def _large(self, data: bytes) -> bool:
        if self._holding.any(data):
            return True
        return not data.isascii() and any(one.hint(data) for one in self._bound)

    def hinted(self, data: bytes) -> Sequence[Filter]:
        """The filters that have to look at this JSON; most often none."""
        if len(data) >= LARGE:
            return self._hinted_in_large(data)
        if data.find(b"\\u") >= 0:  # `in` takes twice as long: it tries for a number first
            return self._filters
        bound: Sequence[Filter] = ()
        if self._find(data.lower()):
            bound = self._bound
        elif not data.isascii():
            bound = [one for one in self._bound if one.hint(data)]
        return self._with_free(bound, data)

    def _hinted_in_large(self, data: bytes) -> Sequence[Filter]:
        """As `hinted`; each filter is judged by its own words."""
        if often(data, b"\\u", 1):
            return self._filters
        held = self._holding.of(data, (1 << len(self._bound)) - 1)
        wide = not data.isascii()
        bound = [
            one
            for number, one in enumerate(self._bound)
            if held >> number & 1 or (wide and one.hint(data))
        ]
        return self._with_free(bound, data)

    def _with_free(self, bound: Sequence[Filter], data: bytes) -> Sequence[Filter]:
        free = [one for one in self._free if one.hint(data)] if self._free else ()
        if not bound and not free:
            return ()
        return [one for one in self._filters if one in bound or one in free]


def _as_json(words: Sequence[str]) -> list[str]:
    """The words in all ways that JSON may spell them without numbers: a slash may be escaped."""
    return [
        "".join(spelled)
        for word in words
        for spelled in product(*[("/", r"\/") if one == "/" else (one,) for one in word])
    ]


def in_pieces(data: bytes) -> bool:
    """Whether a result may have several texts, between which a secret may be divided."""
    return data.count(TEXT) >= PIECES if len(data) < LARGE else often(data, TEXT, PIECES)


def _nothing(data: bytes) -> Sequence[object]:
    del data
    return ()


def _cleaned(filters: Sequence[Filter], key: str, text: str, seen: dict[Seen, None]) -> str:
    for one in filters:
        clean, kinds = one.clean(key, text)
        for kind in kinds:
            seen[Seen(one.name, kind, one.doing)] = None
        if one.doing == "redact":
            text = clean
    return text
