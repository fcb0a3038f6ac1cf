"""Tools found by what is meant: when, from what, for whom, and what happens where that fails."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.core.clock import SYSTEM
from lockgate.errors import LockgateError
from lockgate.gateway import embedding, minilm, semantic
from lockgate.gateway import meaning as module
from lockgate.gateway.embedding import PAUSE, InThreads
from lockgate.gateway.meaning import Meaning
from lockgate.gateway.nearness import Near
from lockgate.gateway.searching import Library, View
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing.clock import ManualClock
from tests.fronts.served import run
from tests.gateway.test_discovery import peer, said, tool
from tests.gateway.test_searching import face
from tests.security.world import before
from tests.support.waiting import until

pytest.importorskip("numpy")

CONCEPTS = ({"car", "limousine", "vehicle", "drive"}, {"mail", "letter", "post"}, {"rain"})


class Model:
    """Knows a few words that mean the same, and counts what it is asked.

    texts   what it was given, in order.
    broken  it fails.
    go      while it is not set, whoever asks waits.
    """

    edition = "fake-1"

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.broken = False
        self.loaded = 0
        self.go = threading.Event()
        self.go.set()

    def __call__(self) -> Model:
        self.loaded += 1
        return self

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        assert threading.current_thread() is not threading.main_thread()
        self.texts += texts
        assert self.go.wait(20)
        if self.broken:
            raise RuntimeError("no such operator")
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> list[float]:
        words = set(text.lower().replace(".", " ").split())
        found = [float(len(words & concept)) for concept in CONCEPTS] + [0.1]
        size = math.hypot(*found)
        return [one / size for one in found]


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def installed(model: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The model in the place of the real one, for whole gateways."""
    monkeypatch.setattr(minilm, "MiniLm", model)
    monkeypatch.setattr(minilm, "installed", lambda: True)
    return model


async def find(library: Library, view: View, query: str) -> list[str]:
    near = await library.near(view, query)
    return [view.names[hit.number] for hit in view.scope.search(query, 10, meaning=near)]


def embedded(library: Library) -> int:
    """How many tools have their vector."""
    assert library.semantic is not None
    return library.semantic.embedded


def meaning_of(model: Model, store: SqliteStore | None = None, clock: Any = SYSTEM) -> Meaning:
    return Meaning(InThreads(model, model.edition), store, clock)


def test_found_by_words_until_all_is_embedded_and_then_by_meaning_too(model: Model) -> None:
    async def play() -> None:
        meaning = meaning_of(model)
        library = Library(meaning)
        model.go.clear()
        view = await library.view("ann", face("drive", "read"))
        work = asyncio.create_task(library.keep_embedding())
        await until(lambda: model.texts)
        # It is at work, and nobody waits for it.
        assert await find(library, view, "limousine") == []
        assert await find(library, view, "drive") == ["s__drive"]
        model.go.set()
        await until(lambda: embedded(library) == 2)
        assert await find(library, view, "limousine") == ["s__drive"]
        # What changes is embedded, once; the rest is not embedded again, nor is any query.
        count = len(model.texts)
        view = await library.view("ann", face("drive", "read", "post"))
        await until(lambda: embedded(library) == 3)
        assert await find(library, view, "letter") == ["s__post"]
        assert await find(library, view, "letter") == ["s__post"]
        assert await find(library, view, "limousine") == ["s__drive"]
        assert len(model.texts) == count + 2
        assert model.loaded == 1
        assert meaning.made == 3
        work.cancel()
        await meaning.close()

    asyncio.run(play())


def test_vectors_outlive_the_process_and_belong_to_one_model(model: Model, tmp_path: Path) -> None:
    async def life(using: Model) -> int:
        meaning = meaning_of(using, SqliteStore(tmp_path / "vectors.sqlite"))
        library = Library(meaning)
        view = await library.view("ann", face("drive", "read"))
        assert await library.embed()
        assert await find(library, view, "limousine") == ["s__drive"]
        await meaning.close()
        return meaning.made

    assert asyncio.run(life(model)) == 2
    assert asyncio.run(life(Model())) == 0
    other = Model()
    other.edition = "fake-2"
    assert asyncio.run(life(other)) == 2
    # A file that is none costs time and nothing else.
    for part in tmp_path.iterdir():
        part.write_bytes(b"no database, whatever its name says" * 100)
    assert asyncio.run(life(Model())) == 2


