"""What servers list, against a model of which lists a caller may be shown at which moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from lockgate.core.message import Call, Failure, Principal, Reply, Result
from lockgate.core.raw import Raw
from lockgate.gateway import catalog as module
from lockgate.gateway.catalog import Catalog, CatalogSettings
from lockgate.gateway.face import Face
from lockgate.gateway.listing import LISTS
from tests.gateway.world import HANDSHAKE, MODERN, tool
from tests.stateful.timeless import Machine, bounded

TOOLS = "tools/list"
DOWN = Failure(-32603, "It is down.", "upstream", "upstream-lost")
TTL = 2.0
REFRESH, RETRY, WAIT = 30.0, 5.0, 5.0
MOST = 3  # views
NAMES = ("a", "b")
PER_PAGE, PAGES = 2, 2
SERVER = st.sampled_from(NAMES)
SESSIONS = ("s1", "s2")


class Server:
    """Lists of which every entry says whose list it is of and of which version."""

    def __init__(self, name: str, ttl: float | None) -> None:
        self.name = name
        self.ttl = ttl
        self.version = 0
        self.own: dict[str, int] = {}
        self.down = False
        self.gate: asyncio.Event | None = None
        self.from_page = 0
        self.asked: Counter[tuple[str, str, str | None]] = Counter()

    def of(self, who: str, session: str | None) -> str:
        if session in self.own:
            return f"{who}-{session}-{self.own[session]}"
        return f"{who}--{self.version}"

    async def send(self, call: Call) -> Reply:
        assert call.method == TOOLS
        asker = call.principal.id, call.client.era, call.affinity
        self.asked[asker] += 1
        assert self.asked[asker] == 1, "asked twice at the same time"
        try:
            if self.gate is not None and int(call.params.get("cursor", "0")) >= self.from_page:
                await self.gate.wait()
            return DOWN if self.down else self.page(call)
        finally:
            self.asked[asker] -= 1

    def page(self, call: Call) -> Reply:
        number = int(call.params.get("cursor", "0"))
        list_of = self.of(call.principal.id, call.affinity)
        tools = [tool(f"{list_of}-{number}-{place}") for place in range(PER_PAGE)]
        more = {} if number + 1 == PAGES else {"nextCursor": str(number + 1)}
        hints = {} if self.ttl is None else {"ttlMs": int(self.ttl * 1000)}
        return Result(Raw.of({"tools": tools, **more, **hints}))


@dataclass(eq=False)
class Caller:
    """Somebody who waits for a list; `least` is the oldest version each server may show."""

    who: str
    session: str | None
    least: dict[str, dict[str | None, int]]
    healthy: frozenset[str]
    task: asyncio.Task[Face]


class Lists(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = mock.patch.object(module, "MOST_VIEWS", MOST)
        self.patch.start()
        self.servers = {"a": Server("a", TTL), "b": Server("b", None)}
        self.announced: dict[str, dict[str | None, int]] = {name: {None: 0} for name in NAMES}
        self.history: list[tuple[float, str, int]] = []
        self.callers: list[Caller] = []
        self.catalog = Catalog(
            self.servers.values(),
            CatalogSettings(wait=WAIT, refresh=REFRESH, retry=RETRY, page_size=100),
            self.clock,
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
            self.inside(lambda: self.catalog.changed(name, "tools"))

    @rule(name=SERVER, session=st.sampled_from(SESSIONS))
    def list_changes_for_one(self, name: str, session: str) -> None:
        server = self.servers[name]
        server.own[session] = server.own.get(session, 0) + 1
        self.announced[name][session] = server.own[session]
        self.inside(lambda: self.catalog.changed(name, "tools", session))

    @rule(name=SERVER, down=st.booleans())
    def comes_or_goes(self, name: str, down: bool) -> None:
        self.servers[name].down = down
        self.inside(lambda: self.catalog.changed(name, "state"))

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

    @rule(seconds=st.sampled_from([0.5, TTL, RETRY + WAIT, REFRESH + 1]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        self.look()
        if seconds > WAIT:
            assert not self.callers, "a server that hangs holds callers up"

    # Callers.

    @rule(
        who=st.sampled_from(["alice", "bob"]),
        session=st.sampled_from([None, None, *SESSIONS]),
    )
    def ask(self, who: str, session: str | None) -> None:
        client = MODERN if session is None else HANDSHAKE
        call = Call(method=TOOLS, client=client, principal=Principal(id=who), affinity=session)
        least = {name: dict(self.announced[name]) for name in NAMES}
        fresh = [v for when, name, v in self.history if name == "a" and when < self.recently()]
        least["a"][None] = max([least["a"][None], *fresh])
        at_hand = self.catalog.neutral(TOOLS, call)
        if at_hand is not None:
            self.judge(who, session, least, at_hand)
        self.callers.append(
            Caller(who, session, least, self.healthy(), self.begin(self.catalog.face(TOOLS, call)))
        )
        self.loop.settle()
        self.look()

    def recently(self) -> float:
        return self.clock.monotonic() - TTL

    def healthy(self) -> frozenset[str]:
        return frozenset(n for n, one in self.servers.items() if not one.down and not one.gate)

    def look(self) -> None:
        for caller in [one for one in self.callers if one.task.done()]:
            self.callers.remove(caller)
            self.judge(caller.who, caller.session, caller.least, caller.task.result())

    def judge(
        self, asker: str, own: str | None, at_least: dict[str, dict[str | None, int]], face: Face
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
            assert who == asker
            assert session in ("", own)
            least = at_least[server]
            assert session == own or own is None or own not in least, "not what it was told"
            assert int(version) >= least.get(session or None, 0), "older than what was announced"

    # What must be so.

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        catalog = self.catalog
        assert len(catalog._faces) <= MOST
        assert len(catalog._at_hand) <= MOST
        assert len(catalog._kept) <= MOST * len(LISTS)
        assert catalog._overtaken <= set(catalog._fetching)

    @invariant()
    def nobody_waits_for_a_server_that_answers(self) -> None:
        if len(self.healthy()) == len(NAMES):
            assert not self.callers

    def teardown(self) -> None:
        self.patch.stop()
        super().teardown()

    async def end(self) -> None:
        await self.catalog.close()
        await asyncio.gather(*(one.task for one in self.callers), return_exceptions=True)
        assert not self.catalog._fetching


TestLists = Lists.TestCase
TestLists.settings = bounded(300, 40)
