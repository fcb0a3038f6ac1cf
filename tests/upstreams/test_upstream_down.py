"""A server that is down, comes up, goes away, hangs, or changes what it speaks."""

import asyncio

import pytest

from lockgate.upstreams.pool import HttpPool
from lockgate.upstreams.supervisor import Backoff
from lockgate.upstreams.upstream import Upstream
from tests.support.builds import interpreted
from tests.upstreams.calls import bad, call, eventually, good, nothing_left, run, spec, upstream
from tests.upstreams.old_server import OldServer
from tests.upstreams.scripted import Answer, Asked, ScriptedServer
from tests.upstreams.test_upstream_modern import DISCOVERED, DONE, modern


async def done(asked: Asked, answer: Answer) -> None:
    answer.result(DONE)


async def until(one: Upstream, phase: str) -> None:
    await eventually(lambda: one.state.phase == phase)


def test_a_server_that_is_down_is_never_waited_for() -> None:
    async def test() -> None:
        async with ScriptedServer(modern(done)) as server:
            pass
        pool = HttpPool()
        slow = Backoff(first=60.0, limit=60.0, jitter=lambda: 1.0)
        one = Upstream(spec(server.url), pool=pool, backoff=slow)
        await one.start()
        await one.settled()
        failure = bad(await one.send(call()))
        assert (failure.code, failure.origin) == (-32603, "upstream")
        assert failure.reason == "server-unavailable"
        assert "'it'" in failure.message
        assert failure.data["server"] == "it"
        assert failure.data["state"] == "backoff"
        assert 50 < failure.data["retry_after"] <= 60
        assert failure.remedy
        assert one.state.last_error
        await one.stop(1.0)
        assert bad(await one.send(call())).data["state"] == "stopped"
        await pool.close()
        await nothing_left()

    run(test(), 3.0)


def test_it_comes_back_by_itself() -> None:
    async def test() -> None:
        async with ScriptedServer(modern(done)) as server, upstream(server.url) as one:
            good(await one.send(call()))
            await server.stop()
            # The first may find the kept connection closed under it; the next finds nobody.
            failure = None
            while one.state.phase == "ready":
                failure = bad(await one.send(call()))
            assert failure is not None
            assert failure.reason == "server-unavailable"
            await server.start()
            await until(one, "ready")
            good(await one.send(call()))

    run(test())


def test_a_session_from_before_does_not_make_a_server_that_is_away_ready() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url, era="handshake") as one:
            phases: list[str] = []
            good(await one.send(call(era="handshake")))
            await server.stop()
            while one.state.phase == "ready":
                bad(await one.send(call(era="handshake")))
            end = one.watch(lambda _: phases.append(one.state.phase))
            await eventually(lambda: one.state.attempt >= 4)
            assert "ready" not in phases
            end()
            server.forget()
            await server.start()
            await until(one, "ready")
            good(await one.send(call(era="handshake")))

    run(test())


def test_calls_wait_for_the_first_connection_together() -> None:
    release = asyncio.Event()

    async def handler(asked: Asked, answer: Answer) -> None:
        if asked.method == "server/discover":
            await release.wait()
            answer.result(DISCOVERED)
        elif asked.method == "tools/list":
            answer.result({"resultType": "complete", "tools": []})
        else:
            answer.result(DONE)

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            tasks = [asyncio.create_task(one.send(call())) for _ in range(5)]
            await eventually(lambda: server.asked)
            quick = one.send(call(deadline=asyncio.get_running_loop().time() - 1))
            assert bad(await quick).data["state"] == "connecting"
            release.set()
            for task in tasks:
                good(await task)
            assert server.methods().count("server/discover") == 1

    run(test())


def test_a_server_that_hangs_is_given_up_in_time() -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        await answer.gone()

    async def test() -> None:
        async with (
            ScriptedServer(handler) as server,
            upstream(server.url, start_timeout=0.05) as one,
        ):
            assert bad(await one.send(call())).reason == "server-unavailable"
            assert "0.05" in (one.state.last_error or "")

    run(test())


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_are_no_verdict_and_said_so(status: int) -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        answer.send(status, www_authenticate="Bearer")

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            failure = bad(await one.send(call()))
            assert failure.reason == "upstream-unauthorized"
            assert "headers" in (failure.remedy or "")
            assert "initialize" not in server.methods()

    run(test())


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_is_not_taken_for_an_old_one(status: int) -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        answer.send(status)

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            assert bad(await one.send(call())).reason == "server-unavailable"
            assert str(status) in (one.state.last_error or "")
            assert set(server.methods()) == {"server/discover"}

    run(test())


