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
from typing import Final, Protocol

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import Call, Era, Failure, Reply, Target
from lockgate.core.names import Naming
from lockgate.core.policy import Observe
from lockgate.core.raw import Raw
from lockgate.gateway.absent import broken, slow
from lockgate.gateway.face import Face, merge
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.kept import GONE, CatalogSettings, Kept, read, unread
from lockgate.gateway.listing import LISTS, ListMethod, Section, safe_to_repeat
from lockgate.gateway.reading import read_pages
from lockgate.gateway.unread import ListNews, ListTrouble, Unread
from lockgate.gateway.views import AtHand, View

MOST_VIEWS: Final = 1024
_MOST: Final = (10_000, 200)
ATTEMPTS: Final = 3
"""How often a list of several pages is read when it changes meanwhile; then it is taken so."""


class Source(Protocol):
    """A server, as far as the catalog needs one."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        ...

    async def send(self, call: Call, /) -> Reply:
        """Ask it."""
        ...


_Key = tuple[str, str, View]


class Catalog:
    """Sections and faces of all servers behind one endpoint."""

    def __init__(
        self,
        sources: Iterable[Source],
        settings: CatalogSettings,
        clock: Clock,
        on_change: Callable[[str, str], None] = lambda _method, _server: None,
        by_capabilities: Callable[[], bool] = lambda: False,
        observe: Observe = lambda _call, _decision: None,
    ) -> None:
        """Nothing is fetched yet.

        Args:
            sources: the servers, in configuration order.
            settings: bounds and ages.
            clock: what ages are measured by.
            on_change: told (notification method, server) when a list has changed.
            by_capabilities: whether some server stateless clients reach may list by capabilities.
            observe: told of every list that could not be read.
        """
        self._sources = {source.name: source for source in sources}
        self._settings = settings
        self._clock = clock
        self._on_change = on_change
        self._by_capabilities = by_capabilities
        self._news = ListNews(observe)
        self._kept: OrderedDict[_Key, Kept] = OrderedDict()
        self._fetching: dict[_Key, asyncio.Task[Section]] = {}
        self._faces: OrderedDict[tuple[str, View], tuple[float, Face]] = OrderedDict()
        self._overtaken: dict[_Key, float] = {}
        self._own_lists: OrderedDict[str, float] = OrderedDict()
        self._grace_until = 0.0
        self._closed = False
        self._at_hand: dict[tuple[str, int], AtHand] = {}
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
        self._news.inherit(before._news, kept)
        for session, since in before._own_lists.items():
            self._own_lists.setdefault(session, since)
        self.edition += 1

    @property
    def naming(self) -> Naming:
        """How names are spelled."""
        return self._settings.naming

    def _most_of(self, server: str) -> tuple[int, int] | None:
        return self._settings.most.get(server)

    def seen(self) -> dict[tuple[str, Era], str | None]:
        """The digest of each list as the gateway's own clients saw it last, by (method, era)."""
        found: dict[tuple[str, Era], str | None] = {}
        for method, (era, client) in product(LISTS, OWN_CLIENT.items()):
            face = self.peek(method, self.view(Call(method=method, client=client)))
            found[method, era] = None if face is None else face.digest
        return found

    def prepared(self) -> dict[tuple[str, Era], str | None]:
        """As `seen`, once what is known has been made into lists that calls are routed by."""
        for method, client in product(LISTS, OWN_CLIENT.values()):
            view = self.view(Call(method=method, client=client))
            if any((method, name, view) in self._kept for name in self._sources):
                self._assemble(LISTS[method], view)
        return self.seen()

    def wait_for_start(self, seconds: float) -> None:
        """Until this many seconds from now, lists wait for servers that are still starting."""
        self._grace_until = self._clock.monotonic() + seconds

    def view(self, call: Call) -> View:
        """The view a call's client has."""
        if call.client.era == "modern":
            # Stateless servers list alike for all of a principal's clients; others may not.
            key = call.client.capabilities_key if self._by_capabilities() else ""
            return View(call.principal.id, "modern", key)
        own = call.affinity if call.affinity in self._own_lists else None
        return View(call.principal.id, "handshake", call.client.capabilities_key, own)

    def peek(self, method: str, view: View) -> Face | None:
        """The face as it was last made, however old, or what is known makes one; None: nothing."""
        made = self._faces.get((method, view))
        if made is not None:
            return made[1]
        keys = [(method, name, view) for name in self._sources]
        sections = [self._kept[key].section for key in keys if key in self._kept]
        if not sections:
            return None
        face = self._merged(LISTS[method], view, sections)
        self._remember(method, view, face, 0.0)
        return face

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
        # Fronts keep one ClientFacts for all calls of a stateless client.
        key = method, id(call.client)
        kept = self._at_hand.get(key)
        if (
            kept is not None
            and kept.client is call.client
            and kept.edition == self.edition
            and now < kept.expires
            and kept.principal == call.principal.id
        ):
            return kept.face
        made = self._neutral(method, call, now)
        if made is None:
            return None
        if call.client.era == "modern":
            if len(self._at_hand) >= MOST_VIEWS:
                self._at_hand.clear()
            self._at_hand[key] = AtHand(call.client, call.principal.id, self.edition, *made)
        return made[1]

    def _neutral(self, method: str, call: Call, now: float) -> tuple[float, Face] | None:
        view = self.view(call)
        made = self._faces.get((method, view))
        if (made is None or now >= made[0]) and view.session is None:
            made = self._faces.get((method, view._replace(capabilities="")))
        return made if made is not None and now < made[0] else None

    def route(self, method: str, call: Call, name: str) -> Target | None:
        """Where a call of this name goes, when only what other servers list has to be asked for.

        That is begun, and not waited for: a server in trouble must not hold up the calls of others.
        """
        view = self.view(call)
        face = self.peek(method, view)
        target = None if face is None else face.routes.get(name)
        if target is None:
            return None
        key = method, target.server, view
        self._refresh_in_background(key, call)
        if self._needs_fetch(key) or self._over(key):
            return None
        keys = [(method, server, view) for server in self._sources]
        asked = [self._fetch(key, call) for key in keys if self._needs_fetch(key)]
        return target if asked else None

    async def learn(self, server: str, call: Call, *, anew: bool = False) -> None:
        """Fetch every list of one server as `call`'s client sees it; `anew`: known ones as well."""
        now = self._clock.monotonic()
        for key, kept in self._kept.items():
            if anew and key[1] == server:
                kept.expires, kept.hard, kept.due = 0.0, False, min(kept.due, now)
                self._age_face(key[0], key[2])
        view = self.view(call)
        keys = [(method, server, view) for method in LISTS]
        tasks = [self._fetch(key, call) for key in keys if anew or self._needs_fetch(key)]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.wait)

    async def face(self, method: str, call: Call) -> Face:
        """The list `method` as `call`'s client sees it."""
        view = self.view(call)
        made = self._faces.get((method, view))
        if made is not None and self._clock.monotonic() < made[0]:
            return made[1]
        return await self._make(LISTS[method], view, call)

    async def _make(self, entry: ListMethod, view: View, call: Call) -> Face:
        keys = {name: (entry.method, name, view) for name in self._sources}
        needed = [key for key in keys.values() if self._needs_fetch(key)]
        asked = {self._fetch(key, call): key for key in needed}
        if asked:
            grace = self._grace_until - self._clock.monotonic()
            _, late = await asyncio.wait(asked, timeout=max(self._settings.wait, grace))
            # By these tasks, not by what is being fetched: what was answered while another was
            # waited for may be asked for anew by now, and is no less an answer.
            self._stop_waiting_for((asked[task] for task in late), call)
        for key in keys.values():
            self._refresh_in_background(key, call)
            if self._over(key):
                self._could_not_read(key, self._kept[key].late, call)
        return self._assemble(entry, view)

    def _assemble(self, entry: ListMethod, view: View) -> Face:
        keys = [(entry.method, name, view) for name in self._sources]
        kept = [self._kept[key] for key in keys if key in self._kept]
        face = self._merged(entry, view, [one.section for one in kept])
        settled = len(kept) == len(self._sources) and not any(one.stale for one in kept)
        expires = min((self._holds(one) for one in kept), default=0.0) if settled else 0.0
        self._remember(entry.method, view, face, expires)
        return face

    def _merged(self, entry: ListMethod, view: View, sections: Sequence[Section]) -> Face:
        face = merge(
            entry,
            [section for section in sections if section.problem is None],
            self._settings.naming,
            modern=view.era == "modern",
            page_size=self._settings.page_size,
        )
        return msgspec.structs.replace(face, parts=tuple(sections))

    def _holds(self, kept: Kept) -> float:
        shown = kept.section.problem is None
        return min(kept.expires, kept.over(self._settings.stale)) if shown else kept.expires

    def _over(self, key: _Key) -> bool:
        """Whether a list is shown that is no longer to be believed."""
        kept = self._kept.get(key)
        if kept is None or kept.section.problem is not None:
            return False
        return self._clock.monotonic() >= kept.over(self._settings.stale)

    def _stop_waiting_for(self, keys: Iterable[_Key], call: Call) -> None:
        """What is still being fetched counts as not to be read, so that it delays nobody else."""
        for key in keys:
            self._could_not_read(key, None, call)

    def _could_not_read(self, key: _Key, why: Failure | None, call: Call) -> None:
        """`why` is None when it is still being read."""
        method, server, _ = key
        why = why or slow(server, method, self._settings.retry)
        before = self._kept.get(key) or self._everyones(key)
        self._keep(key, unread(server, why, before, self._clock.monotonic(), self._settings), call)

    def _everyones(self, key: _Key) -> Kept | None:
        """What a client session was shown before the server had a list for it alone."""
        method, server, view = key
        kept = self._kept.get((method, server, view._replace(session=None)))
        since = self._own_lists.get(view.session or "", GONE)
        return None if kept is None else msgspec.structs.replace(kept, due=min(kept.due, since))

    def _keep(self, key: _Key, kept: Kept, call: Call) -> None:
        method, server, view = key
        before = self._kept.pop(key, None)
        self._kept[key] = kept
        self._keep_within_bounds()
        now = self._clock.monotonic()
        self._news.note(call, key, self._kept, kept.over(self._settings.stale) - now, now)
        changed = before is None or before.section.items != kept.section.items
        if before is None or changed or before.problem is not kept.problem:
            # Whatever was made without it is no longer what callers see.
            self._faces.pop((method, view), None)
            self.edition += 1
            if changed and before is not None and not before.stale:
                self._on_change(LISTS[method].changed, server)

    def troubles(self, server: str) -> tuple[ListTrouble, ...]:
        """The lists of a server that somebody could not be shown as they are now."""
        now = self._clock.monotonic()
        return self._news.troubles(server, self._kept, self._settings.stale, now)

    def unread(self, method: str, call: Call) -> list[Unread]:
        """The servers of which the caller's list is not as it is now, or is not there at all."""
        view, now = self.view(call), self._clock.monotonic()
        kept = {name: self._kept.get((method, name, view)) for name in self._sources}
        return [
            Unread(name, one.problem, max(0.0, one.expires - now), one.last)
            for name, one in kept.items()
            if one is not None and one.problem is not None
        ]

    def _keep_within_bounds(self) -> None:
        while len(self._kept) > MOST_VIEWS * len(LISTS):
            self._kept.popitem(last=False)

    def _remember(self, method: str, view: View, face: Face, expires: float) -> None:
        self.edition += 1
        self._faces.pop((method, view), None)
        self._faces[method, view] = (expires, face)
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
        now = self._clock.monotonic()
        if kept.late is None and key not in self._fetching:
            kept.until = now + self._settings.wait
        kept.expires = now + self._settings.retry
        self._fetch(key, call)

    def _fetch(self, key: _Key, call: Call) -> asyncio.Task[Section]:
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch_section(key, call))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done, call))
        return task

    def _fetched(self, key: _Key, task: asyncio.Task[Section], call: Call) -> None:
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

    def _age_face(self, method: str, view: View) -> None:
        made = self._faces.get((method, view))
        if made is not None:
            self._faces[method, view] = (0.0, made[1])

    async def _fetch_section(self, key: _Key, caller: Call) -> Section:
        for _ in range(ATTEMPTS - 1):
            section, pages = await self._read_pages(key, caller)
            if pages == 1 or key not in self._overtaken:
                return section
            # The first pages are of the old list and the last ones of the new.
        section, _ = await self._read_pages(key, caller)
        return section

    def _read_pages(self, key: _Key, caller: Call) -> Awaitable[tuple[Section, int]]:
        method, server, view = key
        self._overtaken.pop(key, None)
        return read_pages(
            server,
            self._sources[server].send,
            LISTS[method],
            Call(
                method=method,
                client=caller.client,
                principal=caller.principal,
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

        def concerned(key: _Key) -> bool:
            ours = session is None or key[2].session in (None, session)
            return key[1] == server and key[0] in touched and ours

        due = GONE if gone else self._clock.monotonic()
        for key in filter(concerned, self._kept):
            self._kept[key].outdated(due)
        for key in filter(concerned, self._fetching):
            self._overtaken[key] = min(due, self._overtaken.get(key, due))
        for method, view in list(self._faces):
            if method in touched:
                self._age_face(method, view)
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
