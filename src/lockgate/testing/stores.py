"""What every store must do, as tests: for the shipped stores, and for the one you write.

Must not know: any particular store, pytest. Make a class of it that pytest collects:

    class TestMyStore(StoreConformance):
        @asynccontextmanager
        async def opened(self) -> AsyncIterator[Store]:
            store = MyStore(...)           # empty, and for this test alone
            yield store
            await store.close()

        async def pass_time(self, seconds: float) -> None:
            self.clock.advance(seconds)    # or really wait, if the store has its own clock
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from lockgate.core.rate import Rate, parse
from lockgate.core.store import Demand, Store

FAST = parse("5/s burst 3")
SLOW = parse("4/s")
LONG = 60.0
SHORT = 0.15


class StoreConformance:
    """See the module. Each test opens a store of its own.

    exact       the store counts by the clock that `pass_time` moves, so that waits are exact.
    max_bytes   how much the opened store keeps of blobs, for the test of its bound; None: that is
                somebody else's to bound, and the test passes.
    max_entry   the largest blob the opened store keeps.
    max_journal entries one of its streams keeps.
    """

    exact = True
    max_bytes: int | None = 100_000
    max_entry = 20_000
    max_journal = 50

    def opened(self) -> AbstractAsyncContextManager[Store]:
        """An empty store with the bounds above."""
        raise NotImplementedError

    async def pass_time(self, seconds: float) -> None:
        """Let this much time pass for the store."""
        raise NotImplementedError

    def _run(self, test: Callable[[Store], Awaitable[None]]) -> None:
        async def run() -> None:
            async with asyncio.timeout(60), self.opened() as store:
                await test(store)

        asyncio.run(run())

    def test_a_blob_comes_back_as_it_was(self) -> None:
        """Any bytes, any key, the last one wins."""

        async def test(store: Store) -> None:
            for value in (b"", b"\0\xff" * 100, b"x" * self.max_entry):
                await store.put("a key/with: anything \u00e9\u0000*", value, LONG)
                assert await store.get("a key/with: anything \u00e9\u0000*") == value
            assert await store.get("another") is None

        self._run(test)

    def test_a_blob_ends_with_its_time(self) -> None:
        """Not before, and not after."""

        async def test(store: Store) -> None:
            await store.put("short", b"1", SHORT)
            await store.put("long", b"2", LONG)
            assert await store.get("short") == b"1"
            await self.pass_time(SHORT + 0.05)
            assert await store.get("short") is None
            assert await store.get("long") == b"2"
            await store.put("never", b"3", 0.0)
            assert await store.get("never") is None

        self._run(test)

    def test_what_is_too_large_is_not_kept_and_replaces(self) -> None:
        """The old value is gone: it is no longer what was put last."""

        async def test(store: Store) -> None:
            await store.put("key", b"old", LONG)
            await store.put("key", b"x" * (self.max_entry + 1), LONG)
            assert await store.get("key") is None

        self._run(test)

    def test_deleted_is_gone(self) -> None:
        """Also what never was."""

        async def test(store: Store) -> None:
            await store.put("key", b"1", LONG, ("group",))
            await store.delete("key")
            await store.delete("key")
            assert await store.get("key") is None

        self._run(test)

    def test_a_group_is_dropped_as_a_whole_and_nothing_else(self) -> None:
        """A blob may be in several groups; a new value is in the groups it was put with."""

        async def test(store: Store) -> None:
            await store.put("a", b"a", LONG, ("one", "two"))
            await store.put("b", b"b", LONG, ("two",))
            await store.put("c", b"c", LONG, ("three",))
            await store.put("d", b"d", LONG)
            await store.drop("one")
            found = [await store.get(key) for key in "abcd"]
            assert found == [None, b"b", b"c", b"d"]
            await store.drop("two")
            await store.drop("nobody is in it")
            found = [await store.get(key) for key in "abcd"]
            assert found == [None, None, b"c", b"d"]

        self._run(test)

    def test_blobs_are_bounded_in_bytes(self) -> None:
        """The newest is there, and all together are no more than the bound."""
        bound = self.max_bytes
        if bound is None:
            return

        async def test(store: Store) -> None:
            size = self.max_entry // 2
            count = 3 * bound // size
            for number in range(count):
                await store.put(str(number), b"x" * size, LONG, ("all",))
            kept = [n for n in range(count) if await store.get(str(n)) is not None]
            assert count - 1 in kept
            assert 0 < len(kept) * size <= bound

        self._run(test)

    def test_sweeping_keeps_what_is_alive(self) -> None:
        """And lets go of the rest."""

        async def test(store: Store) -> None:
            await store.put("short", b"1", SHORT, ("group",))
            await store.put("long", b"2", LONG, ("group",))
            await self.pass_time(SHORT + 0.05)
            await store.sweep()
            assert await store.get("long") == b"2"
            assert await store.get("short") is None

        self._run(test)

    def test_a_bucket_admits_its_burst_and_then_its_rate(self) -> None:
        """What is refused says when it will not be."""

        async def test(store: Store) -> None:
            asked = [Demand("who", (FAST,))]
            waits = [(await store.take(asked)).wait for _ in range(4)]
            assert waits[:3] == [0.0, 0.0, 0.0]
            self._about(waits[3], 0.2)
            await self.pass_time(waits[3])
            assert (await store.take(asked)).wait == 0.0
            assert (await store.take(asked)).wait > 0.0

        self._run(test)

    def test_a_window_admits_its_limit(self) -> None:
        """And again once the window has passed."""

        async def test(store: Store) -> None:
            asked = [Demand("who", (SLOW,))]
            waits = [(await store.take(asked)).wait for _ in range(5)]
            assert waits[:4] == [0.0] * 4
            self._about(waits[4], 1.0)
            await self.pass_time(waits[4])
            assert (await store.take(asked)).wait == 0.0

        self._run(test)

    def test_who_waits_as_long_as_it_was_told_is_admitted(self) -> None:
        """However the moments fall between microseconds."""

        async def test(store: Store) -> None:
            asked = [Demand("who", (parse("90/s burst 1"), parse("40/s")))]
            for _ in range(60):
                wait = (await store.take(asked)).wait
                if wait:
                    await self.pass_time(wait)
                    assert (await store.take(asked)).wait == 0.0

        self._run(test)

    def test_several_rates_hold_together_or_count_nothing(self) -> None:
        """A refusal by one rate or one demand takes nothing from the others."""

        async def test(store: Store) -> None:
            one, both = Rate(100, 60, 1, "one"), Rate(3, 60, None, "three")
            first, second = Demand("a", (both,)), Demand("b", (both, one))
            assert (await store.take([first, second])).wait == 0.0
            refused = await store.take([first, second])
            assert (refused.demand, refused.rate) == (1, 1)
            assert (await store.take([first])).wait == 0.0
            assert (await store.take([first])).wait == 0.0
            refused = await store.take([first])
            assert refused.wait > 0.0

        self._run(test)

    def test_callers_are_counted_apart(self) -> None:
        """One caller's meters are nobody else's."""

        async def test(store: Store) -> None:
            rate = Rate(1, 60)
            assert (await store.take([Demand("a", (rate,))])).wait == 0.0
            assert (await store.take([Demand("a", (rate,))])).wait > 0.0
            assert (await store.take([Demand("b", (rate,))])).wait == 0.0

        self._run(test)

    def test_many_at_once_are_no_more_than_the_limit(self) -> None:
        """Counting is atomic."""

        async def test(store: Store) -> None:
            asked = [Demand("who", (Rate(10, 60), Rate(60, 3600)))]
            taken = await asyncio.gather(*(store.take(asked) for _ in range(50)))
            assert sum(one.wait == 0.0 for one in taken) == 10

        self._run(test)

    def test_a_journal_gives_entries_in_order_and_from_any_point(self) -> None:
        """Streams do not mix."""

        async def test(store: Store) -> None:
            numbers = [await store.append("s", b"%d" % n) for n in range(10)]
            await store.append("other", b"x")
            assert numbers == sorted(set(numbers))
            entries = await store.read("s")
            assert [entry.data for entry in entries] == [b"%d" % n for n in range(10)]
            assert [entry.number for entry in entries] == numbers
            later = await store.read("s", numbers[6], 2)
            assert [entry.data for entry in later] == [b"7", b"8"]
            assert await store.read("s", numbers[-1]) == []
            assert await store.read("nobody wrote it") == []

        self._run(test)

    def test_a_journal_is_bounded(self) -> None:
        """The newest entries stay, and numbers go on."""

        async def test(store: Store) -> None:
            written = range(self.max_journal + 10)
            numbers = [await store.append("s", b"%d" % number) for number in written]
            entries = await store.read("s", 0, 10_000)
            assert len(entries) == self.max_journal
            assert entries[-1].number == numbers[-1]
            assert entries[-1].data == b"%d" % (self.max_journal + 9)

        self._run(test)

    def _about(self, wait: float, expected: float) -> None:
        if self.exact:
            # Told a little longer than it is, so that it is enough on any clock.
            assert expected < wait <= expected + 0.0011
        else:
            assert 0 < wait <= expected
