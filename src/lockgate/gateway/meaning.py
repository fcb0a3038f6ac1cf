"""What texts mean, as vectors: made once, kept by what was embedded, compared exactly.

Must not know: tools, who callers are, which model it is.

A vector is 8 bits a dimension. Products of such numbers are whole, and floats hold every sum of
them exactly: so how near two texts are does not depend on what else is compared, nor in which
order, to the last bit. The model runs in two threads of its own, one for what is indexed and one
for queries, and loads when something is first asked of it. When it fails nobody waits for it: for
a while it is not asked, and whoever searches does so by words alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from threading import Lock
from typing import Any, Final, Protocol

from lockgate.context.search.fusion import LEAST
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.store import Store, StoreGone

_log: Final = logging.getLogger("lockgate.gateway")

PIECE: Final = 8
"""Texts that are embedded before anything else may be."""
MOST_VECTORS: Final = 20_000
"""Vectors kept at hand, of definitions that are indexed or were: 450 bytes each."""
MOST_QUERIES: Final = 512
MOST_WAITING: Final = 8
"""Queries that may wait for the model; one more is answered by its words."""
PATIENCE: Final = 2.0
"""Seconds a query waits for the model."""
PAUSE: Final = 60.0
"""Seconds for which a model that failed is not asked again."""
KEPT: Final = 180 * 86400.0
"""Seconds a vector is kept in the file."""


class Embedder(Protocol):
    """A model, loaded. It is called in threads, by two at once."""

    edition: str
    """Another one for each model, and for each way of using it."""

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector for each text, all of one length."""
        ...


