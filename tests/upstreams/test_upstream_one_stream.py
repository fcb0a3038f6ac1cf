"""Upstream toward servers over HTTP with SSE and over WebSockets: real connections on loopback."""

import asyncio
import builtins
import ssl
import sys
from typing import Any

import pytest

from lockgate.core.message import Call, Failure, Result
from lockgate.upstreams import http_sse, websocket
from tests.upstreams.calls import Heard, bad, call, eventually, good, run
from tests.upstreams.one_stream import Peer, SocketServer, SseServer, reaching

DOORS = ["sse", "websocket"]
ASKING = {"elicitation": {}}


def server_of(door: str) -> SseServer | SocketServer:
    return SseServer() if door == "sse" else SocketServer()


def peers(server: SseServer | SocketServer) -> list[Peer]:
    return list(server.peers.values()) if isinstance(server, SseServer) else server.peers


def use(name: str = "echo", era: str = "handshake", **more: Any) -> Call:
    affinity = more.pop("affinity", "a" if era == "handshake" else None)
    return call(params={"name": name, **more.pop("params", {})}, era=era, affinity=affinity, **more)


def told(failure: Failure) -> str:
    """What the owner of the gateway can read of it."""
    return f"{failure.message} {failure.detail}"


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("era", ["handshake", "modern"])
def test_calls_go_over_one_connection_for_each_session(door: str, era: str) -> None:
    async def test() -> None:
        async with server_of(door) as server, reaching(server) as one:
            first = [good(await one.send(use(era=era)))["peer"] for _ in range(3)]
            assert len(set(first)) == 1
            assert one.state.eras == {"handshake"}
            other = good(await one.send(use(era=era, who="bob")))["peer"]
            assert other != first[0]
            assert good(await one.send(call("tools/list", era=era)))["tools"]
            [mine] = [peer for peer in peers(server) if peer.number == first[0]]
            methods = [one for one in mine.methods() if one != "server/discover"]
            assert methods[:3] == ["initialize", "notifications/initialized", "tools/call"]

    run(test())


@pytest.mark.parametrize("door", DOORS)
def test_questions_progress_and_cancelling(door: str) -> None:
    async def test() -> None:
        async with server_of(door) as server, reaching(server) as one:
            reply = await one.send(use("ask", caps=ASKING))
            assert isinstance(reply, Result)
            assert reply.kind == "input_required"
            [key] = reply.raw["inputRequests"]
            answers = {
                "requestState": reply.raw["requestState"],
                "inputResponses": {key: {"action": "decline"}},
            }
            got = good(await one.send(use("ask", caps=ASKING, params=answers)))
            assert got["got"] == {"action": "decline"}
            heard = Heard()
            good(await one.send(use("noisy", wants_progress=True, emit=heard)))
            assert heard.methods() == ["notifications/progress"]
            task = asyncio.create_task(one.send(use("hang")))
            await eventually(lambda: any(_called(peer, "hang") for peer in peers(server)))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await eventually(
                lambda: any("notifications/cancelled" in one.methods() for one in peers(server))
            )

    run(test())


def _called(peer: Peer, name: str) -> bool:
    return any(one.get("params", {}).get("name") == name for one in peer.heard)


@pytest.mark.parametrize("door", DOORS)
def test_a_lost_connection_fails_its_calls_and_the_next_one_opens_another(door: str) -> None:
    async def test() -> None:
        async with server_of(door) as server, reaching(server) as one:
            before = good(await one.send(use()))["peer"]
            hanging = asyncio.create_task(one.send(use("hang")))
            await eventually(lambda: any(_called(peer, "hang") for peer in peers(server)))
            failure = bad(await one.send(use("die")))
            assert failure.reason == "upstream-lost"
            assert bad(await hanging).reason == "upstream-lost"
            if door == "websocket":
                assert "4321" in failure.message
                assert "had enough" not in failure.message
            assert one.state.phase == "ready"
            assert good(await one.send(use()))["peer"] > before

    run(test())


@pytest.mark.parametrize("door", DOORS)
def test_a_message_over_the_limit_fails_the_call_at_once(door: str) -> None:
    async def test() -> None:
        limits = {"message_bytes": 4096}
        async with server_of(door) as server, reaching(server, limits=limits) as one:
            assert bad(await one.send(use("huge"))).reason == "upstream-too-large"
            good(await one.send(use()))

    run(test())


