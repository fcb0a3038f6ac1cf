from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.context.transcript import FEWEST, Transcript
from lockgate.kit.memory import SUMMARY, Memory, Turn
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing import ManualClock
from lockgate.wire.seal import KeyRing


def words(text: str) -> int:
    return len(text.split())


SAID = st.lists(
    st.tuples(st.integers(1, 60), st.booleans(), st.none() | st.integers(0, 200)), max_size=30
)


@given(SAID, st.integers(FEWEST, 200), st.integers(0, 3), st.integers(1, 5))
def test_the_budget_holds_and_nothing_goes_unsaid(
    said: list[tuple[int, bool, int | None]], budget: int, first: int, last: int
) -> None:
    transcript = Transcript(budget, words, first=first, last=last)
    pinned: list[str] = []
    added = 0
    for number, (length, pin, summary) in enumerate(said):
        text = " ".join([f"t{number}", *["w"] * length])
        try:
            transcript.add("user", text, pinned=pin)
        except ValueError:
            assert pin
            continue
        added += 1
        pinned += [text] if pin else []
        transcript.fold(transcript.excess(), None if summary is None else "s " * summary)
        assert transcript.tokens <= budget
        assert sum(turn.stands for turn in transcript.turns) == added
        assert [turn.text for turn in transcript.turns if turn.pinned] == pinned
        assert transcript.turns[-1].text.startswith(f"t{number}") or not transcript.turns[-1].text
        assert sum(turn.role == SUMMARY for turn in transcript.turns) <= 2


def test_what_is_between_the_first_and_the_last_makes_room() -> None:
    async def main() -> None:
        seen: list[int] = []

        def summarise(turns: Sequence[Turn], room: int) -> str:
            seen.append(room)
            return "in short: " + " ".join(turn.text.split()[0] for turn in turns)

        memory = Memory(budget=120, first=1, last=2, summarise=summarise, count=words)
        for number in range(12):
            await memory.add("s", "user", f"t{number} " + "w " * 10)
        turns = await memory.turns("s")
        assert [turn.text.split()[0] for turn in (turns[0], *turns[-2:])] == ["t0", "t10", "t11"]
        assert turns[1].role == SUMMARY
        assert turns[1].text.startswith("in short:")
        assert set(seen) == {30}
        assert await memory.tokens("s") <= 120

    asyncio.run(main())


def test_without_a_model_it_says_how_much_is_missing() -> None:
    async def main() -> None:
        async def broken(turns: Sequence[Turn], room: int) -> str:
            raise RuntimeError(f"{turns} {room}")

        for summarise in (None, broken):
            memory = Memory(budget=100, last=1, summarise=summarise, count=words)
            for _ in range(10):
                await memory.add("s", "user", "w " * 20)
            turns = await memory.turns("s")
            missing = next(turn for turn in turns if turn.role == SUMMARY)
            assert missing.text.startswith(f"[{missing.stands} turns left out here")
            assert missing.stands == 10 - (len(turns) - 1)

    asyncio.run(main())


def test_one_that_fits_not_even_alone_is_cut() -> None:
    async def main() -> None:
        memory = Memory(budget=100, count=words)
        await memory.add("s", "user", " ".join(f"w{number}" for number in range(1000)))
        (turn,) = await memory.turns("s")
        assert turn.text.startswith("w0 ")
        assert turn.text.endswith("w999")
        assert "characters …]" in turn.text
        assert await memory.tokens("s") <= 100

    asyncio.run(main())


def test_a_session_is_its_owners_and_ends() -> None:
    async def main() -> None:
        clock = ManualClock()
        memory = Memory(ttl=60, clock=clock)
        await memory.add("s", "user", "mine", owner="me")
        assert await memory.turns("s", owner="you") == ()
        assert await memory.turns("s") == ()
        clock.advance(59)
        await memory.add("s", "assistant", "still mine", owner="me")
        clock.advance(59)
        assert [turn.text for turn in await memory.turns("s", owner="me")] == ["mine", "still mine"]
        clock.advance(1)
        assert await memory.turns("s", owner="me") == ()
        await memory.add("s", "user", "anew", owner="me")
        await memory.forget("s", owner="me")
        assert await memory.turns("s", owner="me") == ()

    asyncio.run(main())


def test_what_is_said_at_once_is_all_remembered() -> None:
    async def main() -> None:
        memory = Memory()
        await asyncio.gather(*(memory.add("s", "user", f"{number}") for number in range(20)))
        assert len(await memory.turns("s")) == 20

    asyncio.run(main())


def _all_of(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir())


def test_on_disk_it_is_sealed(tmp_path: Path) -> None:
    async def main() -> None:
        keys = KeyRing.generate()
        store = SqliteStore(tmp_path / "memory.db")
        await Memory(store, keys=keys).add("s", "user", "very secret")
        assert b"very secret" not in await asyncio.to_thread(_all_of, tmp_path)
        assert (await Memory(store, keys=keys).turns("s"))[0].text == "very secret"
        assert await Memory(store).turns("s") == ()
        await store.close()

    asyncio.run(main())


def test_a_budget_too_small_and_pins_without_end_are_refused() -> None:
    async def main() -> None:
        memory = Memory(budget=100, count=words)
        with pytest.raises(ValueError, match="half of the budget"):
            await memory.add("s", "user", "w " * 60, pinned=True)
        assert await memory.turns("s") == ()

    with pytest.raises(ValueError, match="budget"):
        Memory(budget=FEWEST - 1)
    asyncio.run(main())
