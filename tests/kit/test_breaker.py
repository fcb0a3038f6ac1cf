"""What does not answer is not asked for a while, and asked again when it may."""

from __future__ import annotations

import asyncio

import pytest

from lockgate.kit.breaker import Breaker, Breakers, breaker
from lockgate.kit.errors import InvalidInput, Unavailable
from lockgate.testing import ManualClock


async def used(one: Breaker, error: Exception | None = None) -> bool:
    """Use it once; False: it is open."""
    try:
        async with one.use():
            if error is not None:
                raise error
    except Unavailable as refused:
        return refused is error
    except Exception as raised:
        return raised is error
    return True


def test_it_opens_rests_probes_and_closes() -> None:
    async def run() -> None:
        clock = ManualClock()
        seen: list[str] = []
        one = Breaker(
            "the archive", minimum=4, rest=5, probes=2, clock=clock, on_change=seen.append
        )
        for _ in range(4):
            assert await used(one, ConnectionError())
        assert one.state == "open"
        with pytest.raises(Unavailable, match="the archive has not been answering") as caught:
            async with one.use():
                raise AssertionError("let in")
        assert caught.value.retry_after == pytest.approx(5, abs=0.01)
        clock.advance(5.001)
        assert await used(one)
        assert one.state == "half-open"
        assert await used(one)
        assert seen == ["open", "half-open", "closed"]

    asyncio.run(run())


def test_a_failed_probe_makes_it_rest_longer() -> None:
    async def run() -> None:
        clock = ManualClock()
        one = Breaker("x", minimum=1, rest=5, clock=clock)
        await used(one, TimeoutError())
        clock.advance(5.001)
        await used(one, TimeoutError())
        assert one.state == "open"
        clock.advance(5.001)
        assert not await used(one)
        clock.advance(5)
        assert await used(one)

    asyncio.run(run())


def test_errors_that_are_answers_and_cancellations_open_nothing() -> None:
    async def run() -> None:
        one = Breaker("x", minimum=2, clock=ManualClock())
        for _ in range(10):
            await used(one, InvalidInput("no"))
            await used(one, KeyError("no"))
            with pytest.raises(asyncio.CancelledError):
                async with one.use():
                    raise asyncio.CancelledError
        assert one.state == "closed"
        other = Breaker("x", minimum=2, clock=ManualClock(), on=(KeyError,))
        await used(other, KeyError("no"))
        await used(other, KeyError("no"))
        assert other.state == "open"

    asyncio.run(run())


def test_as_a_decorator_it_guards_each_call() -> None:
    calls = 0

    @Breaker("x", minimum=2, clock=ManualClock())
    async def work() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionError

    async def run() -> None:
        for _ in range(5):
            with pytest.raises((ConnectionError, Unavailable)):
                await work()

    asyncio.run(run())
    assert calls == 2
    with pytest.raises(TypeError, match="async"):
        breaker("x")(lambda: None)  # type: ignore[arg-type,return-value] # pyright: ignore[reportArgumentType] - that is the test


def test_of_many_things_each_has_its_own_and_few_are_kept() -> None:
    async def run() -> None:
        clock = ManualClock()
        every = Breakers(lambda name: Breaker(name, minimum=1, clock=clock), most=3)
        await used(every.of("a"), ConnectionError())
        assert every.states() == {"a": "open"}
        assert await used(every.of("b"))
        assert not await used(every.of("a"))
        for name in "cde":
            every.of(name)
        assert len(every) == 3
        assert every.states() == {}

    asyncio.run(run())
