"""What every server lists, fetched once, kept while it holds, and merged into faces.

Must not know: fronts, config files, how a server is reached.

Lists are never fetched per request. A section is asked for when a view first needs it; after that
a notification, a server coming or going, or its age makes it stale:

    | what the server said              | then                                             |
    |-----------------------------------|--------------------------------------------------|
    | list_changed                      | asked again before the next answer               |
    | `ttlMs` above zero, now over      | asked again before the next answer               |
    | no `ttlMs`, older than `refresh`  | answered as it is, asked again in the background |
    | it failed                         | left out; asked again after `retry`              |
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from itertools import product
from typing import Final

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import ANONYMOUS, Call, Era, Target
from lockgate.core.names import Naming
from lockgate.core.raw import Raw
from lockgate.core.sight import Everything, Sight
from lockgate.gateway.absent import broken, slow
from lockgate.gateway.face import Face, merge, shown
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.listing import LISTS, ListMethod, Section, safe_to_repeat
from lockgate.gateway.reading import Source, read_list
from lockgate.gateway.sights import Sights
from lockgate.gateway.views import AtHand, Outlook, View

MOST_VIEWS: Final = 1024
_MOST: Final = (10_000, 200)
_EMPTY: Final = 60.0
"""Seconds a list that no server is asked for is kept."""
ATTEMPTS: Final = 3
"""How often a list of several pages is read when it changes meanwhile; then it is taken so."""


class CatalogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and ages. Times in seconds.

    most  of servers by name: entries and pages taken of one list.
    """

    naming: Naming = "prefix"
    page_size: int = 1000
    most: Mapping[str, tuple[int, int]] = {}
    most_bytes: int = 64 * 1024 * 1024
    wait: float = 5.0
    refresh: float = 30.0
    retry: float = 5.0
    longest_ttl: float = 3600.0


class _Kept(msgspec.Struct):
    section: Section
    expires: float
    hard: bool
    stale: bool = False


_Key = tuple[str, str, View]


