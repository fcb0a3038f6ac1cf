"""What callers see of the lists that are kept: made when it is asked for, and kept while it holds.

Must not know: how lists are read, or when they are read anew.

Nothing here waits, and nobody is asked for anything: what is not on the shelf is not shown.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import product
from typing import Final

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import Call, Era, Failure, Target
from lockgate.core.raw import Raw
from lockgate.core.sight import Sight
from lockgate.gateway.face import Face, merge, shown
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.guarding import Guard
from lockgate.gateway.hands import Hands, Held, Whose
from lockgate.gateway.kept import CatalogSettings, Kept
from lockgate.gateway.listing import LISTS, Item, ListMethod, Section
from lockgate.gateway.shaping import Shaping, Write
from lockgate.gateway.shelf import MOST_VIEWS, Key, Shelf
from lockgate.gateway.sights import Sights
from lockgate.gateway.unread import Unread
from lockgate.gateway.views import Outlook, View

_EMPTY: Final = 60.0  # seconds a list that no server is asked for is kept


class Faces(Shelf):
    """The faces of all who see what is on the shelf. Bounded: what was made first goes first."""

    def __init__(
        self,
        servers: Iterable[str],
        settings: CatalogSettings,
        clock: Clock,
        sights: Sights,
        by_capabilities: Callable[[], bool],
        guard: Guard,
    ) -> None:
        """Nothing is seen yet.

        Args:
            servers: those there are.
            settings: how long what was read counts.
            clock: what ages are measured by.
            sights: what callers see.
            by_capabilities: whether some server stateless clients reach may list by capabilities.
            guard: what keeps some of it from everybody.
        """
        super().__init__()
        self._guard = guard
        self._servers = frozenset(servers)
        self._settings = settings
        self._clock = clock
        self._by_capabilities = by_capabilities
        self.sights = sights
        self.shaping = Shaping(settings.shapes)
        self.presentations = settings.presentations
        self.alike = not sights.restricted and sights.shared
        """Whether everybody sees the same."""
        self._faces: OrderedDict[tuple[str, Outlook], tuple[float, Face]] = OrderedDict()
        self.own: Callable[[ListMethod, str], Sequence[Item]] = lambda _entry, _endpoint: ()
        """What the gateway itself lists at an endpoint."""
        self._own_lists: OrderedDict[str, float] = OrderedDict()
        self.hands = Hands(clock.monotonic, self._own_lists)

    def seen(self) -> dict[tuple[str, Era], str | None]:
        """The digest of each list as the gateway's own clients saw it last, by (method, era)."""
        found: dict[tuple[str, Era], str | None] = {}
        for method, (era, client) in product(LISTS, OWN_CLIENT.items()):
            call, sight = Call(method=method, client=client), self.sights.everything
            face = self._peek(method, sight, self.outlook(call, sight))
            found[method, era] = None if face is None else face.digest
        return found

    def prepared(self) -> dict[tuple[str, Era], str | None]:
        """As `seen`, once what is known has been made into lists that calls are routed by."""
        for method, client in product(LISTS, OWN_CLIENT.values()):
            sight = self.sights.everything
            outlook = self.outlook(Call(method=method, client=client), sight)
            if any((method, name, outlook.view(name)) in self._kept for name in self._servers):
                self._assemble(LISTS[method], sight, outlook)
        return self.seen()

    def everything(self, method: str) -> Face:
        """What is known of all servers in one list, as the gateway itself sees it."""
        sight = self.sights.everything
        call = Call(method=method, client=OWN_CLIENT["modern"])
        return self._assemble(LISTS[method], sight, self.outlook(call, sight))

    def tools_as_written(self) -> tuple[Face, Write | None]:
        """The tools of all servers, and what makes of them what is listed."""
        entry = LISTS["tools/list"]
        plain = self.shaping.plain(self.sights.everything.endpoint)
        return self.everything(entry.method), self.shaping.writes(entry, plain)

    def outlook(self, call: Call, sight: Sight | None = None) -> Outlook:
        """The outlook a call's client has, with its own sight or another."""
        sight = sight or self.sights.of(call)
        partitions = self.sights.partitions(sight, call.principal)
        if call.client.era == "modern":
            # Stateless servers list alike for all of a principal's clients; others may not.
            key = call.client.capabilities_key if self._by_capabilities() else ""
            return Outlook(sight.key, "modern", key, None, partitions)
        own = call.affinity if call.affinity in self._own_lists else None
        return Outlook(sight.key, "handshake", call.client.capabilities_key, own, partitions)

    def richer(self, call: Call) -> bool:
        """Whether the caller's client reads more than every client does; see `Shaping`."""
        return self.shaping.richer(self.sights.of(call).endpoint, call.client)

    def view(self, server: str, call: Call) -> View:
        """The view a call's client has of one server, whether or not it sees it."""
        return self.outlook(call, self.sights.everything).view(server)

    def peek(self, method: str, call: Call) -> Face | None:
        """The face as it was last made, however old, or what is known makes one; None: nothing."""
        sight = self.sights.of(call)
        return self._peek(method, sight, self.outlook(call, sight))

    def _peek(self, method: str, sight: Sight, outlook: Outlook) -> Face | None:
        made = self._faces.get((method, outlook))
        if made is not None:
            return made[1]
        keys = self._keys(method, sight, outlook)
        sections = [self._kept[key].section for key in keys if key in self._kept]
        if not sections:
            return None
        face = self._merged(LISTS[method], sight, outlook, sections)
        self._remember(method, outlook, face, 0.0)
        return face

    def _keys(self, method: str, sight: Sight, outlook: Outlook) -> list[Key]:
        """The sections a face is made of."""
        return [
            (method, name, outlook.view(name)) for name in sight.servers if name in self._servers
        ]

    def neutral(self, method: str, call: Call) -> Face | None:
        """The list as a client without capabilities sees it, if the caller's own is not at hand.

        What such a client can call, this one can; so a call need not wait for every server to list
        its tools once more for yet another set of capabilities.
        """
        if self.alike:
            face = self.hands.of_all(method, call)
            if face is not None:
                return face
            client = call.client
            whose = id(client) if client.era == "modern" else client.capabilities_key
            return self._find_neutral((method, whose, 0), call, self.sights.everything, None)
        sight = self.sights.of(call)
        principal = None if self.sights.shared else call.principal.id
        face = self.hands.of_one(method, call, sight, principal)
        if face is not None:
            return face
        return self._find_neutral((method, id(call.client), id(sight)), call, sight, principal)

    def _find_neutral(
        self, key: Whose, call: Call, sight: Sight, principal: str | None
    ) -> Face | None:
        method, outlook, now = key[0], self.outlook(call, sight), self._clock.monotonic()
        made = self._faces.get((method, outlook))
        if (made is None or now >= made[0]) and outlook.session is None:
            made = self._faces.get((method, outlook._replace(capabilities="")))
        if made is None or now >= made[0]:
            return None
        # A session that some server lists for otherwise is not like others that can do the same.
        if call.client.era == "modern" or (outlook.session is None and isinstance(key[1], str)):
            self.hands.keep(key, Held(call.client, sight, principal, *made))
        return made[1]

    def at_hand(self, method: str, call: Call) -> Face | None:
        """The list that a call is routed by, as far as it is known; nothing is asked for."""
        return self.neutral(method, call) or self.peek(method, call)

    def presented(self, call: Call, target: Target, params: Raw) -> Raw:
        """The params of a call to a tool that the caller's endpoint may present otherwise."""
        own = self.presentations.get(self.sights.of(call).endpoint)
        edit = own.of(target) if own is not None and target.kind == "tool" else None
        return params if edit is None else edit.params(params)

    def unshown(self, call: Call, target: Target) -> Sequence[str]:
        """The parameters of a tool that the caller's endpoint does not show."""
        own = self.presentations.get(self.sights.of(call).endpoint)
        edit = own.of(target) if own is not None and target.kind == "tool" else None
        return () if edit is None else edit.hidden

    def problem(self, server: str, method: str, call: Call) -> Failure | None:
        """Why what a server lists for this caller is not known as it is now."""
        kept = self._kept.get((method, server, self.view(server, call)))
        return None if kept is None else kept.problem

    def unread(self, method: str, call: Call) -> list[Unread]:
        """The servers of which the caller's list is not as it is now, or is not there at all."""
        sight, now = self.sights.of(call), self._clock.monotonic()
        keys = self._keys(method, sight, self.outlook(call, sight))
        return [
            Unread(key[1], one.problem, max(0.0, one.expires - now), one.last)
            for key, one in ((key, self._kept.get(key)) for key in keys)
            if one is not None and one.problem is not None
        ]

    def _assemble(self, entry: ListMethod, sight: Sight, outlook: Outlook) -> Face:
        keys = self._keys(entry.method, sight, outlook)
        kept = [self._kept[key] for key in keys if key in self._kept]
        face = self._merged(entry, sight, outlook, [one.section for one in kept])
        settled = len(kept) == len(keys) and not any(one.stale for one in kept)
        soonest = min(map(self._holds, kept), default=self._clock.monotonic() + _EMPTY)
        self._remember(entry.method, outlook, face, soonest if settled else 0.0)
        return face

    def _merged(
        self, entry: ListMethod, sight: Sight, outlook: Outlook, sections: Sequence[Section]
    ) -> Face:
        plain = self.shaping.plain(sight.endpoint)
        vetted = [shown(one, entry, sight) for one in self._guard.vet(entry, sections, outlook.era)]
        own = self.presentations.get(sight.endpoint) if entry.kind == "tool" else None
        face = merge(
            entry,
            vetted if own is None else list(map(own.presented, vetted)),
            sight.naming,
            modern=outlook.era == "modern",
            page_size=sight.page_size,
            endpoint=sight.endpoint,
            personal=sight.personal,
            write=self.shaping.writes(entry, plain),
            names={} if own is None else own.names(vetted),
            write_richer=self.shaping.writes(entry, plain._replace(type_lists=True)),
            own=self.own(entry, sight.endpoint),
        )
        return msgspec.structs.replace(face, parts=tuple(sections))

    def _holds(self, kept: Kept) -> float:
        shown = kept.section.problem is None
        return min(kept.expires, kept.over(self._settings.stale)) if shown else kept.expires

    def _over(self, key: Key) -> bool:
        """Whether a list is shown that is no longer to be believed."""
        kept = self._kept.get(key)
        if kept is None or kept.section.problem is not None:
            return False
        return self._clock.monotonic() >= kept.over(self._settings.stale)

    def _remember(self, method: str, outlook: Outlook, face: Face, expires: float) -> None:
        self.hands.drop()
        self._faces.pop((method, outlook), None)
        self._faces[method, outlook] = (expires, face)
        while len(self._faces) > MOST_VIEWS:
            self._faces.popitem(last=False)

    def _made_of(self, key: Key) -> list[tuple[str, Outlook]]:
        """The faces that a section is a part of."""
        method, server, view = key
        return [made for made in self._faces if made[0] == method and made[1].view(server) == view]

    def remake(self, servers: Collection[str]) -> set[str]:
        """Forget every face that shows something of these servers; the methods of their lists."""
        self.hands.drop()
        touched = {key[0] for key in self._kept if key[1] in servers}
        for made in [made for made in self._faces if made[0] in touched]:
            del self._faces[made]
        return touched

    def _age(self, faces: Iterable[tuple[str, Outlook]]) -> None:
        for made in faces:
            self._faces[made] = (0.0, self._faces[made][1])

    def _has_own_lists(self, session: str) -> None:
        """From now on some lists are this client session's alone."""
        if session in self._own_lists:
            return
        self._own_lists[session] = self._clock.monotonic()
        while len(self._own_lists) > MOST_VIEWS:
            self._own_lists.popitem(last=False)

    def forget_session(self, session: str) -> None:
        """Drop what was kept for one client session."""
        if self._own_lists.pop(session, None) is None:
            return
        for key in [key for key in self._kept if key[2].session == session]:
            del self._kept[key]
        for key in [key for key in self._faces if key[1].session == session]:
            del self._faces[key]
