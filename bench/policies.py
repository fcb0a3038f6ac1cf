"""What policies cost a call, in microseconds: `python -m bench.policies`.

Must not know: transports. A chain with the policy and the same chain without it answer the same
calls in turn, in one process; the figure is the median over rounds of the difference of the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import ClassVar

from lockgate.core.cached import ToolRule
from lockgate.core.chain import compose
from lockgate.core.clock import SYSTEM
from lockgate.core.message import Call, ClientFacts, Reply, Result, Target
from lockgate.core.policy import CallNext, Gate, Policy, Stage
from lockgate.core.rate import parse
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.rules import Rule, Rules
from lockgate.core.store import Store
from lockgate.policies.cache import Cache
from lockgate.policies.concurrency import ConcurrencyLimit
from lockgate.policies.rate import RateLimit, SharedRateLimit
from lockgate.stores.memory import MemoryStore
from lockgate.stores.opening import open_store
from lockgate.stores.tiered import Tiered

ROUNDS = 15
CALL = Call(
    method="tools/call",
    client=ClientFacts(era="modern", protocol_version="2026-07-28", name="bench"),
    params=Raw(b'{"name":"echo","arguments":{"text":"hello"}}'),
    target=Target("server", "tool", "echo"),
)
DONE = Result(EMPTY)
TEXT = b'{"content":[{"type":"text","text":"%b"}],"resultType":"complete"}'
SMALL, LARGE = TEXT % b"hello", TEXT % (b"x" * 256 * 1024)
Case = Callable[[], contextlib.AbstractContextManager[list[Policy | Gate]]]


async def answer(_: Call) -> Reply:
    """What every chain ends in."""
    return DONE


def rules(*rates: str) -> Rules:
    """One rule for each principal."""
    return Rules((Rule("principal", tuple(map(parse, rates)), "the gateway"),))


@contextlib.contextmanager
def local(*rates: str) -> Iterator[list[Policy | Gate]]:
    """Counted here."""
    yield [RateLimit(rules(*rates))]


@contextlib.contextmanager
def shared(url: str) -> Iterator[list[Policy | Gate]]:
    """Counted in a store."""
    store: Store = open_store(url)
    limits = RateLimit(rules("1000000/s burst 1000000", "100000000/day burst 100000000"))
    yield [SharedRateLimit(limits, store, SYSTEM)]


@contextlib.contextmanager
def sqlite() -> Iterator[list[Policy | Gate]]:
    """Counted in a file."""
    with tempfile.TemporaryDirectory() as folder, shared(f"sqlite:{Path(folder) / 'x'}") as made:
        yield made


@contextlib.contextmanager
def cached(data: bytes, kept: bool) -> Iterator[list[Policy | Gate]]:
    """A tool whose results are kept, or are not because they say so."""
    hint = b"" if kept else b'"ttlMs":0,'
    result = Result(Raw(b"{" + hint + data[1:]))

    async def instead(call: Call) -> Reply:
        del call
        return result

    made = Cache("server", Tiered(MemoryStore()), tool={"echo": ToolRule(3600.0)}.get)

    class Behind:
        """The cache, before a server that says `result`."""

        name: ClassVar[str] = made.name
        stage: ClassVar[Stage] = made.stage

        def concerns(self, method: str) -> bool:
            return made.concerns(method)

        async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
            del call_next
            return await made(call, instead)

    yield [Behind()]


def cases() -> dict[str, tuple[Case, int]]:
    """What is measured, with how many calls a round has."""
    found: dict[str, tuple[Case, int]] = {
        "rate, one bucket": (lambda: local("1000000/s burst 1000000"), 20_000),
        "rate, one window": (lambda: local("100000000/day"), 20_000),
        "rate, bucket and window": (
            lambda: local("1000000/s burst 1000000", "100000000/day"),
            20_000,
        ),
        "rate, in a SQLite file": (sqlite, 300),
        "cache, small result, hit": (lambda: cached(SMALL, True), 20_000),
        "cache, small result, miss": (lambda: cached(SMALL, False), 20_000),
        "cache, 256 KiB, hit": (lambda: cached(LARGE, True), 5_000),
        "cache, 256 KiB, miss": (lambda: cached(LARGE, False), 2_000),
    }
    if len(sys.argv) > 1:
        found["rate, in a Redis or Valkey server"] = (lambda: shared(sys.argv[1]), 1000)
    return found


async def timed(chain: CallNext, calls: int) -> float:
    """Microseconds for one call."""
    began = perf_counter()
    for _ in range(calls):
        await chain(CALL)
    return (perf_counter() - began) / calls * 1e6


async def difference(policies: list[Policy | Gate], calls: int) -> float:
    """Microseconds a call takes longer with these policies beside the one always there."""
    usual = [ConcurrencyLimit(1000, 1000, 1000)]
    plain, with_them = compose(usual, answer), compose([*usual, *policies], answer)
    found: list[float] = []
    for _ in range(ROUNDS):
        before = await timed(plain, calls)
        found.append(await timed(with_them, calls) - before)
    return statistics.median(found)


def main() -> None:
    """Measure and print each case; a store's address may be given."""
    for name, (case, calls) in cases().items():
        with case() as policies:
            measured: Awaitable[float] = difference(policies, calls)
            print(f"{name:36} {asyncio.run(_awaited(measured)):8.2f} us")


async def _awaited(measured: Awaitable[float]) -> float:
    return await measured


if __name__ == "__main__":
    main()