@pytest.mark.parametrize("door", DOORS)
def test_sessions_end_with_their_client_and_with_the_gateway(door: str) -> None:
    async def test() -> None:
        async with server_of(door) as server:
            async with reaching(server) as one:
                good(await one.send(use()))
                good(await one.send(use(affinity="b")))
                await one.end_session("a")
                if isinstance(server, SseServer):
                    await eventually(lambda: len(server.peers) == 1)
                else:
                    await eventually(lambda: server.closed == [1001])
            if isinstance(server, SseServer):
                await eventually(lambda: not server.peers)
            else:
                await eventually(lambda: not server.alive)

    run(test())


@pytest.mark.parametrize("door", DOORS)
def test_listeners_hear_of_changes(door: str) -> None:
    async def test() -> None:
        async with server_of(door) as server, reaching(server) as one:
            heard = Heard()
            wanted = {"notifications": {"toolsListChanged": True}}
            task = asyncio.create_task(
                one.send(call("subscriptions/listen", wanted, era="handshake", emit=heard))
            )
            await heard.until(len)
            for peer in peers(server):
                peer.say(method="notifications/tools/list_changed")
            await heard.until(lambda all_: len(all_) >= 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


# HTTP with SSE.


def test_an_older_server_is_found_once_and_remembered() -> None:
    async def test() -> None:
        async with SseServer() as server, reaching(server, headers={"X-Key": "k"}) as one:
            good(await one.send(use()))
            posts = [(one.target, one.method) for one in server.asked if one.http == "POST"]
            assert posts[:2] == [("/a/sse", "server/discover"), ("/a/sse", "initialize")]
            good(await one.send(use(affinity="b")))
            assert sum(one.target == "/a/sse" for one in server.asked if one.http == "POST") == 2
            assert all(one.headers["x-key"] == "k" for one in server.asked)

    run(test())


def test_a_server_said_to_be_older_is_not_probed() -> None:
    async def test() -> None:
        async with SseServer() as server, reaching(server, kind="sse") as one:
            good(await one.send(use()))
            assert server.asked[0].http == "GET"
            assert all(one.target != "/a/sse" for one in server.asked if one.http == "POST")

    run(test())


@pytest.mark.parametrize(
    "endpoint",
    ["http://127.0.0.1:1/steal", "//example.com/x", "https://127.0.0.1/x", "http://[/x", "ftp://x"],
)
def test_messages_are_posted_to_the_same_origin_or_not_at_all(endpoint: str) -> None:
    async def test() -> None:
        async with SseServer(endpoint) as server, reaching(server, kind="sse") as one:
            await one.start()
            state = await one.settled()
            # On a busy machine the next attempt may have begun by now.
            assert state.phase in {"backoff", "connecting"}
            assert "origin" in (state.last_error or "") or "URL" in (state.last_error or "")
            assert all(one.http == "GET" for one in server.asked)

    run(test())


def test_an_absolute_url_of_the_same_origin_will_do() -> None:
    async def test() -> None:
        server = SseServer()
        async with server, reaching(server) as one:
            server.endpoint = f"http://127.0.0.1:{server.port}/a/messages?session={{}}"
            good(await one.send(use()))

    run(test())


def test_a_stream_that_names_no_url_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_sse, "OPEN_WITHIN", 0.05)

    class Mute(SseServer):
        async def _stream(self, answer: Any) -> None:
            answer.stream()
            await answer.gone()
            raise ConnectionError

    async def test() -> None:
        async with Mute() as server, reaching(server) as one:
            await one.start()
            state = await one.settled()
            assert "no MCP endpoint at its URL (HTTP 405)" in (state.last_error or "")

    run(test())


def test_one_refused_message_fails_one_call() -> None:
    async def test() -> None:
        async with SseServer() as server, reaching(server) as one:
            peer = good(await one.send(use()))["peer"]
            server.refused = {"tools/call": 500}
            failure = bad(await one.send(use()))
            assert "HTTP 500" in failure.message
            assert failure.origin == "upstream"
            server.refused = {}
            assert good(await one.send(use()))["peer"] == peer

    run(test())


