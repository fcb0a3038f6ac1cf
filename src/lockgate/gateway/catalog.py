"""What every server lists, fetched once, kept while it holds, and merged into faces.

Must not know: fronts, config files, how a server is reached.

Lists are never fetched per request. A section is asked for when a view first needs it; after that
a notification, a server coming or going, or its age makes it stale:

    | what the server said              | then                                             |
    |-----------------------------------|--------------------------------------------------|
    | list_changed                      | asked again before the next answer               |
    | `ttlMs` above zero, now over      | asked again before the next answer               |
    | no `ttlMs`, older than `refresh`  | answered as it is, asked again in the background |
    | it failed                         | what was read last; asked again after `retry`    |

How long what was read last is believed is in `lockgate.gateway.kept`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from copy import copy
from itertools import product
from typing import Final

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import ANONYMOUS, Call, Era, Failure, Target
from lockgate.core.policy import Observe
from lockgate.core.sight import Everything, Sight
from lockgate.gateway.absent import broken, slow
from lockgate.gateway.face import Face, merge, shown
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.kept import GONE, CatalogSettings, Kept, read, unread
from lockgate.gateway.listing import LISTS, ListMethod, Section
from lockgate.gateway.reading import Source, read_pages
from lockgate.gateway.shelf import MOST_VIEWS, Key, Shelf
from lockgate.gateway.sights import Sights
from lockgate.gateway.unread import ListNews, ListTrouble, Unread
from lockgate.gateway.views import AtHand, Outlook, View

_MOST: Final = (10_000, 200)
_EMPTY: Final = 60.0  # seconds a list that no server is asked for is kept
ATTEMPTS: Final = 3
"""How often a list of several pages is read when it changes meanwhile; then it is taken so."""


class Catalog(Shelf):
    """Sections of all servers, and faces for all who see them."""

    def __init__(
        self,
        sources: Iterable[Source],
        settings: CatalogSettings,
        clock: Clock,
        on_change: Callable[[str, str], None] = lambda _method, _server: None,
        by_capabilities: Callable[[], bool] = lambda: False,
        observe: Observe = lambda _call, _decision: None,
        sights: Sights | None = None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            sources: the servers, in configuration order.
            settings: bounds and ages.
            clock: what ages are measured by.
            on_change: told (notification method, server) when a list has changed.
            by_capabilities: whether some server stateless clients reach may list by capabilities.
            observe: told of every list that could not be read.
            sights: what callers see; None: all of it.
        """
        super().__init__()
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
        self._news = ListNews(observe)
        self._fetching: dict[Key, asyncio.Task[Section]] = {}
        self._faces: OrderedDict[tuple[str, Outlook], tuple[float, Face]] = OrderedDict()
        self._overtaken: dict[Key, float] = {}
        self._own_lists: OrderedDict[str, float] = OrderedDict()
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
        self._let_go_of_oldest()
        self._news.inherit(before._news, kept)
        for session, since in before._own_lists.items():
            self._own_lists.setdefault(session, since)
        self.edition += 1

    def _most_of(self, server: str) -> tuple[int, int] | None:
        return self._settings.most.get(server)

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
            if any((method, name, outlook.view(name)) in self._kept for name in self._sources):
                self._assemble(LISTS[method], sight, outlook)
        return self.seen()

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
            (method, name, outlook.view(name)) for name in sight.servers if name in self._sources
        ]

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
        if target is None:
            return None
        key = method, target.server, outlook.view(target.server)
        self._refresh_in_background(key, call)
        if self._needs_fetch(key) or self._over(key):
            return None
        keys = self._keys(method, sight, outlook)
        asked = [self._fetch(key, call) for key in keys if self._needs_fetch(key)]
        return target if asked else None

    async def learn(self, server: str, call: Call, *, anew: bool = False) -> None:
        """Fetch every list of one server as `call`'s client sees it; `anew`: known ones as well."""
        now = self._clock.monotonic()
        for key, kept in self._kept.items():
            if anew and key[1] == server:
                kept.expires, kept.hard, kept.due = 0.0, False, min(kept.due, now)
                self._age(self._made_of(key))
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
            self._stop_waiting_for((asked[task] for task in late), call)
        for key in keys:
            self._refresh_in_background(key, call)
            if self._over(key):
                self._could_not_read(key, self._kept[key].late, call)
        return self._assemble(entry, sight, outlook)

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
        face = merge(
            entry,
            [shown(one, entry, sight) for one in sections],
            sight.naming,
            modern=outlook.era == "modern",
            page_size=sight.page_size,
            endpoint=sight.endpoint,
            personal=sight.personal,
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

    def _stop_waiting_for(self, keys: Iterable[Key], call: Call) -> None:
        """What is still being fetched counts as not to be read, so that it delays nobody else."""
        for key in keys:
            self._could_not_read(key, None, call)

    def _could_not_read(self, key: Key, why: Failure | None, call: Call) -> None:
        """`why` is None when it is still being read."""
        method, server, _ = key
        why = why or slow(server, method, self._settings.retry)
        before = self._kept.get(key) or self._everyones(key)
        self._keep(key, unread(server, why, before, self._clock.monotonic(), self._settings), call)

    def _everyones(self, key: Key) -> Kept | None:
        """What a client session was shown before the server had a list for it alone."""
        method, server, view = key
        kept = self._kept.get((method, server, view._replace(session=None)))
        since = self._own_lists.get(view.session or "", GONE)
        return None if kept is None else msgspec.structs.replace(kept, due=min(kept.due, since))

    def _keep(self, key: Key, kept: Kept, call: Call) -> None:
        method, server, _ = key
        before = self._kept.pop(key, None)
        self._kept[key] = kept
        self._let_go_of_oldest()
        now = self._clock.monotonic()
        self._news.note(call, key, self._kept, kept.over(self._settings.stale) - now, now)
        changed = before is None or before.section.items != kept.section.items
        if before is None or changed or before.problem is not kept.problem:
            # Whatever was made without it is no longer what callers see.
            for made in self._made_of(key):
                del self._faces[made]
            self.edition += 1
            if changed and before is not None and not before.stale:
                self._on_change(LISTS[method].changed, server)

    def troubles(self, server: str) -> tuple[ListTrouble, ...]:
        """The lists of a server that somebody could not be shown as they are now."""
        now = self._clock.monotonic()
        return self._news.troubles(server, self._kept, self._settings.stale, now)

    def unread(self, method: str, call: Call) -> list[Unread]:
        """The servers of which the caller's list is not as it is now, or is not there at all."""
        sight, now = self.sights.of(call), self._clock.monotonic()
        keys = self._keys(method, sight, self.outlook(call, sight))
        return [
            Unread(key[1], one.problem, max(0.0, one.expires - now), one.last)
            for key, one in ((key, self._kept.get(key)) for key in keys)
            if one is not None and one.problem is not None
        ]

    def _remember(self, method: str, outlook: Outlook, face: Face, expires: float) -> None:
        self.edition += 1
        self._faces.pop((method, outlook), None)
        self._faces[method, outlook] = (expires, face)
        while len(self._faces) > MOST_VIEWS:
            self._faces.popitem(last=False)

    def _needs_fetch(self, key: Key) -> bool:
        if self._closed:
            return False
        kept = self._kept.get(key)
        if kept is None or kept.stale:
            return True
        return kept.hard and self._clock.monotonic() >= kept.expires

    def _refresh_in_background(self, key: Key, call: Call) -> None:
        kept = self._kept.get(key)
        if kept is None or kept.hard or self._closed or self._clock.monotonic() < kept.expires:
            return
        now = self._clock.monotonic()
        if kept.late is None and not kept.stale and key not in self._fetching:
            kept.until = now + self._settings.wait
        kept.expires = now + self._settings.retry
        self._fetch(key, call)

    def _fetch(self, key: Key, call: Call) -> asyncio.Task[Section]:
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch_section(key, call))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done, call))
        return task

    def _fetched(self, key: Key, task: asyncio.Task[Section], call: Call) -> None:
        self._fetching.pop(key, None)
        overtaken = self._overtaken.pop(key, None)
        if task.cancelled():
            return
        method, server, _ = key
        error = task.exception()
        section = task.result() if error is None else broken(server, method, type(error).__name__)
        now = self._clock.monotonic()
        if section.problem is None:
            self._keep(key, read(section, now, self._settings), call)
        else:
            self._could_not_read(key, section.problem, call)
        if overtaken is not None:
            self._kept[key].outdated(overtaken)

    def _made_of(self, key: Key) -> list[tuple[str, Outlook]]:
        """The faces that a section is a part of."""
        method, server, view = key
        return [made for made in self._faces if made[0] == method and made[1].view(server) == view]

    def _age(self, faces: Iterable[tuple[str, Outlook]]) -> None:
        for made in faces:
            self._faces[made] = (0.0, self._faces[made][1])

    async def _fetch_section(self, key: Key, caller: Call) -> Section:
        for _ in range(ATTEMPTS - 1):
            section, pages = await self._read_pages(key, caller)
            if pages == 1 or key not in self._overtaken:
                return section
            # The first pages are of the old list and the last ones of the new.
        section, _ = await self._read_pages(key, caller)
        return section

    def _read_pages(self, key: Key, caller: Call) -> Awaitable[tuple[Section, int]]:
        method, server, view = key
        self._overtaken.pop(key, None)
        return read_pages(
            server,
            self._sources[server].send,
            LISTS[method],
            Call(
                method=method,
                client=caller.client,
                # What everybody is told alike is asked for on nobody's behalf.
                principal=caller.principal if view.partition else ANONYMOUS,
                affinity=view.session,
            ),
            most=self._settings.most.get(server, _MOST),
            most_bytes=self._settings.most_bytes,
        )

    def changed(
        self, server: str, subject: str, session: str | None = None, *, gone: bool = False
    ) -> None:
        """A server's lists of `subject` (tools, prompts, resources; state: all) have changed.

        `session`: only for the client of this session, as servers of the handshake era may; that
        client is told by the stream the news came on. `gone`: the server is down.
        """
        if session is not None and session not in self._own_lists:
            self._own_lists[session] = self._clock.monotonic()
            while len(self._own_lists) > MOST_VIEWS:
                self._own_lists.popitem(last=False)
        self.edition += 1
        touched = {
            entry.method for entry in LISTS.values() if subject in ("state", entry.capability)
        }

        def concerned(key: Key) -> bool:
            ours = session is None or key[2].session in (None, session)
            return key[1] == server and key[0] in touched and ours

        due = GONE if gone else self._clock.monotonic()
        for key in filter(concerned, self._kept):
            self._kept[key].outdated(due)
        for key in filter(concerned, self._fetching):
            self._overtaken[key] = min(due, self._overtaken.get(key, due))
        self._age([made for made in self._faces if made[0] in touched])
        if session is None:
            for notification in sorted({LISTS[method].changed for method in touched}):
                self._on_change(notification, server)

    def forget_session(self, session: str) -> None:
        """Drop what was kept for one client session."""
        if self._own_lists.pop(session, None) is None:
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