def test_nobody_finds_or_feels_what_they_may_not_see(model: Model) -> None:
    async def play() -> None:
        meaning = meaning_of(model)
        library = Library(meaning)
        names = ("drive", "vehicle", "read", "post")
        every = await library.view("ann", face(*names))
        some = await library.view("bob", face("vehicle", "read"))
        assert await library.embed()
        assert await find(library, every, "limousine") == ["s__drive", "s__vehicle"]
        assert await find(library, some, "limousine") == ["s__vehicle"]
        near = await library.near(some, "limousine")
        assert near is not None
        assert near.keys() <= some.names.keys()
        # The same scores as where nothing else has ever been.
        alone = Library(meaning)
        view = await alone.view("bob", face("vehicle", "read"))
        assert await alone.embed()
        assert meaning.made == 4
        hits = [
            one.scope.search("limousine rain", 9, meaning=await of.near(one, "limousine rain"))
            for of, one in ((library, some), (alone, view))
        ]
        assert [hit[1:] for hit in hits[0]] == [hit[1:] for hit in hits[1]]
        # Whoever waits for the vector of one tool does not keep it from others.
        more = await library.view("ann", face(*names, "mail"))
        assert await library.near(more, "limousine") is None
        assert await find(library, some, "limousine") == ["s__vehicle"]
        await meaning.close()

    asyncio.run(play())