def test_nothing_overtakes_the_initialized_notification() -> None:
    async def test() -> None:
        async with SseServer() as server, reaching(server) as one:
            server.slow_initialized.clear()
            task = asyncio.create_task(one.send(use()))
            await eventually(
                lambda: any(one.method == "notifications/initialized" for one in server.asked)
            )
            assert all(one.method != "tools/call" for one in server.asked)
            server.slow_initialized.set()
            good(await task)

    run(test())


# WebSockets.


@pytest.mark.parametrize("eras", [("modern",), ("modern", "handshake")])
def test_a_modern_server_serves_all_callers_over_one_connection(eras: tuple[str, ...]) -> None:
    async def test() -> None:
        async with SocketServer(*eras) as server, reaching(server, headers={"X-Key": "k"}) as one:
            for who in ("alice", "bob"):
                assert good(await one.send(use(era="modern", who=who)))["peer"] == 1
            good(await one.send(use()))
            assert one.state.eras == set(eras)
            assert server.requests[0].headers["x-key"] == "k"
            assert server.requests[0].path == "/mcp?k=v"
            limits = bad(await one.send(use("die", era="modern")))
            assert limits.reason == "upstream-lost"
            # The supervisor connects again.
            await eventually(lambda: one.state.phase == "ready")
            good(await one.send(use(era="modern")))

    run(test())


def test_a_modern_answer_over_the_limit() -> None:
    async def test() -> None:
        limits = {"message_bytes": 4096}
        async with SocketServer("modern") as server, reaching(server, limits=limits) as one:
            failure = bad(await one.send(use("huge", era="modern")))
            assert failure.reason == "upstream-too-large"

    run(test())


def test_tls(tls_pair: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async def test() -> None:
        serving, trusting = tls_pair
        async with SocketServer(ssl=serving) as server:
            async with reaching(server, trusting) as one:
                good(await one.send(use()))
            async with reaching(server) as one:
                assert "TLS" in told(bad(await one.send(use())))

    run(test())


@pytest.mark.parametrize(
    ("status", "reason"),
    [(401, "upstream-unauthorized"), (302, "server-unavailable"), (404, "server-unavailable")],
)
def test_a_refused_upgrade_is_told_and_no_redirect_followed(status: int, reason: str) -> None:
    async def test() -> None:
        async with SocketServer() as server, reaching(server) as one:
            server.status = status
            failure = bad(await one.send(use()))
            assert failure.reason == reason
            assert str(status) in told(failure)
            server.status = 0
            await eventually(lambda: one.state.phase == "ready")

    run(test())


def test_a_refused_upgrade_of_a_later_session() -> None:
    async def test() -> None:
        async with SocketServer() as server, reaching(server) as one:
            good(await one.send(use()))
            server.status = 403
            assert bad(await one.send(use(affinity="b"))).reason == "upstream-unauthorized"
            good(await one.send(use()))
            server.status = 503
            assert bad(await one.send(use(affinity="b"))).reason == "server-unavailable"

    run(test())


def test_a_message_that_is_not_text_ends_the_connection() -> None:
    async def test() -> None:
        async with SocketServer() as server, reaching(server) as one:
            failure = bad(await one.send(use("binary")))
            assert "not text" in failure.message
            good(await one.send(use()))
            await eventually(lambda: 1003 in server.closed)

    run(test())


def test_a_silent_server_is_pinged_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_EVERY", 0.05)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from websockets.http11 import Request
        from websockets.server import ServerProtocol
        from websockets.typing import Subprotocol

        protocol = ServerProtocol(subprotocols=[Subprotocol("mcp")])
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        [request] = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        writer.writelines(protocol.data_to_send())
        while await reader.read(65536):
            pass
        writer.close()

    async def test() -> None:
        listening = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        server = SocketServer()
        url = f"ws://127.0.0.1:{port}/mcp"
        async with reaching(server, url=url, era="handshake") as one:
            failure = bad(await one.send(use()))
            assert "no sign of life" in told(failure)
        listening.close()

    run(test())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **kinds: Any) -> Any:
        if name.startswith("websockets"):
            raise ImportError(name)
        return real(name, *more, **kinds)

    async def test() -> None:
        async with SocketServer() as server, reaching(server) as one:
            with monkeypatch.context() as patch:
                patch.delitem(sys.modules, "websockets.client", raising=False)
                patch.setattr(builtins, "__import__", without)
                failure = bad(await one.send(use()))
            assert "lockgate[websocket]" in told(failure)

    run(test())
