"""What texts mean, as vectors: made once, kept by what was embedded.

Must not know: tools, who callers are, what makes the vectors.

Nobody waits for an embedder that fails: for a while it is not asked, longer each time, then one
request finds out whether it is well again. Nobody waits for a slow one either: a query that is not
embedded in time goes on alone, so that the next one who asks the same finds it.

Where an embedder may become another behind its name, each batch of tools holds a text that is known
beside them, and so does the first query after a failure or after a while. While what is made of
that stays the same, vectors belong together; when it does not, those from before count no more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Final, Literal

from lockgate.core.backoff import bound
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.codes import ENTRIES
from lockgate.core.store import Store, StoreGone
from lockgate.gateway.embedding import PAUSE, PROBE, Embedder, NotEmbedded
from lockgate.gateway.nearness import cosine
from lockgate.observe.semantic import Purpose, SemanticMeter

_log: Final = logging.getLogger("lockgate.gateway")

MOST_VECTORS: Final = 20_000
"""Vectors kept at hand, of definitions that are indexed or were: a byte for each dimension."""
MOST_QUERIES: Final = 512
MOST_WAITING: Final = 8
"""Queries that may be under way; one more is answered by its words."""
MOST_LATE: Final = 3
"""After so many late ones in a row nobody waits, until one has been in time again."""
KEPT: Final = 180 * 86400.0
"""Seconds a vector is kept in the file."""
SAME: Final = 0.99
"""The least cosine of what one model makes of one text at two times."""
DOUBT: Final = 600.0
"""Seconds for which an embedder is taken to be what it was, and in which it may change once."""

Missing = Literal["late", "busy", "failed"]


class Meaning:
    """Vectors of texts, for one gateway. Belongs to one event loop."""

    def __init__(
        self,
        embedder: Embedder,
        store: Store | None = None,
        clock: Clock = SYSTEM,
        meter: SemanticMeter | None = None,
    ) -> None:
        """Nothing is asked yet.

        Args:
            embedder: makes the vectors; closed with this.
            store: where they outlive the process; closed with this.
            clock: by which an embedder that failed is left alone.
            meter: counts what comes of it.
        """
        self._embedder = embedder
        self._store = store
        self._clock = clock
        self.meter = meter or SemanticMeter()
        self._turn = asyncio.Lock()
        self._vectors: OrderedDict[bytes, bytes] = OrderedDict()
        self._queries: OrderedDict[str, bytes] = OrderedDict()
        self._asking: dict[str, asyncio.Task[bytes | None]] = {}
        self._known: bytes | None = None
        self._sure_until = float("inf") if embedder.constant else float("-inf")
        self._changed = float("-inf")
        self._until = 0.0
        self._failures = 0
        self._trying = False
        self._late = 0
        self._closed = False
        self.edition: str | None = embedder.name if embedder.constant else None
        """Whose the vectors are; None: that is not known yet."""
        self.trouble: NotEmbedded | None = None
        """Why the embedder is not asked, or was not able to when it was asked last."""
        self.made = 0
        """Texts that were embedded to be indexed."""

    @property
    def shown(self) -> str:
        """What people are told the embedder is."""
        return self._embedder.shown

    @property
    def constant(self) -> bool:
        """Whether vectors stay what they are for as long as this lives."""
        return self._embedder.constant

    @property
    def room(self) -> int:
        """Texts that are embedded at once, as many as are worth it."""
        return self._embedder.batch * self._embedder.at_once

    @property
    def kept(self) -> int:
        """Vectors of tools at hand."""
        return len(self._vectors)

    @property
    def pause(self) -> float:
        """Seconds until the embedder may be asked again; 0: now."""
        return max(0.0, self._until - self._clock.monotonic())

    async def ready(self) -> bool:
        """Whether the embedder may be asked; one that failed is, with nothing but the probe."""
        if self.trouble is None or self._embedder.constant:
            return True
        return await self._embedded([], "tools") is not None

    # Tools.

    async def vectors(self, texts: Sequence[str]) -> list[bytes] | None:
        """The vectors of texts to be indexed; None: they cannot be made now.

        Those that were made before, here or by a process that wrote the same file, are not made
        again. The others are made in batches.
        """
        keys = [blake2b(text.encode(errors="replace"), digest_size=16).digest() for text in texts]
        async with self._turn:
            if self._doubtful and await self._embedded([], "tools") is None:
                return None
            edition = self.edition
            found: dict[bytes, bytes] = {}
            lacking: dict[bytes, str] = {}
            for key, text in zip(keys, texts, strict=True):
                vector = await self._had(key, edition)
                if vector is None:
                    lacking[key] = text
                else:
                    found[key] = vector
            made = await self._make_all(list(lacking.items()), found, edition)
        return [found[key] for key in keys] if made and self.edition == edition else None

    async def _had(self, key: bytes, edition: str | None) -> bytes | None:
        vector = self._vectors.get(key)
        if vector is None:
            vector = await self._read(f"vector/{edition}/{key.hex()}")
            if vector is not None and self._known and len(vector) != len(self._known):
                return None
        if vector is not None and self.edition == edition:
            self._keep(key, vector)
        return vector

    async def _make_all(
        self, lacking: Sequence[tuple[bytes, str]], found: dict[bytes, bytes], edition: str | None
    ) -> bool:
        size, room = self._embedder.batch, self.room
        for start in range(0, len(lacking), room):
            now = lacking[start : start + room]
            batches = [dict(now[at : at + size]) for at in range(0, len(now), size)]
            async with asyncio.TaskGroup() as group:
                made = [group.create_task(self._make(one, found, edition)) for one in batches]
            if not all(one.result() for one in made):
                return False
        return True

    async def _make(
        self, texts: dict[bytes, str], found: dict[bytes, bytes], edition: str | None
    ) -> bool:
        made = await self._embedded(list(texts.values()), "tools")
        if made is None or self.edition != edition:
            return False
        self.made += len(made)
        self.meter.embedded += len(made)
        fresh = dict(zip(texts, made, strict=True))
        found |= fresh
        for key, vector in fresh.items():
            self._keep(key, vector)
        for key, vector in fresh.items():
            await self._write(f"vector/{edition}/{key.hex()}", vector)
        return True

    def _keep(self, key: bytes, vector: bytes) -> None:
        self._vectors[key] = vector
        self._vectors.move_to_end(key)
        while len(self._vectors) > MOST_VECTORS:
            self._vectors.popitem(last=False)

    # Queries.

    async def query(self, text: str, patience: float | None = None) -> bytes | Missing:
        """The vector of what somebody looks for, or why there is none.

        `patience`: seconds to wait for it, in place of the embedder's.
        """
        known = self._queries.get(text)
        if known is not None:
            self._queries.move_to_end(text)
            return known
        task = self._asking.get(text)
        if task is None:
            if self._resting:
                return "failed"
            if len(self._asking) >= MOST_WAITING:
                return "busy"
            task = self._asking[text] = asyncio.create_task(self._ask(text))
            task.add_done_callback(lambda _: self._asking.pop(text, None))
        if patience is None:
            patience = 0.0 if self._late >= MOST_LATE else self._embedder.patience
        done, _ = await asyncio.wait({task}, timeout=patience)
        if not done:
            return "late"
        return "failed" if task.cancelled() else task.result() or "failed"

    async def _ask(self, text: str) -> bytes | None:
        began = self._clock.monotonic()
        made = await self._embedded([text], "query")
        if made is None:
            return None
        late = self._clock.monotonic() - began > self._embedder.patience
        self._late = self._late + 1 if late else 0
        self._queries[text] = made[0]
        while len(self._queries) > MOST_QUERIES:
            self._queries.popitem(last=False)
        return made[0]

    # The embedder.

    @property
    def _resting(self) -> bool:
        """Whether it is not to be asked: it has failed lately, or somebody is trying it."""
        return self._closed or self.pause > 0 or (self._failures > 0 and self._trying)

    @property
    def _doubtful(self) -> bool:
        return self._clock.monotonic() >= self._sure_until

    async def _embedded(self, texts: Sequence[str], purpose: Purpose) -> list[bytes] | None:
        if self._resting:
            return None
        probed = not self._embedder.constant and (purpose == "tools" or self._doubtful)
        began = self._clock.monotonic()
        self._trying = True
        try:
            made = await self._embedder.embed([PROBE, *texts] if probed else texts, purpose)
            if probed:
                await self._recognise(made.pop(0))
            if self._known is not None and any(len(one) != len(self._known) for one in made):
                self._sure_until = float("-inf")
                raise NotEmbedded(
                    f"{self.shown}: its vectors are of another length than before",
                    reason="embedder-broken",
                    passing=True,
                )
        except NotEmbedded as error:
            self._failed(error)
            return None
        finally:
            self._trying = False
        self.meter.took[purpose].add(self._clock.monotonic() - began)
        self._well()
        return made

    async def _recognise(self, probe: bytes) -> None:
        """Tell by what it made of the known text whose vectors these are."""
        name = f"probe/{self._embedder.name}"
        known = self._known or await self._read(name)
        if known is None or cosine(known, probe) < SAME:
            if self._known is not None:
                self._change()
            known = probe
            await self._write(name, probe)
        if known != self._known:
            self._vectors.clear()
            self._queries.clear()
        self._known = known
        digest = blake2b(known, digest_size=8).hexdigest()
        self.edition = f"{self._embedder.name}/{digest}"
        self._sure_until = self._clock.monotonic() + DOUBT

    def _change(self) -> None:
        # Two models that take turns would have everything embedded again and again.
        now = self._clock.monotonic()
        if now < self._changed + DOUBT:
            raise NotEmbedded(
                f"{self.shown} has been another model twice in a short time",
                reason="embedder-broken",
            )
        self._changed = now
        _log.warning("%s is another model than before; all is embedded anew", self.shown)

    def _failed(self, error: NotEmbedded) -> None:
        if self._closed:
            return
        # Those that were under way together have failed once.
        self._failures += not self.pause
        rest = bound(self._failures, self._embedder.rest, PAUSE) if error.passing else PAUSE
        self._until = self._clock.monotonic() + max(rest, error.retry_after)
        if not self._embedder.constant:
            self._sure_until = float("-inf")
        self.meter.asked[error.reason] += 1
        before, self.trouble = self.trouble, error
        if before is None or before.reason != error.reason:
            entry = ENTRIES[error.reason]
            remedy = error.remedy or entry.remedy
            words = "tools are found by words alone for now: %s [%s] %s"
            _log.warning(words, error, entry.code, remedy)

    def _well(self) -> None:
        self.meter.asked["ok"] += 1
        self._failures, self._until = 0, 0.0
        if self.trouble is not None:
            _log.info("tools are found by what is meant again")
        self.trouble = None

    # The file: where it cannot be read or written, that costs time and nothing else.

    async def _read(self, name: str) -> bytes | None:
        if self._store is not None:
            with suppress(StoreGone):
                return await self._store.get(name)
        return None

    async def _write(self, name: str, vector: bytes) -> None:
        if self._store is not None:
            with suppress(StoreGone):
                await self._store.put(name, vector, KEPT)

    async def close(self) -> None:
        """Ask for nothing more; what a model is doing in a thread it ends by itself."""
        self._closed = True
        for task in list(self._asking.values()):
            task.cancel()
        await self._embedder.close()
        if self._store is not None:
            await self._store.close()
