"""Lists that show less than there is, and the tools by which the rest is found.

Must not know: endpoints' settings as they are written, how lists are made, what any policy does.

Nobody finds what they may not see: what is searched is the caller's own list. A `call_tool` becomes
the call it is about before anything looks at it, so whatever holds for that call holds for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from lockgate.context.search.index import Hit
from lockgate.context.search.scoring import Part
from lockgate.core.message import Call, Reply
from lockgate.core.policy import CallNext
from lockgate.gateway import own_tools
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.exposing import Exposure, listed
from lockgate.gateway.face import Face
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.finding import Finder
from lockgate.gateway.listing import LISTS
from lockgate.gateway.own_tools import Role
from lockgate.gateway.searching import Library
from lockgate.gateway.shelf import MOST_VIEWS
from lockgate.gateway.sights import OPERATOR
from lockgate.gateway.views import Outlook

_TOOLS: Final = "tools/list"
_PATIENCE: Final = 120.0
"""Seconds that tools, and then a query, may take to be embedded for somebody who asks why."""

Explained = Sequence[tuple[str, Hit, Sequence[Part]]]
"""Tools that are found, by name, with what each one's score is made of."""


class _Shown(msgspec.Struct):
    """What is made of a face at one endpoint, and what the own tools are called there."""

    face: Face
    listed: Face
    own: dict[str, Role]


class Discovery:
    """What the endpoints do that do not list everything as it is."""

    def __init__(self, catalog: Catalog, exposures: Mapping[str, Exposure]) -> None:
        """`exposures` by the path of their endpoint."""
        self._catalog = catalog
        self._exposures = exposures
        self.library = Library()
        self._finder = Finder(catalog, self.library)
        self._shown: OrderedDict[tuple[Outlook, str, bool], _Shown] = OrderedDict()
        self._own = own_tools.named(())
        self.answered: Callable[[str, Call, Reply], None] = lambda _role, _call, _reply: None
        """Hears of what the own tools answer."""
        self._stale = asyncio.Event()
        # What is listed now that was not, or not so, is indexed before anybody asks.
        catalog.on_learned = self._stale.set

    def listed(self, face: Face, call: Call, *, richer: bool) -> Face:
        """The list a client is shown, where it is not all of it; see `Shaping` for `richer`."""
        exposure = self._at(call)
        if exposure is None or face.entry.method != _TOOLS:
            return face
        return self._of(face, exposure, call, richer=richer).listed

    def own(self, face: Face, call: Call, name: str) -> Role | None:
        """What a tool of this name, which leads nowhere, does for this caller."""
        exposure = self._at(call)
        if exposure is None or face.entry.method != _TOOLS:
            return None
        return self._of(face, exposure, call, richer=False).own.get(name)

    async def answer(self, role: Role, face: Face, call: Call) -> Reply:
        """What one of the own tools answers."""
        reply = await self._finder.answer(role, face, call)
        self.answered(role, call, reply)
        return reply

    async def explained(self, endpoint: str, query: str, most: int, server: str) -> Explained:
        """The tools whoever runs the gateway finds at an endpoint: names, scores, and why."""
        call = Call(
            method=_TOOLS,
            client=OWN_CLIENT["modern"],
            principal=OPERATOR,
            facts={"endpoint": endpoint},
        )
        face = await self._catalog.face(_TOOLS, call)
        view = await self.library.view(self._catalog.outlook(call), face)
        # Whoever asks for reasons wants those of a gateway that has run for a while.
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self.library.embed()
        near = await self.library.near(view, query, _PATIENCE)
        return [
            (view.names[hit.number], hit, view.scope.explain(query, hit.number))
            for hit in view.scope.search(query, most, server=server, meaning=near)
        ]

    def unwrapping(self, inner: CallNext) -> CallNext:
        """`inner` for tool calls, in which a `call_tool` is already the call it is about."""
        if not self._exposures:
            return inner

        def handle(call: Call) -> Awaitable[Reply]:
            return inner(self.meant(call))

        return handle

    def meant(self, call: Call) -> Call:
        """The call that a `call_tool` is about; any other call is about itself."""
        if self._at(call) is None:
            return call
        try:
            name = call.params.get("name")
        except msgspec.MsgspecError:
            return call
        if not isinstance(name, str) or not name.endswith("call_tool"):
            return call
        face = self._catalog.at_hand(_TOOLS, call)
        own = self._own if face is None else own_tools.named(face.items)
        if own.get(name) != "call_tool":
            return call
        params = own_tools.inside(call.params)
        return call if params is None else call.replace(params=params)

    def _at(self, call: Call) -> Exposure | None:
        """How the endpoint shows things, to all but the gateway itself."""
        if call.client is OWN_CLIENT["modern"] or call.client is OWN_CLIENT["handshake"]:
            return None
        return self._exposures.get(call.facts.get("endpoint", ""))

    def _of(self, face: Face, exposure: Exposure, call: Call, *, richer: bool) -> _Shown:
        endpoint: str = call.facts.get("endpoint", "")
        key = self._catalog.outlook(call), endpoint, richer
        kept = self._shown.get(key)
        if kept is None or kept.face is not face:
            own = own_tools.named(face.items)
            size = self._catalog.sights.of(call).page_size
            shaping = self._catalog.shaping
            dialect = shaping.plain(self._catalog.sights.of(call).endpoint)
            if richer:
                dialect = dialect._replace(type_lists=True)
            shown = listed(face, exposure, own, size, shaping, dialect, richer=richer)
            kept = self._shown[key] = _Shown(face, shown, own)
            if len(self._shown) > MOST_VIEWS:
                self._shown.popitem(last=False)
        return kept

    async def keep_up(self) -> None:
        """Index what is listed, again whenever it has changed; until it is cancelled."""
        if self._exposures:
            # What takes long does not hold up what is quick.
            await asyncio.gather(self._keep_indexing(), self.library.keep_embedding())

    async def _keep_indexing(self) -> None:
        self._stale.set()
        while True:
            await self._stale.wait()
            self._stale.clear()
            for method in LISTS:
                await self.library.view("", self._catalog.everything(method))
