"""An embedder that is a service: what it is sent, and whatever it may answer."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.config.embedder import EmbedderSettings
from lockgate.core.codes import ENTRIES
from lockgate.fronts.server import HttpServer
from lockgate.gateway import embedder as module
from lockgate.gateway.embedder import RemoteEmbedder, reachable
from lockgate.gateway.embedding import PROBE, NotEmbedded
from lockgate.gateway.fetching import PoolFetch
from lockgate.gateway.nearness import cosine
from lockgate.upstreams import lookup
from tests.bridge.scripted_http import JSON
from tests.support.embedding import KEY, Answer, Service, meant, service
from tests.upstreams.conftest import tls_pair as tls_pair  # noqa: PLC0414 - a fixture

TEXTS = ["files drive: Starts a car.", "files post: Sends a letter.", "files read: \ud800 it."]


async def asked(one: Service, purpose: Any = "tools", **more: Any) -> list[bytes]:
    """What comes of a few texts, and everything closed again."""
    embedder = RemoteEmbedder(one.embedder(**more), pause=_at_once, jitter=lambda: 0.5)
    try:
        return await embedder.embed(TEXTS, purpose)
    finally:
        await embedder.close()


PAUSES: list[float] = []


async def _at_once(seconds: float) -> None:
    PAUSES.append(seconds)


async def trouble(one: Service, **more: Any) -> NotEmbedded:
    with pytest.raises(NotEmbedded) as caught:
        await asked(one, **more)
    error = caught.value
    assert error.reason in ENTRIES
    for said in (str(error), repr(error), error.message):
        assert KEY not in said
        assert not any(text in said for text in TEXTS)
        assert "Incorrect" not in said
    return error


def run(work: Callable[[Service], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20), service() as one:
            await work(one)

    PAUSES.clear()
    asyncio.run(bounded())


@pytest.mark.parametrize("shape", ["openai", "ollama", "tei"])
def test_texts_are_embedded_in_every_shape(shape: str) -> None:
    async def work(one: Service) -> None:
        more: dict[str, Any] = {"shape": shape, "model": None if shape == "tei" else "small-1"}
        made = await asked(one, **more)
        whole = [text.replace("\ud800", "?") for text in TEXTS]
        assert one.texts == whole
        assert all(cosine(made[0], vector) < 0.5 for vector in made[1:])
        # The largest part becomes 127, whatever it was.
        assert [max(vector) for vector in made] == [127, 127, 127]
        (body,) = one.bodies
        assert (
            body
            == {
                "openai": {"model": "small-1", "input": whole},
                "ollama": {"model": "small-1", "input": whole, "truncate": True},
                "tei": {"inputs": whole, "truncate": True, "normalize": True},
            }[shape]
        )
        (request,) = one.asked
        assert request.headers[b"authorization"] == b"Bearer " + KEY.encode()
        assert request.headers[b"accept-encoding"] == b"identity"
        one.asked.clear()
        await asked(one, "query", key=None, dimensions=None, **more)
        assert b"authorization" not in one.asked[0].headers

    run(work)


def test_prefixes_lengths_and_dimensions_are_those_that_are_configured() -> None:
    async def work(one: Service) -> None:
        settings = one.embedder(
            tool_prefix="passage: ", query_prefix="query: ", longest=100, dimensions=8
        )
        one.embeds = lambda text: [1.0] * 7 + [len(text)]
        embedder = RemoteEmbedder(settings)
        await embedder.embed([PROBE, "x" * 300], "tools")
        await embedder.embed(["y"], "query")
        await embedder.close()
        assert [body["input"] for body in one.bodies] == [
            [PROBE, "passage: " + "x" * 100],
            ["query: y"],
        ]
        assert {body["dimensions"] for body in one.bodies} == {8}

    run(work)


def test_a_key_in_a_file_is_read_each_time(tmp_path: Path) -> None:
    async def work(one: Service) -> None:
        path = tmp_path / "key"
        path.write_text("first\n")
        embedder = RemoteEmbedder(one.embedder(key=None, key_file=str(path)))
        await embedder.embed(["a"], "query")
        path.write_text("second\n")
        await embedder.embed(["a"], "query")
        assert [r.headers[b"authorization"] for r in one.asked] == [
            b"Bearer first",
            b"Bearer second",
        ]
        for wrong in (b"", b"two words", b"\xff\xfe", b"a\r\nb: c"):
            path.write_bytes(wrong)
            with pytest.raises(NotEmbedded) as caught:
                await embedder.embed(["a"], "query")
            assert caught.value.reason == "embedder-key"
        path.unlink()
        with pytest.raises(NotEmbedded, match="No such file"):
            await embedder.embed(["a"], "query")
        assert len(one.asked) == 2
        await embedder.close()

    run(work)


def answers(body: object, status: int = 200, *more: tuple[bytes, bytes]) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status, (JSON, *more), data


def listed(*vectors: object, indices: list[Any] | None = None) -> Answer:
    places = indices or list(range(len(vectors)))
    items = [{"index": place, "embedding": one} for place, one in zip(places, vectors, strict=True)]
    return answers({"data": items})


GOOD = meant("a car")
QUOTED = {"error": {"message": f"Incorrect API key: {KEY}; input: {TEXTS}"}}
WRONG: dict[str, tuple[str, Answer | None]] = {
    "no such key": ("embedder-refused", answers(QUOTED, 401)),
    "not allowed": ("embedder-refused", answers(QUOTED, 403)),
    "no such path": ("embedder-refused", answers(QUOTED, 404)),
    "texts too long": ("embedder-refused", answers(QUOTED, 413)),
    "too many texts": ("embedder-refused", answers(QUOTED, 422)),
    "a teapot": ("embedder-refused", answers(QUOTED, 418)),
    "elsewhere": ("embedder-refused", answers(b"", 307, (b"location", b"http://127.0.0.1:1/"))),
    "an error with 200": ("embedder-broken", answers(QUOTED)),
    "no JSON": ("embedder-broken", answers(b"<html>")),
    "no text": ("embedder-broken", answers(b'{"data":[{"embedding":["\xff"]}]}')),
    "cut off": ("embedder-broken", answers(b'{"data":[{"embedding":[0.1,')),
    "NaN": ("embedder-broken", answers(b'{"data":[' + b'{"embedding":[NaN,1,1,1]},' * 3 + b"]}")),
    "null": ("embedder-broken", listed(GOOD, GOOD, [None, 1, 1, 1])),
    "too large a number": (
        "embedder-broken",
        answers(
            json.dumps(json.loads(listed(GOOD, GOOD, GOOD)[2])).replace("0.1", "1e999").encode()
        ),
    ),
    "infinite together": ("embedder-broken", listed(GOOD, GOOD, [1e308, 1e308, 1e308, 1e308])),
    "next to nothing": ("embedder-broken", listed(GOOD, GOOD, [0, 0, 0, 1e-320])),
    "words": ("embedder-broken", listed(GOOD, GOOD, ["1", "1", "1", "1"])),
    "too few": ("embedder-broken", listed(GOOD, GOOD)),
    "too many": ("embedder-broken", listed(GOOD, GOOD, GOOD, GOOD)),
    "none": ("embedder-broken", answers({"data": []})),
    "one twice": ("embedder-broken", listed(GOOD, GOOD, GOOD, indices=[0, 1, 1])),
    "numbered from 1": ("embedder-broken", listed(GOOD, GOOD, GOOD, indices=[1, 2, 3])),
    "some numbered": ("embedder-broken", listed(GOOD, GOOD, GOOD, indices=[0, 1, None])),
    "of other lengths": ("embedder-broken", listed(GOOD, GOOD, [*GOOD, 1])),
    "empty": ("embedder-broken", listed([], [], [])),
    "pointing nowhere": ("embedder-broken", listed(GOOD, GOOD, [0, 0, 0, 0])),
    "endless": ("embedder-broken", listed([1.0] * 9000, [1.0] * 9000, [1.0] * 9000)),
    "larger than may be": ("embedder-broken", answers(b" " * 1_000_000)),
    "packed": (
        "embedder-broken",
        answers(b"\x1f\x8b", 200, (b"content-encoding", b"gzip")),
    ),
    "hung up": ("embedder-broken", None),
    "overloaded": ("embedder-overloaded", answers(QUOTED, 503)),
    "failing": ("embedder-overloaded", answers(QUOTED, 500)),
    "too often": ("embedder-overloaded", answers(QUOTED, 429, (b"retry-after", b"2"))),
    "much too often": ("embedder-overloaded", answers(QUOTED, 429, (b"retry-after", b"90"))),
}
AGAIN = {"hung up", "packed", "overloaded", "failing", "too often"}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_is_refused_whole_and_never_quoted(what: str) -> None:
    reason, answer = WRONG[what]

    async def work(one: Service) -> None:
        one.wrong = lambda _: answer
        error = await trouble(one)
        assert error.reason == reason
        assert len(one.asked) == (module.ATTEMPTS if what in AGAIN else 1)
        one.asked.clear()
        # Whoever searches does not wait for a second try.
        await trouble(one, purpose="query")
        assert len(one.asked) == 1

    run(work)
    if what == "too often":
        assert [round(one, 2) for one in PAUSES] == [2.25, 2.5, 3.0]
    elif what in AGAIN:
        assert PAUSES == [0.25, 0.5, 1.0]


def test_dimensions_are_those_that_are_configured_or_nothing_is_taken() -> None:
    async def work(one: Service) -> None:
        assert (await trouble(one, dimensions=256)).reason == "embedder-broken"
        assert "256 dimensions" in str(await trouble(one, dimensions=256))

    run(work)


def test_one_that_is_late_or_away_is_unreachable() -> None:
    async def work(one: Service) -> None:
        one.go.clear()
        error = await trouble(one, purpose="query", timeout=0.1)
        assert (error.reason, error.passing) == ("embedder-unreachable", True)
        port = one.port
        await one.die()
        one.port = port
        error = await trouble(one)
        assert (error.reason, error.passing) == ("embedder-unreachable", True)
        assert len(PAUSES) == module.ATTEMPTS - 1

    run(work)


def test_after_a_moment_it_is_asked_again() -> None:
    async def work(one: Service) -> None:
        late: list[Answer] = [answers(b"", 429, (b"retry-after", b"soon")), answers(b"", 503)]
        good = listed(GOOD, GOOD, GOOD)
        one.wrong = lambda _: late.pop() if late else good
        assert len(await asked(one)) == 3
        assert len(one.asked) == 3

    run(work)


INSIDE = "127.0.0.1", "10.1.2.3", "fd00::1"
OUTSIDE = "8.8.8.8", "2606:4700::1111"
CLOUD = "169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"


@pytest.mark.parametrize(
    ("url", "more", "inside", "outside"),
    [
        ("https://api.example.com/v1/embeddings", {}, False, True),
        ("https://api.example.com/v1/embeddings", {"reach": "any"}, True, True),
        ("http://tei:8080/embed", {"reach": "any"}, True, False),
        ("http://localhost:11434/api/embed", {}, True, False),
        ("http://10.1.2.3/embed", {}, True, False),
        ("https://10.1.2.3/embed", {}, True, True),
    ],
)
def test_where_its_name_may_lead(url: str, more: Any, inside: bool, outside: bool) -> None:
    settings = EmbedderSettings.model_validate({"url": url, "model": "m", **more})
    judge = reachable(settings)
    assert [judge(one) for one in INSIDE] == [inside] * 3
    assert [judge(one) for one in OUTSIDE] == [outside] * 2
    assert not any(judge(one) for one in CLOUD)


def test_where_it_leads_inside_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443))]

    monkeypatch.setattr(lookup.socket, "getaddrinfo", resolve)

    async def work(one: Service) -> None:
        embedder = RemoteEmbedder(one.embedder(url=f"https://embeds.test:{one.port}/embed"))
        with pytest.raises(NotEmbedded, match="no address that may be reached") as caught:
            await embedder.embed(TEXTS, "tools")
        assert caught.value.reason == "embedder-forbidden"
        await embedder.close()
        assert not one.asked

    run(work)


def test_a_certificate_that_nobody_vouches_for_is_not_taken(
    tls_pair: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    serving, trusting = tls_pair

    async def work(_: Service) -> None:
        one = Service()
        one.http = HttpServer(one._received, ssl=serving)
        one.port = (await one.http.start("localhost", 0))[0][1]
        settings = one.embedder(url=f"https://localhost:{one.port}/v1/embeddings")
        embedder = RemoteEmbedder(settings, pause=_at_once)
        with pytest.raises(NotEmbedded) as caught:
            await embedder.embed(TEXTS, "query")
        assert caught.value.reason == "embedder-unreachable"
        assert not one.asked
        await embedder.close()
        fetch = PoolFetch(reachable=reachable(settings), tls=trusting)
        assert await RemoteEmbedder(settings, fetch).embed(TEXTS, "query")
        await fetch.close()
        await one.die()

    run(work)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://api.example.com/v1/embeddings"},
        {"url": "http://8.8.8.8/v1/embeddings"},
        {"url": "ftp://api.example.com/"},
        {"url": "https://me:secret@api.example.com/"},
        {"url": "https://api.example.com/?key=secret"},
        {"url": "https://api.example.com/#here"},
        {"model": None},
        {"key": "two words"},
        {"key": "ümlaut"},
        {"key": ""},
        {"key": "one", "key_file": "two"},
        {"dimensions": 0},
        {"dimensions": 100_000},
        {"batch": 0},
        {"at_once": 100},
        {"wait": 60},
        {"shape": "grpc"},
        {"reach": "none"},
        {"surprise": True},
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    right = {"url": "https://api.example.com/v1/embeddings", "model": "small-1"}
    assert EmbedderSettings.model_validate(right)
    with pytest.raises(ValidationError):
        EmbedderSettings.model_validate({**right, **wrong})


def test_another_name_for_all_that_changes_a_vector_and_for_nothing_else() -> None:
    def name(**more: Any) -> str:
        right = {"url": "https://api.example.com/v1/embeddings", "model": "small-1"}
        return RemoteEmbedder(EmbedderSettings.model_validate({**right, **more})).name

    changes: list[dict[str, Any]] = [
        {"url": "https://api.example.com/v2/embeddings"},
        {"model": "small-2"},
        {"dimensions": 64},
        {"longest": 500},
        {"tool_prefix": "passage: "},
        {"shape": "ollama"},
    ]
    names = [name(), *(name(**one) for one in changes)]
    assert len(set(names)) == len(names)
    assert name(key=KEY, batch=2, at_once=1, wait=1, timeout=5, query_prefix="query: ") == name()
    assert KEY not in name(key=KEY)


def test_neither_shows_its_key() -> None:
    settings = EmbedderSettings.model_validate(
        {"url": "https://api.example.com/v1/embeddings", "model": "m", "key": KEY}
    )
    for one in (repr(settings), str(settings), repr(RemoteEmbedder(settings))):
        assert KEY not in one
