"""What makes vectors of texts, whatever it is; and one that runs in threads of this process.

Must not know: what the texts are, what becomes of vectors, which model it is.

A vector is 8 bits a dimension: direction is all that counts, so whatever its length is, its largest
part becomes 127. Products of such numbers are whole, and floats hold every sum of them exactly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isfinite
from threading import Lock
from typing import Final, Protocol

from lockgate.observe.semantic import Purpose

PIECE: Final = 8
"""Texts that are embedded in a thread before anything else may be."""
PATIENCE: Final = 2.0
"""Seconds a query waits for a model of this process."""
PROBE: Final = "what a text means"
"""Embedded to tell whether a model is still the one it was; it gets no prefix."""
PAUSE: Final = 60.0
"""Seconds for which what failed is not asked again, at most."""


class NotEmbedded(Exception):
    """There are no vectors. Neither the message nor the remedy holds a text or a key.

    reason       what `lockgate.core.codes` calls it.
    remedy       what to do; None: what the table says.
    passing      it may be over in a moment.
    retry_after  seconds until it may be asked again, where it has said so.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        remedy: str | None = None,
        passing: bool = False,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message: Final = message
        self.reason: Final = reason
        self.remedy: Final = remedy
        self.passing: Final = passing
        self.retry_after: Final = retry_after


class Embedder(Protocol):
    """Makes vectors.

    name      what is kept by it: another one for each model, and for each way of using it.
    shown     what people are told it is.
    constant  what it makes of a text is the same for as long as its name is.
    batch     texts it takes at a time.
    at_once   batches that it makes at once.
    patience  seconds a query waits for it.
    rest      seconds for which it is not asked once it has failed; twice that the next time.
    """

    name: str
    shown: str
    constant: bool
    batch: int
    at_once: int
    patience: float
    rest: float

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """A vector for each text, all of one length.

        Raises:
            NotEmbedded: there are none.
        """
        ...

    async def close(self) -> None:
        """Nothing more is asked."""
        ...


class Model(Protocol):
    """A model, loaded. It is called in threads, by two at once."""

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector for each text, all of one length."""
        ...


class InThreads:
    """An embedder in two threads, one for tools and one for queries. Loads when it is first asked.

    See `Embedder` for the attributes.
    """

    constant = True
    batch = PIECE
    at_once = 1
    rest = PAUSE

    def __init__(self, load: Callable[[], Model], name: str) -> None:
        """`load` makes the model; it is called in a thread, and raises what it likes."""
        self.name = name
        self.shown = f"a model in this process ({name})"
        self.patience = PATIENCE
        self._load = load
        self._model: Model | None = None
        self._loading = Lock()
        self._threads: dict[Purpose, ThreadPoolExecutor] = {
            "tools": ThreadPoolExecutor(1, thread_name_prefix="lockgate-embedding"),
            "query": ThreadPoolExecutor(1, thread_name_prefix="lockgate-meaning"),
        }

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> list[bytes]:
        """See `Embedder`."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads[purpose], self._embed, texts)
        except Exception as error:
            # A model raises what it likes, and nobody shall fail for it.
            raise NotEmbedded(str(error), reason="embedder-failed") from error

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
        """What it is doing it ends by itself."""
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)


def small(vector: Sequence[float]) -> bytes:
    """A vector in 8 bits a dimension.

    Raises:
        ValueError: it points nowhere: a part is no number, or all are 0.
    """
    largest = max(map(abs, vector), default=0.0)
    scale = 127 / largest if largest else 0.0
    if not scale or not isfinite(scale) or not isfinite(sum(vector)):
        raise ValueError("the model made a vector that points nowhere")
    return bytes(round(one * scale) & 0xFF for one in vector)