def test_a_model_that_fails_is_left_alone_for_a_while(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        clock = ManualClock()
        meaning = meaning_of(model, clock=clock)
        library = Library(meaning)
        model.broken = True
        view = await library.view("ann", face("drive"))
        assert not await library.embed()
        asked = len(model.texts)
        assert not await library.embed()
        assert await find(library, view, "drive") == ["s__drive"]
        assert len(model.texts) == asked
        clock.advance(PAUSE + 1)
        model.broken = False
        assert await library.embed()
        assert await find(library, view, "limousine") == ["s__drive"]
        model.broken = True
        assert await find(library, view, "vehicle of rain") == []
        await meaning.close()
        assert await meaning.vectors(["something else"]) is None

    caplog.set_level(logging.INFO, "lockgate.gateway")
    asyncio.run(play())
    told = [one.message.partition(" [LG-520]")[0] for one in caplog.records]
    assert told == [
        "tools are found by words alone for now: no such operator",
        "tools are found by what is meant again",
        "tools are found by words alone for now: no such operator",
    ]


def test_a_slow_model_keeps_nobody_waiting(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        monkeypatch.setattr(embedding, "PATIENCE", 0.01)
        meaning = meaning_of(model)
        library = Library(meaning)
        view = await library.view("ann", face("drive"))
        assert await library.embed()
        model.go.clear()
        assert await find(library, view, "limousine") == []
        monkeypatch.setattr(module, "MOST_WAITING", 0)
        assert await meaning.query("vehicle") == "busy"
        model.go.set()
        await meaning.close()

    asyncio.run(play())


def test_what_is_kept_is_bounded(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from lockgate.gateway import searching

    async def play() -> None:
        meaning = meaning_of(model)
        library = Library(meaning)
        monkeypatch.setattr(module, "MOST_VECTORS", 3)
        monkeypatch.setattr(module, "MOST_QUERIES", 2)
        monkeypatch.setattr(searching, "MOST_NEAR_BYTES", 28)
        names = ["drive", "read", "post", "rain", "erase"]
        for number in range(4):
            view = await library.view(number, face(*names[number:], *names[:number], "x"))
            assert await library.embed()
            for word in ("limousine", "letter", "rain"):
                assert await library.near(view, word) is not None
        other = await library.view("ann", face("drive"))
        assert await find(library, other, "limousine") == ["s__drive"]
        assert len(meaning._vectors) == 3
        assert len(meaning._queries) == 2
        assert library._near_bytes <= 28
        # What nobody sees any more has no vector either.
        for number in range(4):
            await library.view(number, face("drive"))
        (shelf,) = library._shelves.values()
        assert len(shelf.vectors) == 1
        monkeypatch.setattr(searching, "MOST_EMBEDDED", 1)
        many = await library.view("ann", face("drive", "rain"))
        assert await library.embed()
        assert await library.near(many, "limousine") is None
        assert not shelf.texts
        await meaning.close()

    asyncio.run(play())


def test_nearness_is_exact_whatever_stands_beside_it() -> None:
    vectors = {n: bytes((n * 7 + i * 13) % 256 for i in range(384)) for n in range(200)}
    near = Near(vectors).to(vectors[3], -1)
    assert near[3] == pytest.approx(1)
    for number in (0, 3, 77, 199):
        assert Near({number: vectors[number]}).to(vectors[3], -1)[number] == near[number]
    backwards = dict(reversed(vectors.items()))
    assert Near(backwards).to(vectors[3], -1) == near
    assert Near({1: bytes(4)}).to(bytes(4), 0) == {1: 0.0}
    few = Near(vectors).to(vectors[3], 0.5)
    assert few == {number: one for number, one in near.items() if one >= 0.5}


# A whole gateway.


def searching_by(tmp_path: Path, **more: Any) -> dict[str, Any]:
    vectors = str(tmp_path / "vectors.sqlite")
    return {"expose": "search", "search": {"semantic": "auto", "vectors": vectors}, **more}


async def soon(ask: Callable[[], Awaitable[str]], wanted: str) -> None:
    async with asyncio.timeout(10):
        while wanted not in await ask():  # noqa: ASYNC110 - nobody is told when tools are embedded
            await asyncio.sleep(0.01)


def test_a_gateway_finds_by_meaning_and_again_at_once_after_a_restart(
    installed: Model, tmp_path: Path
) -> None:
    def tools() -> Any:
        return peer(tool("drive", "Starts the engine."), tool("read", "Reads it."))

    async def play() -> None:
        async with before(tools(), **searching_by(tmp_path)) as w:
            await soon(lambda: said(w, "find_tools", query="limousine"), "drive(")
            found = await w.gateway.find("limousine", 5)
            [(name, hit, parts)] = found
            assert (name, parts) == ("drive", [])
            assert hit.shares is not None
            assert hit.shares[0] == 0 < hit.shares[1] <= 0.5
        embedded = [text for text in installed.texts if text != "limousine"]
        assert len(embedded) == len(set(embedded)) == 2
        async with before(tools(), **searching_by(tmp_path)) as w:
            await soon(lambda: said(w, "find_tools", query="limousine"), "drive(")
        assert [text for text in installed.texts if text != "limousine"] == embedded

    run(play())


def test_access_rules_hold_before_anything_is_ranked(installed: Model, tmp_path: Path) -> None:
    async def play() -> None:
        rules = {"rules": [{"allow": {"tools": ["peer/vehicle"]}}]}
        them = peer(tool("drive"), tool("vehicle"))
        async with before(them, access=rules, **searching_by(tmp_path)) as w:
            await soon(lambda: said(w, "find_tools", query="limousine"), "vehicle(")
            assert "drive" not in await said(w, "find_tools", query="limousine")

    run(play())


def test_without_the_packages_words_do_or_the_start_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def made(**search: str) -> Meaning | None:
        config = Config.model_validate({"servers": {}, "lockgate": {"search": search}})
        return semantic.meaning_of(config, SYSTEM)

    monkeypatch.setattr(minilm, "PACKAGES", ("no_such_package",))
    caplog.set_level(logging.INFO, "lockgate.gateway")
    assert made() is None
    assert made(semantic="off") is None
    assert not caplog.records
    assert made(semantic="auto") is None
    assert len(caplog.records) == 1
    with pytest.raises(LockgateError, match="required") as refused:
        made(semantic="required")
    assert refused.value.reason == "semantic-unusable"
    assert "lockgate[semantic]" in (refused.value.remedy or "")


# The real model, where it is installed.


@pytest.mark.skipif(not minilm.installed(), reason="lockgate[semantic] is not installed")
def test_the_real_model_knows_what_words_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        meaning = Meaning(InThreads(minilm.MiniLm, minilm.EDITION))
        library = Library(meaning)
        view = await library.view("ann", face("send_email", "resize_image", "list_invoices"))
        assert await library.embed()
        near = await library.near(view, "make a photo smaller")
        assert near is not None
        best = max(near, key=lambda number: near[number])
        assert view.names[best] == "s__resize_image"
        assert (await find(library, view, "unpaid bills"))[0] == "s__list_invoices"
        await meaning.close()

    asyncio.run(play())
    first, again = (minilm.MiniLm().embed(["Resizes it."]) for _ in range(2))
    assert first == again
    assert math.hypot(*first[0]) == pytest.approx(1, abs=1e-5)
    monkeypatch.setattr(minilm, "SHA256", "0" * 64)
    with pytest.raises(minilm.ModelUnusable, match="not the one"):
        minilm.MiniLm()
