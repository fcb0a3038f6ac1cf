"""Upstream toward stdio servers of both eras: real processes of a scripted server."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lockgate.core.message import Call, Reply, Result
from lockgate.core.raw import Raw
from lockgate.upstreams.connect_stdio import StdioConnector
from lockgate.upstreams.processes import ChildProcess, spawner
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits, UpstreamSpec
from lockgate.upstreams.stdio import ModernStdio
from lockgate.upstreams.upstream import Upstream
from tests.upstreams.calls import QUICK, Heard, bad, call, eventually, good, nothing_left, run

SCRIPT = str(Path(__file__).with_name("stdio_script.py"))


@asynccontextmanager
async def server(mode: str, **more: Any) -> AsyncIterator[tuple[Upstream, list[ChildProcess]]]:
    children: list[ChildProcess] = []
    transport = StdioSpec(command=sys.executable, args=("-S", SCRIPT, mode))
    settings = {"start_timeout": 10.0, "call_timeout": 10.0, **more}
    limits = UpstreamLimits(**settings.pop("limits", {}))
    make = spawner("it", transport, limits)

    def spawn(*hearers: Any) -> ChildProcess:
        children.append(make(*hearers))
        return children[-1]

    one = Upstream(
        UpstreamSpec(name="it", transport=transport, limits=limits, **settings),
        spawn=spawn,
        backoff=QUICK,
    )
    try:
        yield one, children
    finally:
        await one.stop(5.0)
        await nothing_left()
        assert all(child.pid is None for child in children)


def use(name: str = "echo", era: str = "modern", **more: Any) -> Call:
    return call(params={"name": name, **more.pop("params", {})}, era=era, **more)


def test_modern_calls_share_one_process() -> None:
    async def test() -> None:
        async with server("modern") as (one, children):
            replies = await asyncio.gather(*[one.send(use(who=str(n))) for n in range(5)])
            assert len({good(reply)["pid"] for reply in replies}) == 1
            assert len(children) == 1
            assert one.state.pid == children[0].pid
            assert one.state.eras == {"modern"}
            good(await one.send(use(era="handshake")))
            assert one.state.eras == {"modern"}

    run(test())


def test_modern_cancelling_and_progress_and_noise() -> None:
    async def test() -> None:
        async with server("modern") as (one, _):
            good(await one.send(use()))
            task = asyncio.create_task(one.send(use("hang")))
            await asyncio.sleep(0)
            heard = Heard()
            good(await one.send(use("noise", wants_progress=True, emit=heard, log_level="info")))
            assert heard.methods() == ["notifications/progress", "notifications/message"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert good(await one.send(use()))["cancelled"] == [2]
            modern = one._connector.modern
            assert isinstance(modern, ModernStdio)
            assert len(modern) == 0

    run(test())


def test_modern_listening() -> None:
    async def test() -> None:
        async with server("modern") as (one, _):
            heard = Heard()
            params = {"notifications": {"toolsListChanged": True}}
            task = asyncio.create_task(one.send(call("subscriptions/listen", params, emit=heard)))
            await heard.until(lambda all_: len(all_) == 2)
            assert heard.methods() == [
                "notifications/subscriptions/acknowledged",
                "notifications/tools/list_changed",
            ]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_a_crash_fails_the_call_and_the_server_comes_back(era: str) -> None:
    async def test() -> None:
        mode = "modern" if era == "modern" else "old"
        async with server(mode) as (one, children):
            pid = good(await one.send(use(era=era)))["pid"]
            waiting = asyncio.create_task(one.send(use("hang", era)))
            failure = bad(await one.send(use("die", era)))
            assert failure.reason == "upstream-lost"
            assert "code 3" in failure.message
            assert bad(await waiting).reason == "upstream-lost"
            assert one.state.phase in {"backoff", "connecting"}
            await eventually(lambda: one.state.phase == "ready")
            assert good(await one.send(use(era=era)))["pid"] != pid
            assert len(children) == 2

    run(test())


def test_an_old_server_gives_its_probed_process_to_the_first_session() -> None:
    async def test() -> None:
        async with server("old") as (one, children):
            await one.start()
            await one.settled()
            assert one.state.phase == "ready"
            first = good(await one.send(use(era="handshake", affinity="a")))["pid"]
            assert len(children) == 1
            assert good(await one.send(use(era="handshake", affinity="b")))["pid"] == first
            other = good(await one.send(use(era="handshake", who="bob")))["pid"]
            assert other != first

    run(test())


def test_isolation_by_session() -> None:
    async def test() -> None:
        async with server("old", isolation="session") as (one, children):
            pids = [good(await one.send(use(era="handshake", affinity=a)))["pid"] for a in "aab"]
            assert pids[0] == pids[1] != pids[2]
            await one.end_session("b")
            await eventually(lambda: children[1].pid is None)
            good(await one.send(use(era="handshake", affinity="a")))

    run(test())


def test_processes_are_bounded() -> None:
    async def test() -> None:
        async with server("old", limits={"processes": 1}) as (one, children):
            good(await one.send(use(era="handshake", who="a")))
            good(await one.send(use(era="handshake", who="b")))
            assert len(children) == 2
            busy = asyncio.create_task(one.send(use("hang", "handshake", who="b")))
            await asyncio.sleep(0)
            assert bad(await one.send(use(era="handshake", who="c"))).reason == "upstream-busy"
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)

    run(test())


def test_a_silent_old_server_is_initialized_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with server("silent") as (one, children):
            connector = one._connector
            assert isinstance(connector, StdioConnector)
            connector._probe_timeout = 0.2
            good(await one.send(use(era="handshake")))
            assert one.state.eras == {"handshake"}
            assert len(children) == 1

    run(test())


def test_a_slow_modern_server_is_not_taken_for_an_old_one() -> None:
    async def test() -> None:
        async with server("slow") as (one, children):
            connector = one._connector
            assert isinstance(connector, StdioConnector)
            connector._probe_timeout = 0.1
            good(await one.send(use()))
            assert one.state.eras == {"modern"}
            assert len(children) == 1

    run(test())


def test_a_server_of_both_eras_has_a_process_for_each() -> None:
    async def test() -> None:
        async with server("dual") as (one, children):
            new = good(await one.send(use()))["pid"]
            old = good(await one.send(use(era="handshake")))["pid"]
            assert new != old
            assert one.state.eras == {"modern", "handshake"}
            assert good(await one.send(use()))["pid"] == new
            assert len(children) == 2

    run(test())


def test_a_question_on_stdio_parks_the_only_call() -> None:
    async def test() -> None:
        async with server("old") as (one, _):
            reply = await one.send(use("ask", "handshake", affinity="a"))
            assert isinstance(reply, Result)
            [(key, request)] = reply.raw["inputRequests"].items()
            assert request == {"method": "elicitation/create", "params": {"message": "?"}}
            answers = {"requestState": reply.raw["requestState"], "inputResponses": {key: {"a": 1}}}
            reply = await one.send(use("ask", "handshake", affinity="a", params=answers))
            assert good(reply)["got"] == {"a": 1}

    run(test())


def test_a_question_that_could_be_for_several_callers_is_refused() -> None:
    async def test() -> None:
        async with server("old") as (one, _):
            good(await one.send(use(era="handshake", affinity="a")))
            hang = asyncio.create_task(one.send(use("hang", "handshake", affinity="a")))
            await asyncio.sleep(0)
            reply = good(await one.send(use("ask", "handshake", affinity="b")))
            assert reply["error"]["code"] == -32603
            hang.cancel()
            await asyncio.gather(hang, return_exceptions=True)

    run(test())


def test_unattributed_messages_go_to_the_only_call_and_to_listeners() -> None:
    async def ask(method: str, params: Raw) -> Reply:
        raise AssertionError

    async def test() -> None:
        async with server("old") as (one, _):
            seen: list[str] = []
            one.watch(lambda changed: seen.append(changed.subject))
            listener, caller = Heard(), Heard()
            params = {"notifications": {"toolsListChanged": True}}
            task = asyncio.create_task(
                one.send(
                    call("subscriptions/listen", params, era="handshake", emit=listener, ask=ask)
                )
            )
            await listener.until(len)
            good(await one.send(use("noise", "handshake", wants_progress=True, emit=caller)))
            assert caller.methods() == ["notifications/progress", "notifications/message"]
            assert listener.methods()[1:] == ["notifications/tools/list_changed"]
            assert "tools" in seen
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_a_command_that_cannot_be_started() -> None:
    async def test() -> None:
        transport = StdioSpec(command="/nonexistent/program")
        one = Upstream(UpstreamSpec(name="it", transport=transport), backoff=QUICK)
        assert bad(await one.send(use())).reason == "server-unavailable"
        assert "was not found" in (one.state.last_error or "")
        await one.stop(1.0)

    run(test())


def test_an_unused_server_is_ended_and_started_again_when_needed() -> None:
    async def test() -> None:
        async with server("modern", idle_stop=0.05) as (one, children):
            first = good(await one.send(use()))["pid"]
            await eventually(lambda: one.state.phase == "idle")
            await eventually(lambda: children[0].pid is None)
            assert good(await one.send(use()))["pid"] != first

    run(test())


def test_a_session_that_dies_leaves_the_other_era_alone() -> None:
    async def test() -> None:
        async with server("dual") as (one, _):
            pid = good(await one.send(use()))["pid"]
            good(await one.send(use(era="handshake")))
            assert bad(await one.send(use("die", "handshake"))).reason == "upstream-lost"
            assert good(await one.send(use()))["pid"] == pid
            good(await one.send(use(era="handshake")))

    run(test())


@pytest.mark.parametrize("era", ["modern", "handshake"])
@pytest.mark.parametrize("name", ["huge", "huge-late-id"])
def test_an_answer_over_the_limit_fails_its_call_at_once(era: str, name: str) -> None:
    async def test() -> None:
        async with server("dual", limits={"message_bytes": 4096}) as (one, _):
            good(await one.send(use(era=era)))
            assert bad(await one.send(use(name, era=era))).reason == "upstream-too-large"
            hanging = asyncio.create_task(one.send(use("hang", era=era)))
            await asyncio.sleep(0)
            if name == "huge":
                # With two in flight, its id is needed.
                assert bad(await one.send(use(name, era=era))).reason == "upstream-too-large"
            assert not hanging.done()
            hanging.cancel()
            await asyncio.gather(hanging, return_exceptions=True)

    run(test())


def test_a_notification_over_the_limit_fails_nobody() -> None:
    async def test() -> None:
        async with server("dual", limits={"message_bytes": 4096}) as (one, _):
            assert good(await one.send(use("huge-note")))["ok"]

    run(test())


def test_a_server_that_ends_when_probed_is_initialized_in_another_process() -> None:
    async def test() -> None:
        async with server("strict") as (one, children):
            good(await one.send(use(era="handshake")))
            assert one.state.eras == {"handshake"}
            assert len(children) == 2

    run(test())


def test_a_server_that_writes_what_is_no_message_is_shown_what() -> None:
    async def test() -> None:
        async with server("chatty", start_timeout=1.0) as (one, _):
            assert bad(await one.send(use())).reason == "server-unavailable"
            assert one.state.last_error == "it was not ready within 1 s"
            assert "Welcome! (on stdout, where only MCP messages belong)" in (
                one.state.remedy or ""
            )

    run(test())


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_prints_among_messages_are_dropped_and_told_once(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with server("dual") as (one, children):
            assert good(await one.send(use("chat", era=era)))["ok"]
            assert good(await one.send(use(era=era)))["pid"] == children[-1].pid

    with caplog.at_level("WARNING", "lockgate.servers"):
        run(test())
    told = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    (line,) = told
    assert "(1 lines; the last: a print that was left in)" in line


@pytest.mark.parametrize("era", ["modern", "handshake"])
def test_a_server_that_writes_nothing_but_noise_any_more_is_ended(era: str) -> None:
    async def test() -> None:
        async with server("dual") as (one, _):
            good(await one.send(use(era=era)))
            pid = one.state.pid
            failed = bad(await one.send(use("flood", era=era)))
            assert failed.reason == "upstream-lost"
            assert "none is an MCP message" in failed.message
            assert one.state.reason in ("server-noisy", None)
            await eventually(lambda: one.state.phase == "ready")
            assert good(await one.send(use(era=era)))["pid"] != pid

    run(test())


def test_a_server_that_ends_without_a_word_has_a_remedy_too() -> None:
    async def test() -> None:
        async with server("mute") as (one, _):
            assert bad(await one.send(use())).reason == "server-unavailable"
            assert one.state.last_error == "it ended with code 3"
            assert "run it by hand" in (one.state.remedy or "")

    run(test())


def test_a_spare_process_still_being_started_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began, go_on, start = asyncio.Event(), asyncio.Event(), ChildProcess.start

    async def slowly(self: ChildProcess) -> None:
        began.set()
        await go_on.wait()
        await start(self)

    async def test() -> None:
        async with server("old", spare=True) as (one, children):
            # The first process is started as ever, every later one when it may.
            warm = asyncio.create_task(one.send(use(era="handshake")))
            await eventually(lambda: children)
            monkeypatch.setattr(ChildProcess, "start", slowly)
            good(await warm)
            await began.wait()
            other = asyncio.create_task(one.send(use(era="handshake", caps={"sampling": {}})))
            await asyncio.sleep(0)
            go_on.set()
            assert good(await other)["pid"] == children[1].pid

    run(test())


@pytest.mark.parametrize("spare", [False, True])
def test_a_spare_process_waits_for_the_next_session(spare: bool) -> None:
    async def test() -> None:
        async with server("old", spare=spare) as (one, children):
            good(await one.send(use(era="handshake")))
            started = 2 if spare else 1
            await eventually(lambda: len(children) == started)
            other = use(era="handshake", caps={"sampling": {}})
            pid = good(await one.send(other))["pid"]
            # The second kind of client got the process that was waiting, and a new one waits.
            assert pid == children[1].pid
            await eventually(lambda: len(children) == started + 1)

    run(test())