class Meaning:
    """Vectors of texts, for one gateway. Belongs to one event loop."""

    def __init__(
        self,
        load: Callable[[], Embedder],
        edition: str,
        store: Store | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            load: makes the model; called in a thread, and raises what it likes.
            edition: that of the model which it makes.
            store: where vectors outlive the process; closed with this.
            clock: by which a model that failed is left alone.
        """
        self._load = load
        self._edition = edition
        self._store = store
        self._clock = clock
        self._model: Embedder | None = None
        self._loading = Lock()
        self._making = ThreadPoolExecutor(1, thread_name_prefix="lockgate-embedding")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="lockgate-meaning")
        self._turn = asyncio.Lock()
        self._vectors: OrderedDict[bytes, bytes] = OrderedDict()
        self._queries: OrderedDict[str, bytes] = OrderedDict()
        self._waiting = 0
        self._until = 0.0
        self._failed = False
        self._closed = False
        self.made = 0
        """Texts that were embedded to be indexed."""

    @property
    def pause(self) -> float:
        """Seconds until the model may be asked again; 0: now."""
        return max(0.0, self._until - self._clock.monotonic())

    async def vectors(self, texts: Sequence[str]) -> list[bytes] | None:
        """The vectors of texts to be indexed; None: the model cannot make them now.

        Those that were made before, here or by a process that wrote the same file, are not made
        again. The others are made in pieces, in a thread.
        """
        keys = [blake2b(text.encode(errors="replace"), digest_size=16).digest() for text in texts]
        found: dict[bytes, bytes] = {}
        async with self._turn:
            for start in range(0, len(texts), PIECE):
                piece = dict(zip(keys[start : start + PIECE], texts[start:], strict=False))
                known = {key: await self._known(key) for key in piece}
                found |= {key: vector for key, vector in known.items() if vector is not None}
                lacking = {key: text for key, text in piece.items() if key not in found}
                if lacking and not await self._make(lacking, found):
                    return None
        return [found[key] for key in keys]

    async def _known(self, key: bytes) -> bytes | None:
        vector = self._vectors.get(key)
        if vector is None and self._store is not None:
            # A file that cannot be read costs time and nothing else.
            with suppress(StoreGone):
                vector = await self._store.get(self._name(key))
        if vector is not None:
            self._keep(key, vector)
        return vector

    async def _make(self, texts: dict[bytes, str], found: dict[bytes, bytes]) -> bool:
        made = await self._embedded(self._making, list(texts.values()))
        if made is None:
            return False
        for key, vector in zip(texts, made, strict=True):
            self.made += 1
            found[key] = vector
            self._keep(key, vector)
            if self._store is not None:
                with suppress(StoreGone):
                    await self._store.put(self._name(key), vector, KEPT)
        return True

    def _name(self, key: bytes) -> str:
        return f"vector/{self._edition}/{key.hex()}"

    def _keep(self, key: bytes, vector: bytes) -> None:
        self._vectors[key] = vector
        self._vectors.move_to_end(key)
        while len(self._vectors) > MOST_VECTORS:
            self._vectors.popitem(last=False)

    async def query(self, text: str) -> bytes | None:
        """The vector of what somebody looks for; None: there is none now, or not soon enough."""
        known = self._queries.get(text)
        if known is not None:
            self._queries.move_to_end(text)
            return known
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                made = await self._embedded(self._asking, [text])
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
        if made is None:
            return None
        self._queries[text] = made[0]
        while len(self._queries) > MOST_QUERIES:
            self._queries.popitem(last=False)
        return made[0]

    async def _embedded(
        self, thread: ThreadPoolExecutor, texts: Sequence[str]
    ) -> list[bytes] | None:
        if self._closed or self.pause:
            return None
        try:
            made = await asyncio.get_running_loop().run_in_executor(thread, self._embed, texts)
        except Exception as error:
            # A model raises what it likes, and nobody shall fail for it.
            self._until = self._clock.monotonic() + PAUSE
            if not self._failed:
                _log.warning("tools are found by words alone for now: %s", error)
            self._failed = True
            return None
        if self._failed:
            _log.info("tools are found by what is meant again")
        self._failed = False
        return made

    def _embed(self, texts: Sequence[str]) -> list[bytes]:
        """In a thread."""
        with self._loading:
            if self._model is None:
                self._model = self._load()
        made = self._model.embed(texts)
        if len(made) != len(texts):
            raise ValueError(f"the model made {len(made)} vectors of {len(texts)} texts")
        return [small(vector) for vector in made]

    async def close(self) -> None:
        """Ask the model for nothing more; what it is doing it ends by itself."""
        self._closed = True
        self._making.shutdown(wait=False, cancel_futures=True)
        self._asking.shutdown(wait=False, cancel_futures=True)
        if self._store is not None:
            await self._store.close()


def small(vector: Sequence[float]) -> bytes:
    """A vector in 8 bits a dimension."""
    largest = max(map(abs, vector), default=0.0)
    if not largest < float("inf"):
        raise ValueError("the model made a vector that is none")
    scale = 127 / largest if largest else 0.0
    return bytes(round(one * scale) & 0xFF for one in vector)


class Near:
    """Vectors side by side, to be compared with one."""

    def __init__(self, vectors: Mapping[int, bytes]) -> None:
        """At least one, by what they are called; all of one length."""
        import numpy as np  # noqa: PLC0415 - it is optional; who has vectors has it

        self._numbers = tuple(vectors)
        flat: Any = np.frombuffer(b"".join(vectors.values()), dtype=np.int8)
        self._rows: Any = flat.reshape(len(vectors), -1)
        self._sizes: Any = np.sqrt(np.einsum("ij,ij->i", self._rows, self._rows, dtype=np.float64))
        self._np: Any = np

    def to(self, vector: bytes, least: float = LEAST) -> dict[int, float]:
        """The cosine with this one of each for which it is at least so much."""
        np = self._np
        one = np.frombuffer(vector, dtype=np.int8).astype(np.float32)
        sizes = self._sizes * float(np.sqrt(np.dot(one.astype(np.float64), one)))
        # Below 2**24, as any sum here is, every whole number is a float.
        products = self._rows.astype(np.float32) @ one
        found = products / np.where(sizes, sizes, 1.0)
        enough = np.flatnonzero(found >= least)
        numbers = map(self._numbers.__getitem__, enough.tolist())
        return dict(zip(numbers, found[enough].tolist(), strict=True))
