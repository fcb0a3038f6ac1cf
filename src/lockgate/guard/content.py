"""What passes between a model and a server, held against what is to be kept from it.

Must not know: calls, replies, policies; what any filter looks for.

Most content holds nothing: then its bytes are read once, for hints, and pass as they are. Only what
gave a hint is looked at string by string, and only strings that change are written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

from lockgate.core.raw import Raw
from lockgate.guard.anchors import Anchors
from lockgate.guard.strings import changed

Doing = Literal["off", "flag", "redact", "block"]
"""What is done about what was found: nothing is looked for; it is counted and noted; it is taken
out; nothing of it passes."""

DONE: Final = {"flag": "nothing", "redact": "redacted", "block": "blocked"}
OPAQUE: Final = frozenset(
    {"requestState", "nextCursor", "resultType", "ttlMs", "cacheScope", "taskId"}
)
"""Members that mean something to whoever wrote them alone, and have to come back as they were."""


class Seen(msgspec.Struct, frozen=True):
    """Something was found: by which filter, what (never its text), and what is done about it."""

    by: str
    kind: str
    doing: Doing

    def note(self) -> dict[str, str]:
        """As whoever gets the content is told of it."""
        return {"what": self.by, "kind": self.kind, "done": DONE[self.doing]}


class Filter(Protocol):
    """One thing that is looked for."""

    @property
    def name(self) -> str:
        """What it is called where it is counted."""
        ...

    @property
    def doing(self) -> Doing:
        """What is done about what it finds."""
        ...

    @property
    def words(self) -> Sequence[str]:
        """In small letters: plain ASCII without any of them, in any case, holds nothing of it.

        Empty: there are no such words, and `hint` is asked about everything.
        """
        ...

    def hint(self, data: bytes, /) -> bool:
        """Whether JSON may hold anything though it has none of the words.

        Not asked about plain ASCII where there are words, nor about JSON with something escaped by
        number, where anything may hide.
        """
        ...

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """The text without what is found, the very same if nothing is, and the kinds found."""
        ...


class Inspected(msgspec.Struct, frozen=True):
    """What became of content.

    data  the JSON to pass on; the very same bytes when nothing has changed.
    seen  what was found, each kind once.
    """

    data: bytes
    seen: Sequence[Seen] = ()

    @property
    def blocked(self) -> Seen | None:
        """Because of what nothing may pass, if anything."""
        return next((one for one in self.seen if one.doing == "block"), None)


class Inspector:
    """Filters, asked one after another, each about what the ones before it have left."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        """Filters that are off are left out."""
        self._filters = tuple(one for one in filters if one.doing != "off")
        words = [word for one in self._filters for word in one.words]
        self._find = Anchors(words).find if words else _nothing
        self._free = tuple(one for one in self._filters if not one.words)
        self._bound = tuple(one for one in self._filters if one.words)

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
        if not self.hinted(raw.encode()):
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

    def hinted(self, data: bytes) -> Sequence[Filter]:
        """The filters that have to look at this JSON; most often none."""
        if b"\\u" in data:
            return self._filters
        bound: Sequence[Filter] = ()
        if self._find(data.lower()):
            bound = self._bound
        elif not data.isascii():
            bound = [one for one in self._bound if one.hint(data)]
        free = [one for one in self._free if one.hint(data)] if self._free else ()
        if not bound and not free:
            return ()
        return [one for one in self._filters if one in bound or one in free]


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
