"""An embedder that is a service: each request goes out through the project's own HTTP client.

Must not know: what the texts are, what becomes of vectors.

    | what could go wrong                         | what is done                                   |
    |---------------------------------------------|------------------------------------------------|
    | its name leads inside, or to a cloud's keys | each address is judged as it is connected to   |
    | http that leaves the network                | then public addresses are those refused        |
    | it redirects                                | that is an answer, and none that is any use    |
    | it answers late, without end, or packed     | bounded in time and bytes; nothing is unpacked |
    | it is overloaded, or away for a moment      | asked again, later each time, and as it says   |
    | too few vectors, of other lengths, no       | refused, all of them                           |
    | numbers, or pointing nowhere                |                                                |
    | its errors quote the key or a text          | none of them is quoted                         |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from random import random
from typing import Final

import msgspec

from lockgate.config.embedder import MOST_DIMENSIONS, EmbedderSettings, fit
from lockgate.core.backoff import bound
from lockgate.gateway import embedder_shapes
from lockgate.gateway.embedding import PROBE, NotEmbedded, small
from lockgate.gateway.fetching import PoolFetch
from lockgate.gateway.outbound import source_of
from lockgate.identity.fetch import Fetch, FetchCause, Fetched, FetchFailed
from lockgate.observe.semantic import Purpose
from lockgate.upstreams.pool import PoolLimits
from lockgate.wire.addresses import is_public, keeps_credentials
from lockgate.wire.url import Url

ATTEMPTS: Final = 4
"""How often tools are sent before that counts as a failure; queries are sent once."""
FIRST: Final = 0.5
LONGEST: Final = 8.0
"""Seconds between two attempts, at first and at most."""
REST: Final = 1.0
MOST_RETRY_AFTER: Final = 300.0
_NUMBER: Final = 64
"""Bytes that one number may take in an answer: some write one a line, and indent it."""
_BESIDE: Final = 64 * 1024
"""Bytes that an answer may have beside its numbers."""
_IDLE: Final = 60.0
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_SAID: Final = {
    400: "it does not take the texts, or does not know the model",
    401: "it does not accept the key",
    403: "it does not accept the key",
    404: "it has no such path, or no such model",
    413: "the texts are too many or too long for it",
    422: "it does not take the texts: too many, too long, or of another shape",
}
_SENT_NOWHERE: Final = "its name leads to no address that may be reached"
_WHY: Final[dict[FetchCause, str]] = {
    "url": "embedder-forbidden",
    "forbidden": "embedder-forbidden",
    "too-large": "embedder-broken",
    "broken": "embedder-broken",
}


class RemoteEmbedder:
    """See `Embedder`, also for the attributes."""

    constant = False
    rest = REST

    def __init__(
        self,
        settings: EmbedderSettings,
        fetch: Fetch | None = None,
        *,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random,
    ) -> None:
        """Nothing is connected to yet.

        Args:
            settings: which service, and how it is asked.
            fetch: carries requests out; by default a pool of its own, closed with this.
            pause: waits between two attempts.
            jitter: gives a number in [0, 1), the share of each pause's bound.
        """
        self._settings = settings
        self._own: PoolFetch | None = None
        if fetch is None:
            fetch = self._own = PoolFetch(reachable=reachable(settings), limits=_of(settings))
        self._fetch = fetch
        self._pause, self._jitter = pause, jitter
        self._key = source_of(settings.key, settings.key_file)
        self.name = _name(settings)
        self.shown = f"{settings.model or 'the model'} at {Url.parse(settings.url).shown}"
        self.batch = settings.batch
        self.at_once = settings.at_once
        self.patience = settings.wait

    def __repr__(self) -> str:
        return f"RemoteEmbedder({self.shown})"

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """See `Embedder`."""
        settings = self._settings
        prefix = settings.query_prefix if purpose == "query" else settings.tool_prefix
        said = [one if one == PROBE else prefix + _sendable(one, settings.longest) for one in texts]
        attempt = 1
        while True:
            try:
                return await self._once(said, purpose)
            except NotEmbedded as error:
                last = purpose == "query" or attempt >= ATTEMPTS or not error.passing
                if last or error.retry_after > LONGEST:
                    raise
                wait = error.retry_after + bound(attempt, FIRST, LONGEST) * self._jitter()
            await self._pause(wait)
            attempt += 1

    async def _once(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        settings, count = self._settings, len(texts)
        most = _BESIDE + count * (settings.dimensions or MOST_DIMENSIONS) * _NUMBER
        headers = [("content-type", "application/json"), *self._shown_key()]
        try:
            answer = await self._fetch(
                "POST",
                settings.url,
                headers=headers,
                body=embedder_shapes.body(settings, texts),
                most=most,
                within=settings.timeout,
            )
        except FetchFailed as error:
            reason = _WHY.get(error.cause, "embedder-unreachable")
            passing = error.cause not in ("url", "forbidden", "too-large")
            said = _SENT_NOWHERE if error.cause == "forbidden" else error
            raise NotEmbedded(f"{self.shown}: {said}", reason=reason, passing=passing) from None
        if answer.status != 200:
            raise self._refused(answer)
        if purpose == "query":
            return self._read(answer.body, count)
        # Much of it takes long to read.
        return await asyncio.to_thread(self._read, answer.body, count)

    def _read(self, body: bytes, count: int) -> list[bytes]:
        try:
            found = embedder_shapes.vectors(self._settings, body, count)
            return [small(one) for one in found]
        except (embedder_shapes.Unreadable, ValueError) as error:
            raise NotEmbedded(f"{self.shown}: {error}", reason="embedder-broken") from None

    def _refused(self, answer: Fetched) -> NotEmbedded:
        status = answer.status
        if status in _PASSING:
            return NotEmbedded(
                f"{self.shown} cannot answer now (HTTP {status})",
                reason="embedder-overloaded",
                passing=True,
                retry_after=_retry_after(answer),
            )
        moved = 300 <= status < 400
        why = "it redirects, which is not followed" if moved else _SAID.get(status)
        said = f"HTTP {status}" if why is None else f"HTTP {status}: {why}"
        return NotEmbedded(f"{self.shown} refuses ({said})", reason="embedder-refused")

    def _shown_key(self) -> list[tuple[str, str]]:
        if self._key is None:
            return []
        try:
            key = self._key().strip()
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or "it is no text"
            raise NotEmbedded(
                f"the file with the key cannot be read: {said}", reason="embedder-key"
            ) from None
        if not fit(key):
            raise NotEmbedded("the key is none that a header can hold", reason="embedder-key")
        return [("authorization", f"Bearer {key}")]

    async def close(self) -> None:
        """Drop every connection."""
        if self._own is not None:
            await self._own.close()


def reachable(settings: EmbedderSettings) -> Callable[[str], bool]:
    """What judges the addresses that are connected to."""
    if settings.url.lower().startswith("http:"):
        return _inside  # in clear text, nothing goes out
    return is_public if settings.reach == "public" and not settings.address else _anywhere


def _anywhere(address: str) -> bool:
    return not keeps_credentials(address)


def _inside(address: str) -> bool:
    return not keeps_credentials(address) and not is_public(address)


def _sendable(text: str, longest: int) -> str:
    # Half a surrogate pair is no text that can be sent.
    return text[:longest].encode("utf-8", "replace").decode("utf-8")


def _of(settings: EmbedderSettings) -> PoolLimits:
    # Connections stay open between two searches: a new one takes longer than a query may wait.
    return PoolLimits(
        connections=2 * settings.at_once,
        waiting=64,
        wait_seconds=settings.timeout,
        idle_tls_seconds=_IDLE,
    )


def _name(settings: EmbedderSettings) -> str:
    """Of all that decides what is made of a tool; a digest, for it stands in a file."""
    said = [
        settings.url,
        settings.shape,
        settings.model,
        settings.dimensions,
        settings.longest,
        settings.tool_prefix,
    ]
    return f"remote-{blake2b(msgspec.json.encode(said), digest_size=16).hexdigest()}"


def _retry_after(answer: Fetched) -> float:
    said = answer.headers.get("retry-after", "").strip()
    return min(float(said), MOST_RETRY_AFTER) if said.isdecimal() and said.isascii() else 0.0
