"""What is listed, indexed to be searched: one index for each list, a part of it for each view.

Must not know: queries, who callers are, how answers are written.

A definition is indexed once, however many views show it, and is let go of with the last of them.
When a list changes, what is new in it is indexed and what is gone is removed; nothing is made
anew, and nothing is made because somebody asks. The work is done in pieces, so that calls go on
meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from lockgate.context.search.documents import document
from lockgate.context.search.index import Index, Scope
from lockgate.core.raw import Raw
from lockgate.gateway.face import Face

MOST_VIEWS: Final = 64
MOST_DOCUMENTS: Final = 100_000
"""Definitions that are indexed of one list; what comes after them is found by nobody."""
PIECE: Final = 20
"""Definitions that are indexed before others get their turn."""

_Key = tuple[str, str, bytes]


class View(NamedTuple):
    """What one caller can find.

    names  what each document is called there.
    """

    face: Face
    scope: Scope
    names: dict[int, str]


class _Shelf:
    """The index of one list."""

    def __init__(self) -> None:
        self.index = Index()
        self._numbers: dict[_Key, int] = {}
        self._keys: dict[int, _Key] = {}
        self._uses: dict[int, int] = {}

    def take(self, server: str, key: str, item: Raw, member: str) -> tuple[int, bool] | None:
        """The document of a definition, used once more, and whether it is new; None: no room."""
        known: _Key = server, key, _digest(item, member)
        number = self._numbers.get(known)
        if number is not None:
            self._uses[number] += 1
            return number, False
        if len(self._numbers) >= MOST_DOCUMENTS:
            return None
        definition: dict[str, Any] = {}
        # What cannot be read is found by its name alone.
        with suppress(msgspec.MsgspecError):
            definition = msgspec.json.decode(item.encode(), type=dict[str, Any])
            # It is called otherwise here than by its server.
            definition.pop(member, None)
        number = self.index.add(document(f"{server}/{key}", server, key, definition))
        self._numbers[known], self._keys[number], self._uses[number] = number, known, 1
        return number, True

    def give_back(self, numbers: Iterable[int]) -> None:
        """Use these once less; what nobody uses is let go of."""
        for number in numbers:
            self._uses[number] -= 1
            if not self._uses[number]:
                del self._uses[number]
                del self._numbers[self._keys.pop(number)]
                self.index.remove(number)


def _digest(item: Raw, member: str) -> bytes:
    """Of all that a definition says, whatever it is called by clients."""
    found = blake2b(digest_size=16)
    for key in item:
        if key != member:
            value = item.member(key) or b""
            found.update(b"%d %d " % (len(key), len(value)) + key.encode() + value)
    return found.digest()


class Library:
    """Every index, and the views that are in use. Bounded: what was not used longest goes first."""

    def __init__(self) -> None:
        """Nothing is indexed."""
        self._shelves: dict[str, _Shelf] = {}
        self._views: OrderedDict[Hashable, View] = OrderedDict()
        self._turn = asyncio.Lock()

    async def view(self, whose: Hashable, face: Face) -> View:
        """What can be found of this face; `whose` are the callers who see it."""
        key = face.entry.method, whose
        kept = self._views.get(key)
        if kept is None or kept.face is not face:
            async with self._turn:
                kept = self._views.get(key)
                if kept is None or kept.face is not face:
                    kept = await self._made(face)
                    self._keep(key, kept)
        self._views.move_to_end(key)
        return kept

    async def _made(self, face: Face) -> View:
        shelf = self._shelves.setdefault(face.entry.method, _Shelf())
        names: dict[int, str] = {}
        used: list[int] = []
        fresh = 0
        try:
            for place, (name, item) in enumerate(face.items.items()):
                target = face.routes.get(name)
                server, key = ("", name) if target is None else (target.server, target.name)
                taken = shelf.take(server, key, item, face.entry.key)
                if taken is None:
                    break
                if taken[0] in names:
                    shelf.give_back([taken[0]])
                    continue
                used.append(taken[0])
                names[taken[0]] = name
                fresh += taken[1]
                if (taken[1] and not fresh % PIECE) or not place % (20 * PIECE):
                    await asyncio.sleep(0)
        except BaseException:
            shelf.give_back(used)
            raise
        return View(face, Scope(shelf.index, used), names)

    def _keep(self, key: Hashable, view: View) -> None:
        before = self._views.pop(key, None)
        self._views[key] = view
        gone = [] if before is None else [before]
        while len(self._views) > MOST_VIEWS:
            gone.append(self._views.popitem(last=False)[1])
        for one in gone:
            self._shelves[one.face.entry.method].give_back(one.names)

    @property
    def size(self) -> int:
        """How many definitions are indexed."""
        return sum(len(shelf.index) for shelf in self._shelves.values())
