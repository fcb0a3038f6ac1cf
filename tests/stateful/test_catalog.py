"""What servers list, against a model of which lists a caller may be shown at which moment.

The promise, for each caller and each server:

    | reading the list                  | the caller is shown                                     |
    |-----------------------------------|---------------------------------------------------------|
    | works                             | what the server has told last; no older than its TTL    |
    | fails or hangs, for less than     | what was read last                                      |
    | STALE since it was due            |                                                         |
    | fails or hangs for longer         | nothing, whatever the hanging was for                   |
    | fails after the server was down   | nothing                                                 |

A list is due when its TTL is over (without one: REFRESH), or when the server says that it changed.
One that nobody asked for in all that time is shown once more while it is read, for WAIT at most.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import NamedTuple
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from lockgate.core.message import Call, Failure, Principal, Reply, Result
from lockgate.core.raw import Raw
from lockgate.core.sight import Everything
from lockgate.gateway import faces, shelf
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.face import Face
from lockgate.gateway.kept import CatalogSettings
from lockgate.gateway.listing import LISTS
from lockgate.gateway.sights import Sights
from lockgate.testing import ManualClock
from tests.gateway.world import HANDSHAKE, MODERN, tool
from tests.stateful.timeless import Machine, bounded
from tests.support.credentials import Apart

TOOLS = "tools/list"
DOWN = Failure(-32603, "It is down.", "upstream", "server-unavailable")
BROKEN = Failure(-32603, "It cannot say.", "upstream", "upstream-error")
TTL = 2.0
REFRESH, RETRY, WAIT, STALE = 30.0, 5.0, 3.0, 40.0
MOST = 3  # views
NAMES = ("a", "b")
PER_PAGE, PAGES = 2, 2
SERVER = st.sampled_from(NAMES)
SESSIONS = ("s1", "s2")


Asker = tuple[str, str, str | None]


class Told(NamedTuple):
    """When something about a server's lists was told; `version` is None when it came back."""

    number: int
    time: float
    session: str | None
    version: int | None

    def concerns(self, session: str | None) -> bool:
        return self.session is None or session in (None, self.session)


class Reading(NamedTuple):
    """When the last whole reading of a list began, among all that happened, and when it ended."""

    number: int
    ended: float


class Server:
    """Lists of which every entry says whose list it is of and of which version."""

    def __init__(self, name: str, ttl: float | None, clock: ManualClock) -> None:
        self.name = name
        self.ttl = ttl
        self.clock = clock
        self.life = REFRESH if ttl is None else ttl
        self.counted = itertools.count()
        self.told: list[Told] = []
        self.gone = -1
        self.began: dict[Asker, tuple[int, float]] = {}
        self.readings: dict[Asker, Reading] = {}
        self.failed: set[Asker] = set()
        self.failing = False
        self.version = 0
        self.own: dict[str, int] = {}
        self.down = False
        self.gate: asyncio.Event | None = None
        self.from_page = 0
        self.asked: Counter[Asker] = Counter()

    def tell(self, session: str | None, version: int | None) -> None:
        told = Told(next(self.counted), self.clock.monotonic(), session, version)
        self.told.append(told)

    def of(self, who: str, session: str | None) -> str:
        if session in self.own:
            return f"{who}-{session}-{self.own[session]}"
        return f"{who}--{self.version}"

    async def send(self, call: Call) -> Reply:
        assert call.method == TOOLS
        asker = call.principal.id, call.client.era, call.affinity
        self.asked[asker] += 1
        assert self.asked[asker] == 1, "asked twice at the same time"
        number = int(call.params.get("cursor", "0"))
        if number == 0:
            self.began[asker] = next(self.counted), self.clock.monotonic()
        try:
            if self.gate is not None and not self.down and number >= self.from_page:
                await self.gate.wait()
            if self.down or self.failing:
                self.failed.add(asker)
                return DOWN if self.down else BROKEN
            if number + 1 == PAGES:
                self.failed.discard(asker)
                self.readings[asker] = Reading(self.began[asker][0], self.clock.monotonic())
            return self.page(call)
        finally:
            self.asked[asker] -= 1

    def due(self, asker: Asker) -> float:
        """When what this asker was told last ought to have been read anew."""
        read = self.readings[asker]
        later = [it.time for it in self.told if it.number > read.number and it.concerns(asker[2])]
        return min([read.ended + self.life, *later])

    def page(self, call: Call) -> Reply:
        number = int(call.params.get("cursor", "0"))
        list_of = self.of(call.principal.id, call.affinity)
        tools = [tool(f"{list_of}-{number}-{place}") for place in range(PER_PAGE)]
        more = {} if number + 1 == PAGES else {"nextCursor": str(number + 1)}
        hints = {} if self.ttl is None else {"ttlMs": int(self.ttl * 1000)}
        return Result(Raw.of({"tools": tools, **more, **hints}))


