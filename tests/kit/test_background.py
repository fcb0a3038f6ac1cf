"""What is done now and then ends with the server, and an error of it ends nothing else."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from lockgate.kit.background import Background
from tests.kit.servers import called, sdk
from tests.support.waiting import settle, until


class Pauses:
    """Pauses that end when told to."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._go = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self._go.acquire()

    async def over(self) -> None:
        self._go.release()
        await settle()


def test_a_job_runs_again_and_again_and_survives_its_errors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        pauses = Pauses()
        background = Background(pause=pauses, jitter=lambda: 0.5)
        runs = 0

        @background.every(60)
        async def clean() -> None:
            nonlocal runs
            runs += 1
            if runs == 1:
                raise KeyError("x")

        async with background:
            await settle()
            assert runs == 0
            await pauses.over()
            await pauses.over()
            assert runs == 2
            assert pauses.asked == [30, 60, 60]
        await pauses.over()
        assert runs == 2

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "clean" in caplog.text


def test_a_job_that_is_slow_never_runs_twice_at_once() -> None:
    async def run() -> None:
        pauses = Pauses()
        running = 0
        background = Background(pause=pauses)

        @background.every(1)
        async def slow() -> None:
            nonlocal running
            running += 1
            await asyncio.Event().wait()

        async with background:
            for _ in range(5):
                await pauses.over()
            assert running == 1

    asyncio.run(run())


def test_what_was_started_once_has_its_grace_and_the_end_its_jobs() -> None:
    async def run() -> None:
        background = Background(grace=0.02)
        seen: list[str] = []
        go = asyncio.Event()

        async def quick() -> None:
            await go.wait()
            seen.append("quick")

        async def endless() -> None:
            await asyncio.Event().wait()

        @background.at_end
        async def first_added() -> None:
            seen.append("last")

        @background.at_end
        async def failing() -> None:
            raise KeyError("x")

        async with background:
            assert background.start(quick())
            assert background.start(endless())
            go.set()
        assert seen == ["quick", "last"]

    asyncio.run(run())


def test_there_is_room_for_so_many_and_none_outside_of_the_server() -> None:
    async def nothing() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        background = Background(most=2, grace=0)
        with pytest.raises(RuntimeError, match="not begun"):
            background.start(nothing())
        async with background:
            assert [background.start(nothing()) for _ in range(3)] == [True, True, False]

    asyncio.run(run())
    with pytest.raises(ValueError, match="time between"):
        Background().every(0)


@pytest.mark.parametrize("number", [0, 1])
def test_it_is_a_lifespan_of_both_sdks(number: int) -> None:
    seen: list[str] = []

    async def run() -> None:
        background = Background(jitter=lambda: 0.0)
        server: Any = sdk(number, lifespan=background.lifespan)
        began = asyncio.Event()

        @background.every(3600)
        async def job() -> None:
            began.set()

        @background.at_end
        async def end() -> None:
            seen.append("end")

        @server.tool()
        async def wait() -> str:
            await began.wait()
            return "began"

        assert wait is not None
        assert await called(server, "wait") == (False, "began")
        await until(lambda: seen)

    asyncio.run(run())
    assert seen == ["end"]
