"""Whether the embedder that is configured answers, and how soon: asked twice, with a text of ours.

Must not know: who wants to know, how it is shown.
"""

from __future__ import annotations

from time import perf_counter
from typing import Literal

import msgspec

from lockgate.config.model import Config
from lockgate.core.codes import CODES, ENTRIES
from lockgate.gateway import nearness
from lockgate.gateway.embedder import RemoteEmbedder
from lockgate.gateway.embedding import PROBE, NotEmbedded


class EmbedderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it.

    embedder    which it is.
    outcome     `answers`; `late`: more slowly than a search waits; `away`; `unfit`: it will not do.
    dimensions  of its vectors.
    seconds     how long it took over an open connection; `first`: over a new one.
    wait        how long a search waits for it.
    code, error, remedy  what is wrong.
    """

    embedder: str
    outcome: Literal["answers", "late", "away", "unfit"]
    wait: float
    dimensions: int | None = None
    seconds: float | None = None
    first: float | None = None
    code: str | None = None
    error: str | None = None
    remedy: str | None = None


async def tried(config: Config) -> EmbedderReport | None:
    """What comes of asking the embedder; None: there is none to ask. No tool's text is sent."""
    search = config.lockgate.search
    if search.embedder is None or search.semantic == "off":
        return None
    embedder = RemoteEmbedder(search.embedder)
    wait = embedder.patience
    took: list[float] = []
    made: list[bytes] = []
    try:
        for _ in range(2):
            began = perf_counter()
            made = await embedder.embed([PROBE], "query")
            took.append(perf_counter() - began)
    except NotEmbedded as error:
        return EmbedderReport(
            embedder=embedder.shown,
            outcome="away" if error.passing else "unfit",
            wait=wait,
            code=CODES[error.reason],
            error=error.message,
            remedy=error.remedy or ENTRIES[error.reason].remedy,
        )
    finally:
        await embedder.close()
    if not nearness.installed():
        return EmbedderReport(
            embedder=embedder.shown,
            outcome="unfit",
            wait=wait,
            code=CODES["semantic-unusable"],
            error="it answers, and what compares vectors is not installed",
            remedy="Install lockgate[vectors].",
        )
    first, seconds = took
    late = seconds > wait
    return EmbedderReport(
        embedder=embedder.shown,
        outcome="late" if late else "answers",
        wait=wait,
        dimensions=len(made[0]),
        seconds=round(seconds, 4),
        first=round(first, 4),
        remedy="Raise lockgate.search.embedder.wait, or take one that is nearer." if late else None,
    )
