"""Upstream toward servers of the handshake era: what comes on the standing stream."""

import asyncio
from typing import Any, ClassVar

import pytest

from lockgate.core.message import Failure, Reply, Result
from lockgate.core.raw import Raw
from lockgate.upstreams import http_handshake
from tests.support.builds import interpreted
from tests.upstreams.calls import Heard, eventually, good, run, upstream
from tests.upstreams.old_calls import DONE, ELICIT, FIRST, done, old
from tests.upstreams.old_server import OldServer
from tests.upstreams.scripted import Answer, Asked

LISTEN = {
    "notifications": {
        "toolsListChanged": True,
        "promptsListChanged": True,
        "resourceSubscriptions": ["file:///a"],
    }
}


def listen(one: Any, heard: Heard, **more: Any) -> asyncio.Task[Reply]:
    params = more.pop("params", LISTEN)
    return asyncio.create_task(
        one.send(old(method="subscriptions/listen", params=params, emit=heard, **more))
    )


def test_listening_subscribes_and_hears_the_standing_stream() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            assert heard[0].method == "notifications/subscriptions/acknowledged"
            assert heard[0].params["notifications"] == {
                "toolsListChanged": True,
                "resourceSubscriptions": ["file:///a"],
            }
            get = server.gets["s1"]
            get.note("notifications/tools/list_changed")
            get.note("notifications/resources/updated", uri="file:///a")
            get.note("notifications/resources/updated", uri="file:///b")
            get.note("notifications/resources/list_changed")
            get.note("notifications/message", level="info", data="x")
            get.note("notifications/elicitation/complete", elicitationId="e")
            await heard.until(lambda all_: len(all_) == 5)
            assert heard.methods()[1:] == [
                "notifications/tools/list_changed",
                "notifications/resources/updated",
                "notifications/message",
                "notifications/elicitation/complete",
            ]
            good(await one.send(old()))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await eventually(lambda: "resources/unsubscribe" in server.methods())

    run(test())


def test_a_second_listener_shares_subscriptions() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            first, second = Heard(), Heard()
            task = listen(one, first)
            await first.until(len)
            other = listen(one, second)
            await second.until(len)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            server.gets["s1"].note("notifications/resources/updated", uri="file:///a/part")
            await second.until(lambda all_: len(all_) == 2)
            methods = server.methods()
            assert methods.count("resources/subscribe") == 1
            assert "resources/unsubscribe" not in methods
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)

    run(test())


def test_a_listener_survives_a_forgotten_session() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            server.forget()
            server.gets["s1"].drop()
            await heard.until(lambda all_: len(all_) == 3)
            assert heard.methods()[1:] == [
                "notifications/tools/list_changed",
                "notifications/resources/updated",
            ]
            server.gets["s2"].note("notifications/tools/list_changed")
            await heard.until(lambda all_: len(all_) == 4)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_a_request_outside_of_calls_goes_to_who_listens() -> None:
    async def ask(method: str, params: Raw) -> Reply:
        if method == "roots/list":
            return Result(Raw.of({"roots": [], "asked": dict(params)}))
        return Failure(-7, "no", "client", data={"d": 1})

    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard, ask=ask)
            await heard.until(len)
            get = server.gets["s1"]
            get.event({"jsonrpc": "2.0", "id": 7, "method": "roots/list", "params": {"p": 1}})
            get.event({"jsonrpc": "2.0", "id": 8, "method": "sampling/createMessage"})
            await eventually(lambda: len(server.answers) >= 2)
            by_id = {answer["id"]: answer for answer in server.answers}
            assert by_id[7]["result"] == {"roots": [], "asked": {"p": 1}}
            assert by_id[8]["error"] == {"code": -7, "message": "no", "data": {"d": 1}}
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_a_request_on_the_standing_stream_is_adopted_by_the_only_call() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:

            async def script(asked: Asked, answer: Answer) -> None:
                server.gets["s1"].event({"jsonrpc": "2.0", "id": "q0", **ELICIT})
                await eventually(lambda: server.answers)
                answer.result({"got": server.answers[0]["result"]})

            server.script = script
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            reply = await one.send(old())
            assert isinstance(reply, Result)
            [(key, request)] = reply.raw["inputRequests"].items()
            assert request == ELICIT
            params = {
                **FIRST,
                "requestState": reply.raw["requestState"],
                "inputResponses": {key: {"a": 1}},
            }
            assert good(await one.send(old(params=params))) == {"got": {"a": 1}}
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_stopping_ends_listeners_gracefully() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            await one.stop(1.0)
            assert good(await task) == {}

    run(test())


