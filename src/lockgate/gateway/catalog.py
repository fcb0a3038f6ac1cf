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
from collections.abc import Callable, Collection, Iterable
from copy import copy

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import Call, Failure, Target
from lockgate.core.policy import Observe
from lockgate.core.sight import Everything, Sight
from lockgate.gateway.absent import slow
from lockgate.gateway.face import Face
from lockgate.gateway.faces import Faces
from lockgate.gateway.guarding import NO_GUARD, Guard
from lockgate.gateway.kept import GONE, CatalogSettings, Kept, read, unread
from lockgate.gateway.listing import LISTS, ListMethod, Section
from lockgate.gateway.reading import Source
from lockgate.gateway.reads import Reads
from lockgate.gateway.shelf import Key
from lockgate.gateway.sights import Sights
from lockgate.gateway.unread import ListNews, ListTrouble
from lockgate.gateway.views import Outlook


class Catalog(Faces):
    """The lists of all servers, read when they are needed."""

    def __init__(
        self,
        sources: Iterable[Source],
        settings: CatalogSettings,
        clock: Clock,
        on_change: Callable[[str, str], None] = lambda _method, _server: None,
        by_capabilities: Callable[[], bool] = lambda: False,
        observe: Observe = lambda _call, _decision: None,
        sights: Sights | None = None,
        guard: Guard = NO_GUARD,
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
            guard: what keeps some of it from everybody.
        """
        sources = tuple(sources)
        servers = tuple(source.name for source in sources)
        everything = Everything(
            servers=servers, naming=settings.naming, page_size=settings.page_size
        )
        super().__init__(
            servers, settings, clock, sights or Sights(everything), by_capabilities, guard
        )
        self._on_change = on_change
        self.on_learned: Callable[[], None] = lambda: None
        """Told when a list is known now that was not, or not so, and is not one caller's own."""
        self._news = ListNews(observe)
        self._reads = Reads(sources, settings, self._done, self._study)
        self._grace_until = 0.0
        self._closed = False

    def inherit(self, before: Catalog, servers: Collection[str]) -> None:
        """Take over what `before` knows of these servers, where nothing is known here yet.

        A list that may have another length by now is asked for anew.
        """
        kept = {name for name in servers if self._settings.most.get(name) == before._most_of(name)}
        for key, one in before._kept.items():
            if key[1] in kept and key not in self._kept:
                self._kept[key] = copy(one)
        self._let_go_of_oldest()
        self.shaping.inherit(before.shaping)
        self.relearn(kept)
        self._news.inherit(before._news, kept)
        for session, since in before._own_lists.items():
            self._own_lists.setdefault(session, since)
        self.hands.drop()
        self.on_learned()

    async def _study(self, section: Section) -> None:
        await self._guard.study(section)
        await self.shaping.study(section)

    def _most_of(self, server: str) -> tuple[int, int] | None:
        return self._settings.most.get(server)

    def wait_for_start(self, seconds: float) -> None:
        """Until this many seconds from now, lists wait for servers that are still starting."""
        self._grace_until = self._clock.monotonic() + seconds

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
        asked = [self._reads.read(key, call) for key in keys if self._needs_fetch(key)]
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
        tasks = [self._reads.read(key, call) for key in keys if anew or self._needs_fetch(key)]
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
        asked = {self._reads.read(key, call): key for key in keys if self._needs_fetch(key)}
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
        if kept.section.problem is None:
            self._guard.learned(LISTS[method], kept.section, key[2])
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
            self.hands.drop()
            if not key[2].partition and key[2].session is None:
                self.on_learned()
            if changed and before is not None and not before.stale:
                self._on_change(LISTS[method].changed, server)

    def troubles(self, server: str) -> tuple[ListTrouble, ...]:
        """The lists of a server that somebody could not be shown as they are now."""
        now = self._clock.monotonic()
        return self._news.troubles(server, self._kept, self._settings.stale, now)

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
        if kept.late is None and not kept.stale and key not in self._reads:
            kept.until = now + self._settings.wait
        kept.expires = now + self._settings.retry
        self._reads.read(key, call)

    def _done(self, key: Key, section: Section, call: Call, overtaken: float | None) -> None:
        if section.problem is None:
            self._keep(key, read(section, self._clock.monotonic(), self._settings), call)
        else:
            self._could_not_read(key, section.problem, call)
        if overtaken is not None:
            self._kept[key].outdated(overtaken)

    def changed(
        self, server: str, subject: str, session: str | None = None, *, gone: bool = False
    ) -> None:
        """A server's lists of `subject` (tools, prompts, resources; state: all) have changed.

        `session`: only for the client of this session, as servers of the handshake era may; that
        client is told by the stream the news came on. `gone`: the server is down.
        """
        if session is not None:
            self._has_own_lists(session)
        self.hands.drop()
        touched = {
            entry.method for entry in LISTS.values() if subject in ("state", entry.capability)
        }

        def concerned(key: Key) -> bool:
            ours = session is None or key[2].session in (None, session)
            return key[1] == server and key[0] in touched and ours

        due = GONE if gone else self._clock.monotonic()
        for key in filter(concerned, self._kept):
            self._kept[key].outdated(due)
        self._reads.overtake(concerned, due)
        self._age([made for made in self._faces if made[0] in touched])
        if session is None:
            for notification in sorted({LISTS[method].changed for method in touched}):
                self._on_change(notification, server)

    def relearn(self, servers: Collection[str] | None = None) -> None:
        """Have the guard look at all lists again that are known; None: of every server."""
        for (method, server, view), kept in self._kept.items():
            if kept.section.problem is None and (servers is None or server in servers):
                self._guard.learned(LISTS[method], kept.section, view)

    def reconsider(self, servers: Collection[str]) -> None:
        """The guard judges otherwise now what these servers list."""
        self.relearn(servers)
        touched = self.remake(servers)
        for notification in sorted({LISTS[method].changed for method in touched}):
            for server in servers:
                self._on_change(notification, server)

    async def close(self) -> None:
        """Stop what is being fetched, and fetch nothing more."""
        self._closed = True
        await self._reads.close()
