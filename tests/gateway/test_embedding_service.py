"""Tools found by meaning with an embedder that is a service: when, by whose vectors, without it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.core.clock import SYSTEM
from lockgate.gateway import meaning as module
from lockgate.gateway import minilm
from lockgate.gateway.embedder import RemoteEmbedder
from lockgate.gateway.embedding import PAUSE, PROBE, InThreads
from lockgate.gateway.meaning import DOUBT, MOST_LATE, Meaning
from lockgate.gateway.searching import Library, View
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing.clock import ManualClock
from tests.gateway.test_searching import face
from tests.support.embedding import KEY, Service, otherwise, service
from tests.support.waiting import until

pytest.importorskip("numpy")

NAMES = ("drive", "read", "post")


async def _at_once(_: float) -> None:
    return


class Finding:
    """Finds among a few tools with one embedder."""

    def __init__(self, one: Service, clock: Any, store: SqliteStore | None, **more: Any) -> None:
        embedder = RemoteEmbedder(one.embedder(**more), pause=_at_once)
        self.meaning = Meaning(embedder, store, clock)
        self.library = Library(self.meaning)
        self.searches = self.meaning.meter.searches

    async def view(self, *names: str) -> View:
        return await self.library.view("ann", face(*(names or NAMES)))

    async def find(self, query: str, *names: str) -> list[str]:
        view = await self.view(*names)
        near = await self.library.near(view, query)
        hits = view.scope.search(query, 10, meaning=near)
        return [view.names[hit.number].removeprefix("s__") for hit in hits]

    @property
    def phase(self) -> str:
        assert self.library.semantic is not None
        return self.library.semantic.phase


Play = Callable[[Service, Finding], Awaitable[None]]


def played(work: Play, clock: Any = SYSTEM, path: Path | None = None, **more: Any) -> Service:
    """Play it with a service and a finder of its own; the service as it was left."""

    async def bounded() -> Service:
        async with asyncio.timeout(20), service() as made:
            store = None if path is None else SqliteStore(path)
            finding = Finding(made, clock, store, **more)
            try:
                await work(made, finding)
            finally:
                await finding.meaning.close()
            return made

    return asyncio.run(bounded())


def test_words_until_all_is_embedded_and_meaning_then() -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        one.go.clear()
        work = asyncio.create_task(finding.library.keep_embedding())
        await until(lambda: one.asked)
        assert await finding.find("limousine") == []
        assert finding.phase == "building"
        one.go.set()
        await until(lambda: finding.phase == "ready")
        assert await finding.find("limousine") == ["drive"]
        assert await finding.find("limousine") == ["drive"]
        # The probe alone, all tools in one request, and the query once.
        assert [len(body["input"]) for body in one.bodies] == [1, 4, 1]
        assert finding.searches == {"building": 1, "meaning": 2}
        assert await finding.find("letter", *NAMES, "erase") == []
        await until(lambda: finding.phase == "ready")
        assert await finding.find("letter", *NAMES, "erase") == ["post"]
        assert len(one.tools()) == len(set(one.tools())) == 4
        work.cancel()

    played(work)


def test_tools_go_in_batches_and_only_so_many_requests_at_once() -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view(*(f"tool{number}" for number in range(23)))
        one.go.clear()
        work = asyncio.create_task(finding.library.embed())
        await until(lambda: one.asked)
        one.go.set()
        await until(lambda: len(one.asked) > 1)
        assert await work
        sizes = [len(body["input"]) - 1 for body in one.bodies]
        assert sizes[0] == 0
        assert max(sizes) == 4
        assert sum(sizes) == 23
        assert one.most_running <= 2

    played(work, batch=4, at_once=2)


def test_vectors_are_kept_under_where_and_what_they_come_from(tmp_path: Path) -> None:
    path = tmp_path / "vectors.sqlite"

    async def life(one: Service, finding: Finding) -> None:
        finding.meaning._embedder.name = name
        await finding.view()
        assert await finding.library.embed()
        assert await finding.find("limousine") == ["drive"]

    name = "remote-1"
    assert len(played(life, path=path).tools()) == 3
    # Again nothing but the probe and the query.
    assert played(life, path=path).said == [PROBE, "limousine"]
    name = "remote-2"
    assert len(played(life, path=path).tools()) == 3
    assert KEY.encode() not in b"".join(one.read_bytes() for one in tmp_path.iterdir())


def test_another_model_behind_the_same_name_makes_all_vectors_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "vectors.sqlite"

    async def first(one: Service, finding: Finding) -> None:
        finding.meaning._embedder.name = "remote"
        await finding.view()
        assert await finding.library.embed()

    async def later(one: Service, finding: Finding) -> None:
        one.embeds = otherwise
        await first(one, finding)
        assert await finding.find("limousine") == ["drive"]

    played(first, path=path)
    assert len(played(later, path=path).tools()) == 3
    # It is a third one by now, and that is noticed only when there is reason to look.
    clock = ManualClock()

    async def meanwhile(one: Service, finding: Finding) -> None:
        await first(one, finding)
        assert await finding.find("limousine") == ["drive"]
        one.embeds = otherwise
        await finding.find("letter")
        assert finding.phase == "ready"
        clock.advance(DOUBT + 1)
        assert await finding.find("a new car") == []
        assert finding.phase == "building"
        assert await finding.library.embed()
        assert await finding.find("a new car") == ["drive"]
        assert await finding.find("letter") == ["post"]
        assert len(one.tools()) == 6
        # So is one whose vectors are of another length, at once.
        clock.advance(DOUBT / 2)
        one.embeds = lambda text: [*otherwise(text), 0.0]
        assert await finding.find("vehicles of rain") == []
        assert finding.phase == "failed"
        # Two that take turns do not have all embedded again and again.
        clock.advance(2)
        assert not await finding.library.embed()
        assert len(one.tools()) == 6
        clock.advance(DOUBT / 2)
        assert await finding.library.embed()
        assert await finding.find("vehicle") == ["drive"]

    played(meanwhile, clock=clock)
    assert sum("another model" in one.message for one in caplog.records) == 2


def test_a_batch_of_another_model_is_never_kept_beside_the_others() -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        assert await finding.library.embed()
        one.embeds = otherwise
        await finding.view(*NAMES, "erase")
        assert not await finding.library.embed()
        assert await finding.library.embed()
        assert await finding.find("limousine", *NAMES, "erase") == ["drive"]
        assert len(one.tools()) == 3 + 1 + 4

    played(work)


async def together(one: Service, finding: Finding) -> None:
    """Four who search at once; all but one of them get an answer before the service answers."""
    one.go.clear()
    trying = [asyncio.create_task(finding.find(f"car {number}")) for number in range(4)]
    await until(lambda: one.running)
    await until(lambda: sum(task.done() for task in trying) == 3)
    one.go.set()
    await asyncio.gather(*trying)


def test_one_that_is_down_is_asked_again_later_each_time_and_by_one_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()

    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        assert await finding.library.embed()
        one.wrong = lambda _: (503, (), b"")
        assert await finding.find("limousine") == []
        assert finding.phase == "failed"
        status = finding.library.semantic
        assert status is not None
        assert (status.code, status.retry_in) == ("LG-524", 1.0)
        asked = len(one.asked)
        assert await finding.find("drive") == ["drive"]
        assert len(one.asked) == asked
        rests: list[float] = []
        for _ in range(8):
            clock.advance(finding.meaning.pause + 0.01)
            await together(one, finding)
            asked += 1
            assert len(one.asked) == asked
            rests.append(round(finding.meaning.pause))
        assert rests == [2, 4, 8, 16, 32, 60, 60, 60]
        one.wrong = None
        clock.advance(61)
        # Found out in the background, by the probe alone.
        assert await finding.library.embed()
        assert one.bodies[-1]["input"] == [PROBE]
        assert await finding.find("limousine") == ["drive"]
        assert finding.searches["meaning"] == 1
        assert finding.searches["failed"] == 2 + 8 * 4

    caplog.set_level(logging.INFO, "lockgate.gateway")
    played(work, clock=clock)
    told = [one.getMessage() for one in caplog.records if "words alone" in one.getMessage()]
    assert len(told) == 1
    assert "[LG-524]" in told[0]
    assert KEY not in caplog.text
    assert "limousine" not in caplog.text


def test_what_is_no_passing_trouble_rests_for_long() -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        one.wrong = lambda _: (401, (), b"")
        assert not await finding.library.embed()
        assert finding.meaning.pause == PAUSE
        assert len(one.asked) == 1
        assert finding.phase == "failed"
        assert await finding.find("drive") == ["drive"]
        assert finding.searches == {"failed": 1}

    played(work, clock=ManualClock())


def test_a_slow_one_keeps_nobody_waiting_and_what_comes_late_is_not_lost() -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        assert await finding.library.embed()
        one.go.clear()
        assert await finding.find("limousine") == []
        await until(lambda: one.running)
        # The same query is not sent again while it is under way.
        assert await finding.find("limousine") == []
        assert len(one.asked) == 3
        assert finding.searches == {"late": 2}
        one.go.set()
        await until(lambda: finding.meaning._queries)
        assert await finding.find("limousine") == ["drive"]
        assert finding.phase == "ready"

    played(work, wait=0.02)


def test_after_several_late_ones_nobody_waits_until_one_was_in_time() -> None:
    clock = ManualClock()

    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        assert await finding.library.embed()
        for number in range(MOST_LATE):
            one.go.clear()
            searching = asyncio.create_task(finding.find(f"limousine {number}"))
            await until(lambda: one.running)
            clock.advance(11)
            one.go.set()
            assert await searching == ["drive"]
        one.go.clear()
        assert await finding.find("limousine") == []
        assert finding.searches == {"meaning": MOST_LATE, "late": 1}
        one.go.set()
        await until(lambda: finding.meaning._late == 0)
        assert await finding.find("vehicle") == ["drive"]

    played(work, clock=clock)


def test_only_so_many_queries_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        assert await finding.library.embed()
        monkeypatch.setattr(module, "MOST_WAITING", 2)
        one.go.clear()
        asking = [asyncio.create_task(finding.find(f"car {n}")) for n in range(2)]
        await until(lambda: one.running == 2)
        assert await finding.find("car 2") == []
        assert finding.searches == {"busy": 1}
        one.go.set()
        assert await asyncio.gather(*asking) == [["drive"]] * 2

    played(work)


def test_the_end_waits_for_no_answer() -> None:
    async def work(one: Service, finding: Finding) -> None:
        await finding.view()
        assert await finding.library.embed()
        one.go.clear()
        searching = asyncio.create_task(finding.find("limousine"))
        await until(lambda: one.running)
        await finding.meaning.close()
        assert await searching == []
        assert await finding.find("vehicle") == []
        assert await finding.meaning.vectors(["something else"]) is None

    played(work)


@pytest.mark.skipif(not minilm.installed(), reason="lockgate[semantic] is not installed")
def test_the_same_model_ranks_the_same_wherever_it_runs() -> None:
    """Through each shape: to the last bit, with no figure more or less on the way."""
    loaded = minilm.MiniLm()
    names = ("send_email", "resize_image", "list_invoices", "rotate_image", "read_mail")
    queries = ("make a photo smaller", "unpaid bills", "post office", "image", "send_email")

    async def found(meaning: Meaning) -> list[Any]:
        library = Library(meaning)
        view = await library.view("ann", face(*names))
        assert await library.embed()
        near = [await library.near(view, query) for query in queries]
        await meaning.close()
        assert None not in near
        return [
            view.scope.search(query, 10, meaning=one)
            for query, one in zip(queries, near, strict=True)
        ]

    async def play() -> None:
        inside = await found(Meaning(InThreads(lambda: loaded, minilm.EDITION)))
        async with service() as one:
            one.embeds = lambda text: list(loaded.embed([text])[0])
            for shape in ("openai", "ollama", "tei"):
                assert await found(Meaning(RemoteEmbedder(one.embedder(shape=shape)))) == inside

    asyncio.run(play())