class Lists(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.patches = [mock.patch.object(one, "MOST_VIEWS", MOST) for one in (faces, shelf)]
        for patch in self.patches:
            patch.start()
        self.servers = {"a": Server("a", TTL, self.clock), "b": Server("b", None, self.clock)}
        self.announced: dict[str, dict[str | None, int]] = {name: {None: 0} for name in NAMES}
        self.history: list[tuple[float, str, int]] = []
        self.callers: list[asyncio.Task[None]] = []
        everything = Everything(servers=NAMES, naming="prefix", page_size=100)
        self.catalog = Catalog(
            self.servers.values(),
            CatalogSettings(wait=WAIT, refresh=REFRESH, retry=RETRY, stale=STALE, page_size=100),
            self.clock,
            sights=Sights(everything, credentials=dict.fromkeys(NAMES, Apart())),
        )

    # Servers.

    @rule(name=SERVER, said=st.booleans())
    def list_changes(self, name: str, said: bool) -> None:
        server = self.servers[name]
        server.version += 1
        # Nobody can tell that pages do not belong together when the server does not say so.
        said = said or server.asked.total() > 0
        self.history.append((self.clock.monotonic(), name, server.version))
        if said:
            self.announced[name][None] = server.version
            server.tell(None, server.version)
            self.inside(lambda: self.catalog.changed(name, "tools"))

    @rule(name=SERVER, down=st.booleans())
    def comes_or_goes(self, name: str, down: bool) -> None:
        server = self.servers[name]
        server.down = down
        server.tell(None, None)
        if down:
            server.gone = server.told[-1].number
        self.inside(lambda: self.catalog.changed(name, "state", gone=down))

    @rule(name=SERVER, failing=st.booleans())
    def fails_or_works(self, name: str, failing: bool) -> None:
        self.servers[name].failing = failing

    @rule(name=SERVER, from_page=st.integers(0, PAGES - 1))
    def hangs(self, name: str, from_page: int) -> None:
        server = self.servers[name]
        if server.gate is None:
            server.gate, server.from_page = asyncio.Event(), from_page

    @precondition(lambda self: any(one.gate for one in self.servers.values()))
    @rule(name=SERVER)
    def goes_on(self, name: str) -> None:
        gate, self.servers[name].gate = self.servers[name].gate, None
        if gate is not None:
            gate.set()
        self.loop.settle()
        self.look()

    @rule(seconds=st.sampled_from([0.5, TTL, RETRY + WAIT, REFRESH + 1, STALE - TTL]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        self.look()
        if seconds > WAIT:
            assert not self.callers, "a server that hangs holds callers up"

    @rule(
        name=SERVER,
        which=st.integers(0, 3),
        over=st.booleans(),
        by=st.sampled_from([-0.5, 0.0, 0.5]),
        calls=st.booleans(),
    )
    def a_list_comes_of_age(
        self, name: str, which: int, over: bool, by: float, calls: bool
    ) -> None:
        server = self.servers[name]
        dues = [server.due(asker) for asker in server.readings]
        if dues:
            due = dues[which % len(dues)] + (STALE if over else 0.0)
            self.time_passes(max(0.0, due + by - self.clock.monotonic()))
            self.ask("alice", None, calls=calls)

    # Callers.

    @rule(calls=st.booleans())
    def alice_asks(self, calls: bool) -> None:
        self.ask("alice", None, calls=calls)

    def ask(self, who: str, session: str | None, *, calls: bool = False) -> None:
        client = MODERN if session is None else HANDSHAKE
        call = Call(method=TOOLS, client=client, principal=Principal(id=who), affinity=session)
        least = {name: dict(self.announced[name]) for name in NAMES}
        fresh = [v for when, name, v in self.history if name == "a" and when < self.recently()]
        least["a"][None] = max([least["a"][None], *fresh])
        has_own = any(session in one.own for one in self.servers.values())
        asker = who, client.era, session if has_own else None
        at_hand = self.catalog.neutral(TOOLS, call)
        if at_hand is not None:
            self.judge(asker, session, least, at_hand)
        if calls:
            self.inside(lambda: self.call_by_what_is_known(call, asker, least))
            return
        self.callers.append(self.begin(self.wait_for(call, asker, least)))
        self.loop.settle()
        self.look()

    def call_by_what_is_known(
        self, call: Call, asker: Asker, least: dict[str, dict[str | None, int]]
    ) -> None:
        face = self.catalog.peek(TOOLS, call)
        for name in face.routes if face else ():
            if self.catalog.route(TOOLS, call, name) is not None:
                server, _, rest = name.partition("__")
                _, session, version = rest.split("-")[:3]
                judged = self.servers[server]
                self.judge_age(judged, asker, least[server], session or None, int(version))

    async def wait_for(
        self, call: Call, asker: Asker, least: dict[str, dict[str | None, int]]
    ) -> None:
        # Judged at once: what happens after the answer is nothing the answer could have known.
        self.judge(asker, call.affinity, least, await self.catalog.face(TOOLS, call))

    def recently(self) -> float:
        return self.clock.monotonic() - TTL

    def healthy(self) -> frozenset[str]:
        return frozenset(n for n, one in self.servers.items() if not one.down and not one.gate)

    def look(self) -> None:
        for caller in [one for one in self.callers if one.done()]:
            self.callers.remove(caller)
            caller.result()

    def judge(
        self, asker: Asker, own: str | None, at_least: dict[str, dict[str | None, int]], face: Face
    ) -> None:
        listed = face.pages[0].raw["tools"]
        assert [one["name"] for one in listed] == list(face.routes)
        lists: dict[str, list[list[str]]] = {}
        for one in listed:
            server, _, rest = one["name"].partition("__")
            lists.setdefault(server, []).append(rest.split("-"))
        assert list(lists) == sorted(lists), "not in the order of the configuration"
        for server, entries in lists.items():
            assert len({tuple(entry[:3]) for entry in entries}) == 1, "a mixture"
            places = [(str(page), str(place)) for page in range(PAGES) for place in range(PER_PAGE)]
            assert [(entry[3], entry[4]) for entry in entries] == places
            who, session, version = entries[0][:3]
            assert who == asker[0]
            assert session in ("", own)
            judged = self.servers[server]
            self.judge_age(judged, asker, at_least[server], session or None, int(version))
        for server in self.servers.values():
            if server.name not in lists:
                self.judge_absence(server, asker)

    def judge_age(
        self,
        server: Server,
        asker: Asker,
        least: dict[str | None, int],
        session: str | None,
        version: int,
    ) -> None:
        """A list that is shown is the newest, or cannot be read anew and is not too old."""
        who, era, own = asker
        readings = [server.readings.get(one) for one in (asker, (who, era, None))]
        assert max(it.number for it in readings if it) > server.gone, "of before it was down"
        now = self.clock.monotonic()
        if asker not in server.failed and not server.asked[asker]:
            assert session == own or own not in least, "not what it was told"
            assert version >= least.get(session, 0), "older than what was announced"
            return
        if own is not None:
            newer = [
                it.time
                for it in server.told
                if it.version is not None and it.session in (session, own)
                if it.session != session or it.version > version
            ]
            assert now < min(newer, default=now) + STALE, "known to be outdated for too long"
            return
        _, began = server.began[asker]
        # When nobody has asked for long it is shown while it is read.
        once_more = server.ttl is None and asker not in server.failed and now < began + WAIT
        assert once_more or now < server.due(asker) + STALE, "too old"

    def judge_absence(self, server: Server, asker: Asker) -> None:
        """A list that was read is shown, while it is not too old and the server was not down."""
        if sum(len(one.asked) for one in self.servers.values()) > MOST * len(LISTS):
            return  # something else may have taken its place
        read = server.readings.get(asker)
        if read is not None and read.number > server.gone:
            assert asker in server.failed or server.asked[asker], "left out without a reason"
            assert self.clock.monotonic() >= server.due(asker) + STALE, "left out too early"

    # What must be so.

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        catalog = self.catalog
        assert len(catalog._faces) <= MOST
        assert len(catalog.hands._held) <= MOST
        assert len(catalog._kept) <= MOST * len(LISTS)
        assert catalog._reads._overtaken.keys() <= catalog._reads._tasks.keys()

    @invariant()
    def nobody_waits_for_a_server_that_answers(self) -> None:
        if len(self.healthy()) == len(NAMES):
            assert not self.callers

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()
        super().teardown()

    async def end(self) -> None:
        await self.catalog.close()
        await asyncio.gather(*self.callers, return_exceptions=True)
        assert not self.catalog._reads._tasks


class ListsOfMany(Lists):
    """The same with several callers, of whom some have lists of their own."""

    @rule(name=SERVER, session=st.sampled_from(SESSIONS))
    def list_changes_for_one(self, name: str, session: str) -> None:
        server = self.servers[name]
        server.own[session] = server.own.get(session, 0) + 1
        self.announced[name][session] = server.own[session]
        server.tell(session, server.own[session])
        self.inside(lambda: self.catalog.changed(name, "tools", session))

    @rule(
        who=st.sampled_from(["alice", "bob"]),
        session=st.sampled_from([None, *SESSIONS]),
    )
    def somebody_asks(self, who: str, session: str | None) -> None:
        self.ask(who, session)


TestLists = Lists.TestCase
TestLists.settings = bounded(300, 40)
TestListsOfMany = ListsOfMany.TestCase
TestListsOfMany.settings = bounded(300, 40)
