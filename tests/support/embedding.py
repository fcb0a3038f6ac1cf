"""A service on loopback that embeds texts: in every shape, and wrong in every way it is told to be.

Must not know: who asks, what for.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from threading import Thread
from typing import Any

from lockgate.config.embedder import EmbedderSettings
from lockgate.fronts.http import HttpRequest, Responder
from tests.bridge.scripted_http import JSON, OverHttp

CONCEPTS = ({"car", "limousine", "vehicle", "drive"}, {"mail", "letter", "post"}, {"rain"})
KEY = "sk-of-an-embedder-0123456789"
Vector = list[float]
Answer = tuple[int, Sequence[tuple[bytes, bytes]], bytes]


def meant(text: str) -> Vector:
    """A vector by a few words that mean the same; no text is without one."""
    words = set(text.lower().replace(".", " ").replace(":", " ").split())
    return [float(len(words & concept)) for concept in CONCEPTS] + [0.1]


def otherwise(text: str) -> Vector:
    """The same by another model: of the same length, and nothing like it."""
    first, *rest = meant(text)
    return [*rest, -first]


class Service(OverHttp):
    """Answers at `/v1/embeddings`, `/api/embed` and `/embed`.

    embeds   what it makes of a text.
    wrong    if set, what it answers in place of vectors.
    go       while it is not set, nobody is answered.
    asked    requests, in order; `texts`: what was in them, but for the probe.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embeds: Callable[[str], Vector] = meant
        self.wrong: Callable[[list[str]], Answer | None] | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.asked: list[HttpRequest] = []
        self.said: list[str] = []
        self.running = self.most_running = 0

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(one.body) for one in self.asked]

    @property
    def texts(self) -> list[str]:
        return [one for one in self.said if one != "what a text means"]

    def tools(self) -> list[str]:
        """The texts that are those of tools."""
        return [one for one in self.texts if ":" in one]

    def settings(self, **more: Any) -> dict[str, Any]:
        """What a configuration says to have it asked; waits long, for machines that are busy."""
        paths = {"openai": "v1/embeddings", "ollama": "api/embed", "tei": "embed"}
        path = paths[more.get("shape", "openai")]
        url = f"http://127.0.0.1:{self.port}/{path}"
        return {"url": url, "model": "small-1", "key": KEY, "wait": 10, "timeout": 10, **more}

    def embedder(self, **more: Any) -> EmbedderSettings:
        """The same, checked."""
        return EmbedderSettings.model_validate(self.settings(**more))

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        self.asked.append(request)
        body = json.loads(request.body)
        texts: list[str] = body["inputs" if request.path == "/embed" else "input"]
        self.said += texts
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        if self.wrong is not None:
            answer = self.wrong(texts)
            if answer is None:
                responder.abort()
            else:
                responder.send(*answer)
            return
        vectors = [self.embeds(one) for one in texts]
        responder.send(200, (JSON,), self.written(request.path, vectors))

    def written(self, path: str, vectors: list[Vector]) -> bytes:
        """Vectors as they are written in the shape of this path."""
        if path == "/api/embed":
            return json.dumps({"model": "small-1", "embeddings": vectors}).encode()
        if path == "/embed":
            return json.dumps(vectors).encode()
        items = [
            {"object": "embedding", "index": place, "embedding": one}
            for place, one in enumerate(vectors)
        ]
        # They may come in any order.
        return json.dumps({"object": "list", "data": items[::-1], "model": "small-1"}).encode()


@asynccontextmanager
async def service() -> AsyncIterator[Service]:
    """One, listening."""
    made = Service()
    [(_, made.port)] = await made.http.start("127.0.0.1", 0)
    try:
        yield made
    finally:
        made.go.set()
        await made.die()


def length(vector: bytes) -> float:
    """Of a vector of 8 bits a dimension."""
    return math.hypot(*(one - 256 if one > 127 else one for one in vector))


@contextmanager
def beside() -> Iterator[Service]:
    """One that listens in a thread of its own, for who has no loop or needs its own."""
    ready: Future[tuple[Service, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with service() as made:
            ready.set_result((made, asyncio.get_running_loop(), over))
            await over.wait()

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    made, loop, over = ready.result(20)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
