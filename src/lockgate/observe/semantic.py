"""How tools are found by what is meant, counted: searches, and what the embedder was asked.

Must not know: which embedder it is, what is searched for. What counts are kept by is a fixed list,
so they are bounded.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

from lockgate.observe.meter import Histogram

Outcome = Literal["meaning", "building", "late", "busy", "failed", "many"]
OUTCOMES: Final[dict[Outcome, str]] = {
    "meaning": "by meaning as well as by words",
    "building": "by words: not every tool has its vector yet",
    "late": "by words: the vector of the query was not there in time",
    "busy": "by words: too many queries are waiting",
    "failed": "by words: the embedder has failed",
    "many": "by words: there are more tools than are embedded",
}
"""What can come of a search, and what it means."""
Purpose = Literal["query", "tools"]


class SemanticMeter:
    """Of one process, whichever embedder there is.

    searches  what came of them.
    asked     what came of asking the embedder: `ok`, or a reason.
    embedded  tools that were embedded.
    took      how long it took to embed queries, and tools a request at a time.
    """

    def __init__(self) -> None:
        self.searches: Counter[Outcome] = Counter()
        self.asked: Counter[str] = Counter()
        self.embedded = 0
        self.took: dict[Purpose, Histogram] = {"query": Histogram(), "tools": Histogram()}