class Catalog:
    """Sections of all servers, and faces for all who see them."""

    def __init__(
        self,
        sources: Iterable[Source],
        settings: CatalogSettings,
        clock: Clock,
        on_change: Callable[[str, str], None] = lambda _method, _server: None,
        by_capabilities: Callable[[], bool] = lambda: False,
        sights: Sights | None = None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            sources: the servers, in configuration order.
            settings: bounds and ages.
            clock: what ages are measured by.
            on_change: told (notification method, server) when a list has changed.
            by_capabilities: whether some server stateless clients reach may list by capabilities.
            sights: what callers see; None: all of it.
        """
        self._sources = {source.name: source for source in sources}
        self.sights = sights or Sights(
            Everything(
                servers=tuple(self._sources),
                naming=settings.naming,
                page_size=settings.page_size,
            )
        )
        if not self.sights.restricted and self.sights.shared:
            self.neutral = self._neutral_of_all
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._by_capabilities = by_capabilities
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._fetching: dict[_Key, asyncio.Task[Section]] = {}
        self._faces: OrderedDict[tuple[str, Outlook], tuple[float, Face]] = OrderedDict()
        self._overtaken: set[_Key] = set()
        self._own_lists: OrderedDict[str, None] = OrderedDict()
        self._grace_until = 0.0
        self._closed = False
        self._at_hand: dict[tuple[str, int, int], AtHand] = {}
        self.edition = 0

    def inherit(self, before: Catalog, servers: Collection[str]) -> None:
        """Take over what `before` knows of these servers, where nothing is known here yet.

        A list that may have another length by now is asked for anew.
        """
        kept = {name for name in servers if self._settings.most.get(name) == before._most_of(name)}
        for key, one in before._kept.items():
            if key[1] in kept and key not in self._kept:
                self._kept[key] = copy(one)
        self._keep_within_bounds()
        for session in before._own_lists:
            self._own_lists.setdefault(session)
        self.edition += 1

    def _most_of(self, server: str) -> tuple[int, int] | None:
        return self._settings.most.get(server)

    def seen(self) -> dict[tuple[str, Era], str | None]:
        """The digest of each list as the gateway's own clients saw it last, by (method, era)."""
        found: dict[tuple[str, Era], str | None] = {}
        for method, (era, client) in product(LISTS, OWN_CLIENT.items()):
            face = self._peek_own(method, Call(method=method, client=client))
            found[method, era] = None if face is None else face.digest
        return found

    def prepared(self) -> dict[tuple[str, Era], str | None]:
        """As `seen`, once what is known has been made into lists that calls are routed by."""
        for method, client in product(LISTS, OWN_CLIENT.values()):
            sight = self.sights.everything
            outlook = self.outlook(Call(method=method, client=client), sight)
            if any((method, name, outlook.view(name)) in self._kept for name in self._sources):
                self._assemble(LISTS[method], sight, outlook)
        return self.seen()

    def _peek_own(self, method: str, call: Call) -> Face | None:
        sight = self.sights.everything
        return self._peek(method, sight, self.outlook(call, sight))

    def wait_for_start(self, seconds: float) -> None:
        """Until this many seconds from now, lists wait for servers that are still starting."""
        self._grace_until = self._clock.monotonic() + seconds

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

    def view(self, server: str, call: Call) -> View:
        """The view a call's client has of one server, whether or not it sees it."""
        outlook = self.outlook(call, self.sights.everything)
        return outlook.view(server)

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

    def _keys(self, method: str, sight: Sight, outlook: Outlook) -> list[_Key]:
        """The sections a face is made of."""
        return [
            (method, name, outlook.view(name)) for name in sight.servers if name in self._sources
        ]

    def count(self, server: str, method: str) -> int | None:
        """How many items a server lists, as last seen by anybody; None when it was never seen."""
        for key, kept in reversed(self._kept.items()):
            if key[:2] == (method, server) and kept.section.problem is None:
                return len(kept.section.items)
        return None

    def repeatable(self, server: str, tool: str) -> bool:
        """Whether the server lists this tool, to everyone who was shown it, as safe to repeat."""
        kept = [it.section for key, it in self._kept.items() if key[:2] == ("tools/list", server)]
        found = [safe_to_repeat(one.raw) for part in kept for one in part.items if one.key == tool]
        return bool(found) and all(found)

    def definition(self, server: str, method: str, key: str) -> Raw | None:
        """What a server lists under a name of its own, as last seen by anybody."""
        for kept_key, kept in reversed(self._kept.items()):
            if kept_key[:2] == (method, server) and kept.section.problem is None:
                return next((item.raw for item in kept.section.items if item.key == key), None)
        return None

    def neutral(self, method: str, call: Call) -> Face | None:
        """The list as a client without capabilities sees it, if the caller's own is not at hand.

        What such a client can call, this one can; so a call need not wait for every server to list
        its tools once more for yet another set of capabilities.
        """
        now = self._clock.monotonic()
        sight = self.sights.of(call)
        whose = None if self.sights.shared else call.principal.id
        # Fronts keep one ClientFacts for all calls of a stateless client.
        key = method, id(call.client), id(sight)
        kept = self._at_hand.get(key)
        if (
            kept is not None
            and kept.client is call.client
            and kept.edition == self.edition
            and now < kept.expires
            and kept.sight is sight
            and kept.principal == whose
        ):
            return kept.face
        return self._find_neutral(key, call, sight, whose, now)

    def _neutral_of_all(self, method: str, call: Call) -> Face | None:
        """As `neutral`, where everybody sees the same."""
        now = self._clock.monotonic()
        key = method, id(call.client), 0
        kept = self._at_hand.get(key)
        if (
            kept is not None
            and kept.client is call.client
            and kept.edition == self.edition
            and now < kept.expires
        ):
            return kept.face
        return self._find_neutral(key, call, self.sights.everything, None, now)

    def _find_neutral(
        self, key: tuple[str, int, int], call: Call, sight: Sight, whose: str | None, now: float
    ) -> Face | None:
        method, outlook = key[0], self.outlook(call, sight)
        made = self._faces.get((method, outlook))
        if (made is None or now >= made[0]) and outlook.session is None:
            made = self._faces.get((method, outlook._replace(capabilities="")))
        if made is None or now >= made[0]:
            return None
        if call.client.era == "modern":
            if len(self._at_hand) >= MOST_VIEWS:
                self._at_hand.clear()
            self._at_hand[key] = AtHand(call.client, sight, whose, self.edition, *made)
        return made[1]

    def route(self, method: str, call: Call, name: str) -> Target | None:
        """Where a call of this name goes, when only what other servers list has to be asked for.

        That is begun, and not waited for: a server in trouble must not hold up the calls of others.
        """
        sight = self.sights.of(call)
        outlook = self.outlook(call, sight)
        face = self._peek(method, sight, outlook)
        target = None if face is None else face.routes.get(name)
        if target is None or self._needs_fetch(
            (method, target.server, outlook.view(target.server))
        ):
            return None
        keys = self._keys(method, sight, outlook)
        asked = [self._fetch(key, call) for key in keys if self._needs_fetch(key)]
        return target if asked else None

    async def learn(self, server: str, call: Call, *, anew: bool = False) -> None:
        """Fetch every list of one server as `call`'s client sees it; `anew`: known ones as well."""
        for key, kept in self._kept.items():
            if anew and key[1] == server:
                kept.expires, kept.hard = 0.0, False
                for made in self._made_of(key):
                    self._faces[made] = (0.0, self._faces[made][1])
        view = self.view(server, call)
        keys = [(method, server, view) for method in LISTS]
        tasks = [self._fetch(key, call) for key in keys if anew or self._needs_fetch(key)]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.wait)

    async def face(self, method: str, call: Call) -> Face:
        """The list `method` as `call`'s client sees it."""
        sight = self.sights.of(call)
        outlook = self.outlook(call, sight)
        made = self._faces.get((method, outlook))
        if made is not None and self._clock.monotonic() < made[0]:
            return made[1]
        return await self._make(LISTS[method], sight, outlook, call)

    async def _make(self, entry: ListMethod, sight: Sight, outlook: Outlook, call: Call) -> Face:
        keys = self._keys(entry.method, sight, outlook)
        asked = {self._fetch(key, call): key for key in keys if self._needs_fetch(key)}
        if asked:
            grace = self._grace_until - self._clock.monotonic()
            _, late = await asyncio.wait(asked, timeout=max(self._settings.wait, grace))
            # By these tasks, not by what is being fetched: what was answered while another was
            # waited for may be asked for anew by now, and is no less an answer.
            self._stop_waiting_for(asked[task] for task in late)
        for key in keys:
            self._refresh_in_background(key, call)
        return self._assemble(entry, sight, outlook)

    def _assemble(self, entry: ListMethod, sight: Sight, outlook: Outlook) -> Face:
        keys = self._keys(entry.method, sight, outlook)
        kept = [self._kept[key] for key in keys if key in self._kept]
        face = self._merged(entry, sight, outlook, [one.section for one in kept])
        settled = len(kept) == len(keys) and not any(one.stale for one in kept)
        soonest = min((one.expires for one in kept), default=self._clock.monotonic() + _EMPTY)
        self._remember(entry.method, outlook, face, soonest if settled else 0.0)
        return face

    def _merged(
        self, entry: ListMethod, sight: Sight, outlook: Outlook, sections: Sequence[Section]
    ) -> Face:
        face = merge(
            entry,
            [shown(one, entry, sight) for one in sections if one.problem is None],
            sight.naming,
            modern=outlook.era == "modern",
            page_size=sight.page_size,
            endpoint=sight.endpoint,
            personal=sight.personal,
        )
        return msgspec.structs.replace(face, parts=tuple(sections))

    def _stop_waiting_for(self, keys: Iterable[_Key]) -> None:
        """What is still being fetched counts as absent, so that it delays nobody else."""
        expires = self._clock.monotonic() + self._settings.retry
        for key in keys:
            self._kept[key] = _Kept(slow(key[1], key[0], self._settings.retry), expires, hard=False)
        self._keep_within_bounds()

    def _keep_within_bounds(self) -> None:
        while len(self._kept) > MOST_VIEWS * len(LISTS):
            self._kept.popitem(last=False)

    def _remember(self, method: str, outlook: Outlook, face: Face, expires: float) -> None:
        self.edition += 1
        self._faces.pop((method, outlook), None)
        self._faces[method, outlook] = (expires, face)
        while len(self._faces) > MOST_VIEWS:
            self._faces.popitem(last=False)

    def _needs_fetch(self, key: _Key) -> bool:
        if self._closed:
            return False
        kept = self._kept.get(key)
        if kept is None or kept.stale:
            return True
        return kept.hard and self._clock.monotonic() >= kept.expires

    def _refresh_in_background(self, key: _Key, call: Call) -> None:
        kept = self._kept.get(key)
        if kept is None or kept.hard or self._closed or self._clock.monotonic() < kept.expires:
            return
        kept.expires = self._clock.monotonic() + self._settings.retry
        self._fetch(key, call)

    def _fetch(self, key: _Key, call: Call) -> asyncio.Task[Section]:
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch_section(key, call))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        return task

    def _fetched(self, key: _Key, task: asyncio.Task[Section]) -> None:
        self._fetching.pop(key, None)
        if task.cancelled():
            return
        method, server, _ = key
        error = task.exception()
        section = task.result() if error is None else broken(server, method, type(error).__name__)
        before = self._kept.pop(key, None)
        self._kept[key] = self._aged(section)
        self._kept[key].stale = key in self._overtaken
        self._overtaken.discard(key)
        self._keep_within_bounds()
        if before is None or before.section.items != section.items:
            # Whatever was made without it is no longer what callers see.
            for made in self._made_of(key):
                del self._faces[made]
            self.edition += 1
            if before is not None and not before.stale:
                self._on_change(LISTS[method].changed, server)

    def _aged(self, section: Section) -> _Kept:
        now = self._clock.monotonic()
        if section.problem is not None:
            return _Kept(section, now + self._settings.retry, hard=False)
        if section.ttl_ms:
            ttl = min(section.ttl_ms / 1000, self._settings.longest_ttl)
            return _Kept(section, now + ttl, hard=True)
        return _Kept(section, now + self._settings.refresh, hard=False)

    def _made_of(self, key: _Key) -> list[tuple[str, Outlook]]:
        """The faces that a section is a part of."""
        method, server, view = key
        return [made for made in self._faces if made[0] == method and made[1].view(server) == view]

    async def _fetch_section(self, key: _Key, caller: Call) -> Section:
        for _ in range(ATTEMPTS - 1):
            self._overtaken.discard(key)
            section, pages = await self._read_pages(key, caller)
            if pages == 1 or key not in self._overtaken:
                return section
            # The first pages are of the old list and the last ones of the new.
        section, _ = await self._read_pages(key, caller)
        return section

    async def _read_pages(self, key: _Key, caller: Call) -> tuple[Section, int]:
        """One server's list, and of how many pages it was."""
        method, server, view = key
        ask = Call(
            method=method,
            client=caller.client,
            # What everybody is told alike is asked for on nobody's behalf.
            principal=caller.principal if view.partition else ANONYMOUS,
            affinity=view.session,
        )
        most = self._settings.most.get(server, _MOST)
        return await read_list(self._sources[server], ask, most, self._settings.most_bytes)

    def changed(self, server: str, subject: str, session: str | None = None) -> None:
        """A server's lists of `subject` (tools, prompts, resources; state: all) have changed.

        `session`: only for the client of this session, as servers of the handshake era may; that
        client is told by the stream the news came on.
        """
        if session is not None and session not in self._own_lists:
            self._own_lists[session] = None
            while len(self._own_lists) > MOST_VIEWS:
                self._own_lists.popitem(last=False)
        self.edition += 1
        touched = {
            entry.method for entry in LISTS.values() if subject in ("state", entry.capability)
        }

        def concerned(key: _Key) -> bool:
            ours = session is None or key[2].session in (None, session)
            return key[1] == server and key[0] in touched and ours

        for key, kept in self._kept.items():
            kept.stale = kept.stale or concerned(key)
        self._overtaken |= {key for key in self._fetching if concerned(key)}
        for made in [made for made in self._faces if made[0] in touched]:
            self._faces[made] = (0.0, self._faces[made][1])
        if session is None:
            for notification in sorted({LISTS[method].changed for method in touched}):
                self._on_change(notification, server)

    def forget_session(self, session: str) -> None:
        """Drop what was kept for one client session."""
        if self._own_lists.pop(session, self) is self:
            return
        for key in [key for key in self._kept if key[2].session == session]:
            del self._kept[key]
        for key in [key for key in self._faces if key[1].session == session]:
            del self._faces[key]

    async def close(self) -> None:
        """Stop what is being fetched, and fetch nothing more."""
        self._closed = True
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
