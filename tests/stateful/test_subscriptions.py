"""Client streams over several servers' news, against a model of what reaches whom."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from lockgate.core.message import Call, Failure, Notification, Reply, Result, Target
from lockgate.core.raw import EMPTY, Raw
from lockgate.gateway.subscriptions import ACKNOWLEDGED, FLAGS, UPDATED, Subscriptions
from lockgate.gateway.tasks import TaskIds
from tests.stateful.timeless import Machine, bounded
from tests.upstreams.calls import call

TOOLS, PROMPTS = FLAGS["toolsListChanged"], FLAGS["promptsListChanged"]
FLAG_OF = {method: flag for flag, method in FLAGS.items()}
SERVERS = ("a", "b")
URIS = ("a+x:1", "a+x:2", "b+x:1", "c+x:1")
DOWN = Failure(-32603, "It is down.", "upstream", "upstream-lost")
NEVER = Failure(-32601, "It has no such thing.", "upstream", "upstream-error")
WAIT = 5.0


@dataclass(eq=False)
class Part:
    """A listen call at a server, on behalf of one client."""

    call: Call
    client: int
    acked: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)
    how: Reply = DOWN

    @property
    def uris(self) -> list[str]:
        wanted = self.call.params.object("notifications")
        return wanted.get("resourceSubscriptions", [])

    @property
    def flags(self) -> set[str]:
        wanted = self.call.params.object("notifications")
        return {method for method, flag in FLAG_OF.items() if wanted.get(flag) is True}


class Server:
    def __init__(self, name: str, world: Streams) -> None:
        self.name = name
        self.world = world
        self.parts: list[Part] = []
        self.refuses: Failure | None = None
        self.slow = False

    async def send(self, one: Call) -> Reply:
        if self.refuses is not None:
            return self.refuses
        assert isinstance(one.id, int)
        part = Part(one, one.id)
        self.parts.append(part)
        try:
            if not self.slow:
                self.acknowledge(part)
            await part.end.wait()
            return part.how
        finally:
            self.parts.remove(part)

    def acknowledge(self, part: Part) -> None:
        part.acked = True
        client = self.world.clients.get(part.client)
        if client is not None:
            if self.name in client.heard_from:
                # What happened since is not known: each is reported once.
                client.expected.update(f"{self.name}+{uri}" for uri in part.uris)
            client.heard_from.add(self.name)
        part.call.emit(Notification(ACKNOWLEDGED, part.call.params))


@dataclass(eq=False)
class Client:
    flags: set[str]
    uris: set[str]
    affinity: str | None
    heard: list[Notification]
    task: asyncio.Task[Reply] | None = None
    expected: Counter[str] = field(default_factory=Counter[str])
    heard_from: set[str] = field(default_factory=set[str])

    def wants_of(self, server: str) -> list[str]:
        return sorted(uri[2:] for uri in self.uris if uri[0] == server)

    def told(self) -> Counter[str]:
        return Counter(
            one.params["uri"] if one.method == UPDATED else one.method for one in self.heard[1:]
        )


class Streams(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.servers = {name: Server(name, self) for name in SERVERS}
        self.clients: dict[int, Client] = {}
        self.number = 0
        self.changed: list[tuple[str, str, str | None]] = []
        self.hub = Subscriptions(
            {name: server.send for name, server in self.servers.items()},
            TaskIds(SERVERS),
            lambda *said: self.changed.append(said),
            WAIT,
        )
        self.hub.locate = self.locate

    async def locate(self, _call: Call, uri: str) -> Target | Failure:
        if uri[0] in self.servers:
            return Target(uri[0], "resource", uri[2:])
        return Failure(-32602, "Nobody has it.", "client", "unknown-resource")

    # The clients.

    @rule(
        flags=st.sets(st.sampled_from([TOOLS, PROMPTS])),
        uris=st.sets(st.sampled_from(URIS)),
        affinity=st.sampled_from([None, None, "s1", "s2"]),
    )
    def listen(self, flags: set[str], uris: set[str], affinity: str | None) -> None:
        if len(self.clients) >= 4:
            return
        self.number += 1
        heard: list[Notification] = []
        asked: dict[str, Any] = {FLAG_OF[one]: True for one in flags}
        asked["resourceSubscriptions"] = sorted(uris)
        one = call("subscriptions/listen", {"notifications": asked}, affinity=affinity)
        client = self.clients[self.number] = Client(flags, uris, affinity, heard)
        client.task = self.begin(self.hub.listen(one.replace(id=self.number, emit=heard.append)))
        self.loop.settle()

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.clients)))
        client = self.clients.pop(number)
        assert client.task is not None
        client.task.cancel()
        self.loop.settle()
        for server in self.servers.values():
            assert all(part.client != number for part in server.parts)

    # The servers.

    @rule(name=st.sampled_from(SERVERS), uri=st.sampled_from(["x:1", "x:2"]))
    def resource_changes(self, name: str, uri: str) -> None:
        for part in [one for one in self.servers[name].parts if uri in one.uris and one.acked]:
            self.clients[part.client].expected[f"{name}+{uri}"] += 1
            said = Notification(UPDATED, Raw.of({"uri": uri}))
            self.inside(partial(part.call.emit, said))

    @rule(name=st.sampled_from(SERVERS), method=st.sampled_from([TOOLS, PROMPTS]))
    def list_changes(self, name: str, method: str) -> None:
        """Of a server that tells everybody alike, in the gateway's own words."""
        hearing = {one.client for one in self.servers[name].parts if one.acked}
        for number, client in self.clients.items():
            of_session = client.affinity is not None and number in hearing
            if client.heard and method in client.flags and not of_session:
                client.expected[method] += 1
        self.inside(partial(self.hub.announce, method, name))

    @rule(name=st.sampled_from(SERVERS), method=st.sampled_from([TOOLS, PROMPTS]))
    def list_changes_for_one(self, name: str, method: str) -> None:
        """Of a server that tells each session by itself."""
        told = len(self.changed)
        hearing = [one for one in self.servers[name].parts if one.acked and method in one.flags]
        for part in hearing:
            self.clients[part.client].expected[method] += 1
            self.inside(partial(part.call.emit, Notification(method, EMPTY)))
        assert [said[2] for said in self.changed[told:]] == [
            self.clients[one.client].affinity for one in hearing
        ]

    @rule(name=st.sampled_from(SERVERS), slow=st.booleans())
    def acknowledges_late(self, name: str, slow: bool) -> None:
        server = self.servers[name]
        server.slow = slow
        for part in [one for one in server.parts if not one.acked and not slow]:
            self.inside(partial(server.acknowledge, part))

    @rule(name=st.sampled_from(SERVERS), how=st.sampled_from([DOWN, Result(EMPTY)]))
    def streams_end(self, name: str, how: Reply) -> None:
        for part in tuple(self.servers[name].parts):
            part.how = how
            part.end.set()
        self.loop.settle()

    @rule(name=st.sampled_from(SERVERS), refuses=st.sampled_from([None, DOWN, NEVER]))
    def restarts(self, name: str, refuses: Failure | None) -> None:
        self.servers[name].refuses = refuses
        self.streams_end(name, DOWN)

    @rule(seconds=st.sampled_from([0.5, WAIT + 1, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.pass_time(seconds)
        if seconds > WAIT:
            assert all(client.heard for client in self.clients.values()), "not acknowledged"

    # What must be so.

    @invariant()
    def all_hear_what_they_asked_for(self) -> None:
        for client in self.clients.values():
            methods = [one.method for one in client.heard]
            if not methods:
                continue
            assert methods[0] == ACKNOWLEDGED
            assert methods.count(ACKNOWLEDGED) == 1
            assert client.told() == +client.expected

    @invariant()
    def servers_are_asked_for_what_is_wanted(self) -> None:
        for name, server in self.servers.items():
            listening = Counter(part.client for part in server.parts)
            assert all(times == 1 for times in listening.values())
            for part in server.parts:
                client = self.clients[part.client]
                assert sorted(part.uris) == client.wants_of(name)
                assert part.flags == (client.flags if client.affinity else set())

    @invariant()
    def all_open_streams_are_counted(self) -> None:
        assert len(self.hub) == sum(bool(client.heard) for client in self.clients.values())

    async def end(self) -> None:
        self.hub.close()
        tasks = [one.task for one in self.clients.values() if one.task is not None]
        replies = await asyncio.gather(*tasks)
        assert all(isinstance(one, Result) for one in replies)
        assert all(server.parts == [] for server in self.servers.values())
        assert len(self.hub) == 0


TestStreams = Streams.TestCase
TestStreams.settings = bounded(120, 40)