def test_a_server_without_a_standing_stream() -> None:
    async def test() -> None:
        async with OldServer(done, standing=False) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            good(await one.send(old()))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_watchers_hear_of_changed_lists() -> None:
    async def test() -> None:
        async with OldServer(done) as server, upstream(server.url) as one:
            seen: list[str] = []
            news = asyncio.Event()

            def watcher(changed: Any) -> None:
                seen.append(changed.subject)
                news.set()

            one.watch(watcher)
            good(await one.send(old()))
            await eventually(lambda: "s2" in server.gets)
            assert seen == ["state", "state"]
            news.clear()
            for _ in range(5):
                server.gets["s2"].note("notifications/tools/list_changed")
            await news.wait()
            assert seen[2] == "tools"

    run(test())


def test_a_watch_the_server_refused_is_tried_again() -> None:
    class Overrun(OldServer):
        refused: ClassVar[list[Asked]] = []

        async def _handle(self, asked: Asked, answer: Answer) -> None:
            if asked.method == "initialize" and len(self.sessions) == 1 and not self.refused:
                self.refused.append(asked)
                answer.json({}, 503)
                return
            await super()._handle(asked, answer)

    async def test() -> None:
        async with Overrun(done) as server, upstream(server.url) as one:
            subjects: list[str] = []
            one.watch(lambda changed: subjects.append(changed.subject))
            good(await one.send(old()))
            await eventually(lambda: "s2" in server.gets)
            assert server.refused
            server.gets["s2"].note("notifications/tools/list_changed")
            await eventually(lambda: "tools" in subjects)

    run(test())


def test_what_a_server_asks_on_its_standing_stream_at_once_is_not_lost() -> None:
    async def test() -> None:
        async with OldServer() as server, upstream(server.url) as one:

            async def script(asked: Asked, answer: Answer) -> None:
                server.gets["s1"].event({"jsonrpc": "2.0", "id": "q0", **ELICIT})
                await eventually(lambda: server.answers)
                answer.result(DONE)

            server.script = script
            reply = await one.send(old(caps={"elicitation": {}}))
            assert isinstance(reply, Result)
            assert list(reply.raw["inputRequests"].values()) == [ELICIT]

    run(test())


def test_a_standing_stream_that_does_not_come_is_waited_for_only_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_handshake, "STAND_BY", 0.01)

    class Mute(OldServer):
        async def _get(self, session: str, asked: Asked, answer: Answer) -> None:
            await answer.gone()

    async def test() -> None:
        async with Mute(done) as server, upstream(server.url) as one:
            good(await one.send(old(caps={"elicitation": {}})))

    run(test())


class Passing(OldServer):
    """Its standing stream is refused, or not answered, for as long as `trouble` says so."""

    trouble: str = ""
    subscribing: int = 0

    async def _get(self, session: str, asked: Asked, answer: Answer) -> None:
        if self.trouble == "busy":
            answer.send(503)
        elif self.trouble == "mute":
            await answer.gone()
            raise ConnectionError
        else:
            await super()._get(session, asked, answer)

    async def _inside(self, session: str, asked: Asked, answer: Answer) -> None:
        if asked.method == "resources/subscribe":
            self.subscribing += 1
            if self.trouble == "no subscription":
                answer.send(503)
                return
        await super()._inside(session, asked, answer)


@interpreted
@pytest.mark.parametrize("trouble", ["busy", "mute"])
def test_a_standing_stream_that_cannot_be_had_is_asked_for_again(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_handshake, "HEADERS", 0.05)
    monkeypatch.setattr(http_handshake, "ESTABLISH", 0.05)

    async def test() -> None:
        async with Passing(done) as server, upstream(server.url) as one:
            server.trouble = trouble
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            server.trouble = ""
            await eventually(lambda: "s1" in server.gets)
            server.gets["s1"].note("notifications/tools/list_changed")
            await heard.until(lambda all_: len(all_) == 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_a_subscription_that_fails_in_a_new_session_is_made_again() -> None:
    async def test() -> None:
        async with Passing(done) as server, upstream(server.url) as one:
            heard = Heard()
            task = listen(one, heard)
            await heard.until(len)
            server.trouble = "no subscription"
            server.forget()
            server.gets["s1"].drop()
            await eventually(lambda: server.subscribing >= 3)
            server.trouble = ""
            # What is not known to have stayed the same is reported as updated.
            await heard.until(lambda all_: "notifications/resources/updated" in all_.methods())
            session = list(server.gets)[-1]
            server.gets[session].note("notifications/resources/updated", uri="file:///a", n=1)
            await heard.until(lambda all_: "n" in all_[-1].params)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_whoever_subscribes_while_another_does_shares_what_comes_of_it() -> None:
    async def test() -> None:
        async with Passing(done) as server, upstream(server.url) as one:
            server.trouble = "no subscription"
            both = Heard(), Heard()
            tasks = [listen(one, heard) for heard in both]
            for heard in both:
                await heard.until(len)
                assert not heard[0].params["notifications"].get("resourceSubscriptions")
            assert server.subscribing == 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run(test())