@pytest.mark.parametrize(
    ("status", "kind", "said", "remedy"),
    [
        (404, "text/html", "no MCP endpoint at its URL (HTTP 404)", "Correct the path of `url`"),
        (405, "text/plain", "no MCP endpoint at its URL (HTTP 405)", "/mcp"),
        (200, "text/html; charset=utf-8", "answered with a web page (HTTP 200)", "for people"),
        (200, "text/plain", "HTTP 200 without a JSON-RPC answer", "Check that `url`"),
        (302, "text/html", "a redirect (HTTP 302)", "the final URL"),
        (500, "text/html", "HTTP 500 without a JSON-RPC answer", "its own log"),
    ],
)
def test_something_that_is_no_mcp_server(status: int, kind: str, said: str, remedy: str) -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        answer.send(status, b"<html>", kind)

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            assert bad(await one.send(call())).reason == "server-unavailable"
            assert said in (one.state.last_error or "")
            assert remedy in (one.state.remedy or "")

    run(test())


def test_a_server_that_speaks_no_tls() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        writer.close()

    async def test() -> None:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            async with upstream(f"https://{host}:{port}/mcp") as one:
                assert bad(await one.send(call())).reason == "server-unavailable"
                assert "does not speak TLS" in (one.state.last_error or "")
                assert "begin with http:" in (one.state.remedy or "")

    run(test())


def test_a_server_that_has_failed_is_not_waited_for_while_it_is_tried_again() -> None:
    again = asyncio.Event()
    tried: list[str] = []

    async def handler(asked: Asked, answer: Answer) -> None:
        tried.append(asked.method)
        if len(tried) == 1:
            answer.send(500, b"", "text/plain")
            return
        await again.wait()
        await modern(done)(asked, answer)

    async def test() -> None:
        async with ScriptedServer(handler) as server, upstream(server.url) as one:
            await one.start()
            await eventually(lambda: len(tried) == 2)
            assert one.state.phase == "connecting"
            assert one.state.last_error
            assert bad(await one.send(call())).reason == "server-unavailable"
            again.set()
            await until(one, "ready")
            good(await one.send(call()))

    run(test())


def test_a_configured_era_is_not_probed_for() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url, era="handshake") as one:
            good(await one.send(call(era="handshake")))
            assert "server/discover" not in server.methods()
        async with OldServer(done) as server, upstream(server.url, era="modern") as one:
            assert bad(await one.send(call())).reason == "server-unavailable"
            assert "initialize" not in server.methods()

    run(test())


@interpreted
def test_a_server_that_changes_its_era_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.upstreams.upstream.REPROBE_AFTER", 0.0)

    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            good(await one.send(call(era="handshake")))
            old = server.handler
            server.handler = modern(done)
            assert one.state.eras == {"handshake"}
            good(await one.send(call(era="handshake", affinity="new")))
            assert one.state.eras == {"modern"}
            good(await one.send(call()))
            server.handler = old
            await one.send(call())
            good(await one.send(call(era="handshake", affinity="newer")))
            assert one.state.eras == {"handshake"}

    run(test())


def dual(asked: Asked) -> bool:
    return "mcp-method" in asked.headers


def test_a_server_of_both_eras_is_spoken_to_in_the_callers() -> None:
    async def test() -> None:
        old = OldServer(done)
        serve_old, serve_new = old.handler, modern(done)

        async def handler(asked: Asked, answer: Answer) -> None:
            await (serve_new if dual(asked) else serve_old)(asked, answer)

        old.handler = handler
        async with old as server, upstream(server.url) as one:
            good(await one.send(call()))
            assert one.state.eras == {"modern"}
            good(await one.send(call(era="handshake")))
            assert one.state.eras == {"modern", "handshake"}
            good(await one.send(call(era="handshake")))
            assert server.methods().count("initialize") == 1

    run(test())


def test_nothing_is_left_after_many_aborted_calls() -> None:
    async def handler(asked: Asked, answer: Answer) -> None:
        await answer.gone()

    async def test() -> None:
        async with (
            ScriptedServer(modern(handler)) as server,
            OldServer(handler) as old,
            upstream(server.url) as new_one,
            upstream(old.url) as old_one,
        ):
            for one, era in ((new_one, "modern"), (old_one, "handshake")):
                for _ in range(10):
                    tasks = [asyncio.create_task(one.send(call(era=era))) for _ in range(10)]
                    await asyncio.sleep(0.005)
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            handshake = old_one._connector.handshake
            assert handshake is not None
            sessions = handshake.pool.sessions()
            assert [session.flights for session in sessions] == [{}]

    run(test())
