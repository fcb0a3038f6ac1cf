"""How each side gets to know the other: introductions, sessions, capabilities, mixed fleets."""

from __future__ import annotations

import pytest

from lockgate.core.message import Result
from lockgate.fronts.http import HttpRequest, Responder
from tests.bridge.clients import EVERYTHING, PREFIX, Json
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.bridge.requirements import requirement
from tests.bridge.scripts import ELICIT
from tests.bridge.world import SERVERS, cell_world, run, world

TASKS = "io.modelcontextprotocol/tasks"


@requirement("opening-initialize")
def test_initialize_says_what_the_server_says(cell: str) -> None:
    async def play() -> None:
        server = SERVERS[cell[1]]()
        if cell[1] == "M":
            server.capabilities["extensions"] = {TASKS: {}}
        async with world(server) as w:
            client = await w.client(cell[0])
            said = client.opening

            assert said["protocolVersion"] == "2025-11-25"
            assert said["serverInfo"]["name"] == w.server.name
            assert said["instructions"] == w.server.instructions
            assert said["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
            assert said["capabilities"]["logging"] == {}
            assert TASKS not in said["capabilities"].get("extensions", {})
            assert client.session

    run(play())


@requirement("opening-initialize")
@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_old_revision_is_spoken(cell: str, revision: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0], revision=revision)
            assert client.opening["protocolVersion"] == revision
            assert (await client.run("echo", a=1)).said == {"a": 1}

    run(play())


@requirement("opening-discover")
def test_discover_says_what_the_server_says(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            said = (await w.client(cell[0])).opening

            assert "2026-07-28" in said["supportedVersions"]
            assert said["_meta"][PREFIX + "serverInfo"]["name"] == w.server.name
            assert said["instructions"] == w.server.instructions
            assert said["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
            assert said["cacheScope"] in ("private", "public")
            assert said["ttlMs"] >= 0
            if cell == "MM":
                assert "com.example/ext" in said["capabilities"]["extensions"]

    run(play())


@requirement("facts-stamped", "session-capabilities")
@pytest.mark.parametrize("capabilities", [{}, {"roots": {}}, EVERYTHING])
def test_the_server_learns_who_calls_and_what_it_can(cell: str, capabilities: Json) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0], capabilities=capabilities, name="caller")
            known = (await client.run("who")).said

            assert known["capabilities"] == capabilities
            if cell != "ML":
                # Callers who share a session share the name it was opened in.
                assert known["info"]["name"] == "caller"
            assert known["version"] == ("2025-11-25" if cell[1] == "L" else "2026-07-28")

    run(play())


@requirement("session-capabilities")
def test_other_capabilities_mean_another_session(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            one = await w.client(cell[0], capabilities={"roots": {}})
            other = await w.client(cell[0], capabilities={"sampling": {}})
            first = (await one.run("who")).said
            second = (await other.run("who")).said

            assert first["session"] != second["session"]
            assert (await one.run("who")).said == first

    run(play())


@requirement("session-shared")
def test_equal_callers_share_a_session(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            one, other = await w.client(cell[0]), await w.client(cell[0])
            first = (await one.run("who")).said
            second = (await other.run("who")).said

            assert first["session"] == second["session"]

    run(play())


@requirement("session-apart")
def test_no_two_callers_share_a_session(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            who = {"name": "who", "arguments": {}}
            sessions: list[str] = []
            for name in ("ann", "bob", "ann"):
                affinity = name if cell[0] == "L" else None
                reply = await w.call(
                    "tools/call", who, principal=name, era=cell[0], affinity=affinity
                )
                assert isinstance(reply, Result), reply
                sessions.append(reply.raw.object("structuredContent")["session"])

            assert sessions[0] == sessions[2]
            assert sessions[0] != sessions[1]

    run(play())


@requirement("session-apart", cells="LL")
def test_two_client_sessions_have_two_sessions(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            one, other = await w.client(cell[0]), await w.client(cell[0])
            first, second = (await one.run("who")).said, (await other.run("who")).said

            assert first["session"] != second["session"]

    run(play())


@requirement("session-reopened")
def test_a_forgotten_session_is_opened_again(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            before = (await client.run("who")).said["session"]
            w.server.forget_sessions()
            after = (await client.run("who")).said["session"]

            assert before != after
            assert w.server.runs["who"] == 2

    run(play())


@requirement("session-gateway-only")
def test_no_session_id_reaches_a_new_server(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            await client.run("echo", a=1)
            await client.run("ask", rounds=[{"a": ELICIT}])

            assert w.server.received
            assert not any("mcp-session-id" in headers for _, _, headers in w.server.received)
            assert not w.server.seen("notifications/initialized")

    run(play())


@requirement("mixed-fleet")
@pytest.mark.parametrize("first", ["L", "M"])
def test_servers_of_both_eras_behind_one_endpoint(cell: str, first: str) -> None:
    async def play() -> None:
        fleet = [OldServer("one"), NewServer("two")]
        if first == "M":
            fleet = [NewServer("one"), OldServer("two")]
        for number, server in enumerate(fleet):
            server.extra_tools.append({"name": f"own{number}", "inputSchema": {"type": "object"}})
        async with world(*fleet, naming="prefix") as w:
            client = await w.client(cell[0])
            names = {tool["name"] for tool in (await client.ask("tools/list")).result["tools"]}
            assert {"one__own0", "two__own1"} <= names
            for server in fleet:
                done = await client.run(f"{server.name}__ask", rounds=[{"a": ELICIT}])
                assert len(done.said["answers"]) == 1
                assert server.runs["ask"] == 1
                assert server.instructions in client.opening["instructions"]

    run(play())


class DualServer(NewServer):
    """Speaks the stateless era, and has a twin for the other behind the same address."""

    def __init__(self, name: str = "dual") -> None:
        super().__init__(name)
        self.twin = OldServer(name)

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        version = request.headers.get(b"mcp-protocol-version", b"")
        server = super() if version == b"2026-07-28" else self.twin
        await server.respond(request, responder)


@requirement("dual-mirrored")
def test_a_server_of_both_eras_is_spoken_to_in_the_callers(cell: str) -> None:
    async def play() -> None:
        dual = DualServer()
        async with world(dual) as w:
            client = await w.client(cell[0])
            done = await client.run("ask", rounds=[{"a": ELICIT}])

            assert len(done.said["answers"]) == 1
            mine = dual.twin if cell[0] == "L" else dual
            other = dual if cell[0] == "L" else dual.twin
            assert (mine.runs["ask"], other.runs["ask"]) == (1, 0)

    run(play())


@requirement("era-override", cells="LL MM")
@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_a_configured_era_is_spoken_whoever_calls(cell: str, era: str) -> None:
    async def play() -> None:
        dual = DualServer()
        async with world(dual, eras={"dual": era}) as w:
            client = await w.client(cell[0])
            await client.run("echo", a=1)

            mine = dual.twin if era == "handshake" else dual
            other = dual if era == "handshake" else dual.twin
            assert (mine.runs["echo"], other.runs["echo"]) == (1, 0)
            assert not other.received

    run(play())
