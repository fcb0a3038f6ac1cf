"""What is listed, indexed to be searched: one index for each list, a part of it for each view.

Must not know: queries, who callers are, how answers are written.

A definition is indexed once, however many views show it, and is let go of with the last of them.
When a list changes, what is new in it is indexed and what is gone is removed; nothing is made
anew, and nothing is made because somebody asks. The work is done in pieces, so that calls go on
meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import replace

from lockgate.context.search.documents import document
from lockgate.context.search.fusion import meant
from lockgate.context.search.index import LONGEST_QUERY, Index, Scope
from lockgate.core.codes import CODES, ENTRIES
from lockgate.core.raw import Raw
from lockgate.gateway.face import Face
from lockgate.gateway.meaning import Meaning
from lockgate.gateway.nearness import Near
from lockgate.gateway.status import SemanticStatus
from lockgate.observe.semantic import Outcome

MOST_VIEWS: Final = 64
MOST_DOCUMENTS: Final = 100_000
"""Definitions that are indexed of one list; what comes after them is found by nobody."""
PIECE: Final = 20
"""Definitions that are indexed before others get their turn."""
MOST_EMBEDDED: Final = 20_000
"""Tools that are embedded; whoever sees one of those beyond them finds by words alone."""
MOST_NEAR_BYTES: Final = 48 * 1024 * 1024
"""Of vectors that are kept side by side, for all views together."""
_TOOLS: Final = "tools/list"
_log: Final = logging.getLogger("lockgate.gateway")

_Key = tuple[str, str, bytes]


class View(NamedTuple):
    """What one caller can find.

    names  what each document is called there.
    """

    face: Face
    scope: Scope
    names: dict[int, str]


class _Shelf:
    """The index of one list.

    texts    what is still to be embedded, if anything is, by document.
    vectors  what was.
    edition  whose vectors those are.
    """

    def __init__(self, meaning: Meaning | None) -> None:
        self.index = Index()
        self._meaning = meaning
        self.texts: dict[int, str] = {}
        self.vectors: dict[int, bytes] = {}
        self.edition: str | None = None
        # What may have to be embedded again is kept.
        self._said: dict[int, str] = {}
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
        found = document(f"{server}/{key}", server, key, definition)
        number = self.index.add(found)
        if self._meaning is not None and len(self.index) <= MOST_EMBEDDED:
            self.texts[number] = meant(found)
            if not self._meaning.constant:
                self._said[number] = self.texts[number]
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
                self.texts.pop(number, None)
                self.vectors.pop(number, None)
                self._said.pop(number, None)

    def turn_to(self, edition: str | None) -> None:
        """Vectors of any other edition count no more."""
        if self.edition != edition:
            self.edition = edition
            if self.vectors:
                self.vectors = {}
                self.texts = dict(self._said)

    def embedded(self, vectors: Mapping[int, bytes]) -> None:
        """Have these vectors; not of what was let go of meanwhile."""
        for number, vector in vectors.items():
            if self.texts.pop(number, None) is not None:
                self.vectors[number] = vector


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

    def __init__(self, meaning: Meaning | None = None) -> None:
        """Nothing is indexed. `meaning`: what tools are found by beside their words."""
        self.meaning = meaning
        self._shelves: dict[str, _Shelf] = {}
        self._views: OrderedDict[Hashable, View] = OrderedDict()
        self._turn = asyncio.Lock()
        self._lacking = asyncio.Event()
        self._near: OrderedDict[tuple[str | None, frozenset[int]], Near] = OrderedDict()

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
        shelf = self._shelf(face.entry.method)
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
        if shelf.texts:
            self._lacking.set()
        return View(face, Scope(shelf.index, used), names)

    def _shelf(self, method: str) -> _Shelf:
        shelf = self._shelves.get(method)
        if shelf is None:
            shelf = self._shelves[method] = _Shelf(self.meaning if method == _TOOLS else None)
        return shelf

    async def near(
        self, view: View, text: str, patience: float | None = None
    ) -> Mapping[int, float] | None:
        """How near what a view shows is to what a text means; None: that is not known now.

        Nothing is embedded for it but the text. Until all that the view shows has its vector,
        nothing counts by meaning: what has none yet would always come last.

        `patience`: seconds to wait for the text's vector, in place of what is configured.
        """
        if self.meaning is None or view.face.entry.method != _TOOLS or not view.scope.numbers:
            return None
        found = await self._nearest(self.meaning, view.scope.numbers, text, patience)
        if found == "failed":
            # Whether it is well again is found out in the background, not by who searches next.
            self._lacking.set()
        self.meaning.meter.searches[found if isinstance(found, str) else "meaning"] += 1
        return None if isinstance(found, str) else found

    async def _nearest(
        self, meaning: Meaning, numbers: frozenset[int], text: str, patience: float | None
    ) -> Mapping[int, float] | Outcome:
        if len(numbers) > MOST_EMBEDDED:
            return "many"
        shelf = self._embedded(meaning)
        if not numbers.isdisjoint(shelf.texts):
            return "building" if meaning.trouble is None else "failed"
        vector = await meaning.query(text[:LONGEST_QUERY], patience)
        if isinstance(vector, str):
            return vector
        # Meanwhile others may have come to see it otherwise, some of it may be gone, and what
        # makes the vectors may have turned out to be something else.
        shelf = self._embedded(meaning)
        if not all(number in shelf.vectors for number in numbers):
            return "building"
        key = shelf.edition, numbers
        near = self._near.get(key)
        if near is None:
            vectors = {number: shelf.vectors[number] for number in numbers}
            near = self._near[key] = await asyncio.to_thread(Near, vectors)
            while len(self._near) > 1 and self._near_bytes > MOST_NEAR_BYTES:
                self._near.popitem(last=False)
        else:
            self._near.move_to_end(key)
        return await asyncio.to_thread(near.to, vector)

    @property
    def _near_bytes(self) -> int:
        return sum(one.size for one in self._near.values())

    def _embedded(self, meaning: Meaning) -> _Shelf:
        """The shelf that has vectors, with none that counts no more."""
        shelf = self._shelf(_TOOLS)
        shelf.turn_to(meaning.edition)
        if shelf.texts:
            self._lacking.set()
        return shelf

    async def embed(self) -> bool:
        """Embed what is indexed and is not embedded yet; whether all of it is now."""
        if self.meaning is None or not await self.meaning.ready():
            return False
        shelf = self._embedded(self.meaning)
        while shelf.texts:
            piece = dict(islice(shelf.texts.items(), max(PIECE, self.meaning.room)))
            vectors = await self.meaning.vectors(list(piece.values()))
            shelf.turn_to(self.meaning.edition)
            if vectors is None:
                return False
            shelf.embedded(dict(zip(piece, vectors, strict=True)))
        return True

    @property
    def semantic(self) -> SemanticStatus | None:
        """How finding by what is meant stands; None: it is off."""
        meaning = self.meaning
        if meaning is None:
            return None
        shelf, trouble = self._shelf(_TOOLS), meaning.trouble
        found = SemanticStatus(
            phase="building" if shelf.texts else "ready",
            embedder=meaning.shown,
            embedded=len(shelf.vectors),
            waiting=len(shelf.texts),
            kept=meaning.kept,
        )
        if trouble is None:
            return found
        return replace(
            found,
            phase="failed",
            retry_in=meaning.pause,
            code=CODES[trouble.reason],
            error=trouble.message,
            remedy=trouble.remedy or ENTRIES[trouble.reason].remedy,
        )

    async def keep_embedding(self) -> None:
        """Embed what comes to be indexed, in the background; until it is cancelled."""
        while self.meaning is not None:
            await self._lacking.wait()
            self._lacking.clear()
            made = self.meaning.made
            if not await self.embed():
                await asyncio.sleep(max(1.0, self.meaning.pause))
                self._lacking.set()
            elif made < self.meaning.made:
                _log.info("tools are found by what is meant; %d embedded", self.meaning.made - made)

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
