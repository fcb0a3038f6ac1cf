"""Many deadlines, one timer."""

import asyncio

import pytest

from lockgate.upstreams.deadlines import Deadlines
from tests.upstreams.calls import run
from tests.upstreams.test_supervisor import Hands


def test_only_what_is_late_ends_and_says_so() -> None:
    async def test() -> None:
        clock = Hands()
        deadlines = Deadlines(clock)

        async def work(due: float) -> str:
            watch = deadlines.enter(due)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if watch.late():
                    return "late"
                raise
            finally:
                deadlines.leave(watch)
            return "done"

        early, later, both = [asyncio.create_task(work(1000 + n)) for n in (5, 50, 6)]
        await asyncio.sleep(0)
        assert len(deadlines) == 3
        clock.now += 10
        both.cancel()
        deadlines.look()
        assert await early == "late"
        with pytest.raises(asyncio.CancelledError):
            await both
        assert not later.done()
        later.cancel()
        with pytest.raises(asyncio.CancelledError):
            await later
        assert len(deadlines) == 0
        deadlines.stop()

    run(test())


def test_the_timer_fires_for_the_soonest() -> None:
    async def test() -> None:
        deadlines = Deadlines()
        loop = asyncio.get_running_loop()
        order: list[float] = []

        async def work(seconds: float) -> None:
            watch = deadlines.enter(loop.time() + seconds)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                assert watch.late()
                order.append(seconds)
            finally:
                deadlines.leave(watch)

        await asyncio.gather(*[work(seconds) for seconds in (0.09, 0.03, 0.06)])
        assert order == [0.03, 0.06, 0.09]

    run(test())
