"""Workers serve one request after another, and no request meets what another left behind."""

import asyncio
from contextlib import suppress
from contextvars import ContextVar

from lockgate.fronts import workers
from lockgate.fronts.http import HttpRequest, Responder
from tests.fronts.served import GET, run, serving

LEFT = ContextVar("LEFT", default="nothing")


def get(path: str) -> bytes:
    return GET.replace(b" / ", b" /%b " % path.encode())


def test_a_worker_that_came_through_serves_the_next_request() -> None:
    async def test() -> None:
        tasks: list[asyncio.Task[object] | None] = []

        async def handler(_: HttpRequest, responder: Responder) -> None:
            await asyncio.sleep(0)
            tasks.append(asyncio.current_task())
            assert responder.task is tasks[-1]
            responder.send(200, ())

        async with serving(handler) as served:
            one, two = await served.client(), await served.client()
            for client in (one, two, one):
                client.send(GET)
                assert (await client.reply()).status == 200
            assert len(set(tasks)) == 1
            assert served.server.stats.handlers == 0

    run(test())


def test_what_one_request_leaves_in_its_context_the_next_does_not_see() -> None:
    async def test() -> None:
        seen: list[str] = []

        async def handler(request: HttpRequest, responder: Responder) -> None:
            seen.append(LEFT.get())
            if request.path == "/set":
                LEFT.set("a secret")
            elif request.path == "/reset":
                LEFT.reset(LEFT.set("a secret"))
            responder.send(200, ())

        async with serving(handler) as served:
            client = await served.client()
            for path in ("set", "reset", ""):
                client.send(get(path))
                assert (await client.reply()).status == 200
        assert seen == ["nothing"] * 3

    run(test())


def test_a_cancellation_stays_with_the_request_it_was_meant_for() -> None:
    async def test() -> None:
        async def handler(request: HttpRequest, responder: Responder) -> None:
            task = asyncio.current_task()
            assert task is not None
            if request.path == "/late":
                responder.send(200, ())
                task.cancel()  # nothing waits any more, so that nothing notices
            elif request.path == "/swallowed":
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                responder.send(200, ())
            elif request.path == "/failed":
                raise ValueError
            else:
                await asyncio.sleep(0)
                responder.send(200, (), b"well" if not task.cancelling() else b"marked")

        async with serving(handler) as served:
            for path, status in (("late", 200), ("swallowed", 200), ("failed", 500)):
                client = await served.client()
                client.send(get(path))
                assert (await client.reply()).status == status
                client = await served.client()
                client.send(GET)
                assert (await client.reply()).body == b"well"

    run(test())


def test_as_many_as_are_needed_and_few_that_wait() -> None:
    async def test() -> None:
        go = asyncio.Event()

        async def handler(_: HttpRequest, responder: Responder) -> None:
            await go.wait()
            responder.send(200, ())

        before = len(asyncio.all_tasks())
        async with serving(handler) as served:
            clients = [await served.client() for _ in range(workers.IDLE + 20)]
            for client in clients:
                client.send(GET)
            await served.until(handlers=workers.IDLE + 20)
            go.set()
            for client in clients:
                assert (await client.reply()).status == 200
            await served.until(handlers=0)
            while len(asyncio.all_tasks()) > before + workers.IDLE:  # noqa: ASYNC110
                await asyncio.sleep(0)  # those that end need one step for it
            await served.server.drain(1)
            assert len(asyncio.all_tasks()) == before

    run(test())
