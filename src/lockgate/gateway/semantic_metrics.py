"""The part of `/metrics` that is about finding tools by what is meant.

Must not know: how anything is found, or how the format is written.
"""

from __future__ import annotations

from typing import Final

from lockgate.gateway.status import SemanticStatus
from lockgate.observe.exposition import Exposition
from lockgate.observe.semantic import OUTCOMES, SemanticMeter

_PHASES: Final = ("building", "ready", "failed")


def write_semantic(page: Exposition, status: SemanticStatus, meter: SemanticMeter) -> None:
    """Put everything that is known of it on the page."""
    page.family(
        "lockgate_semantic_phase",
        "gauge",
        "1 for the phase that finding tools by meaning is in.",
        [((("phase", one),), int(status.phase == one)) for one in _PHASES],
    )
    page.family(
        "lockgate_semantic_tools",
        "gauge",
        "Tools that have their vector, and those that wait for it.",
        [
            ((("state", "embedded"),), status.embedded),
            ((("state", "waiting"),), status.waiting),
        ],
    )
    page.family(
        "lockgate_semantic_vectors",
        "gauge",
        "Vectors of tools that are kept in memory.",
        [((), status.kept)],
    )
    page.family(
        "lockgate_semantic_searches_total",
        "counter",
        "Searches for tools, by what they were found by or why by words alone.",
        [((("outcome", one),), meter.searches[one]) for one in OUTCOMES],
    )
    page.family(
        "lockgate_semantic_requests_total",
        "counter",
        "What came of asking the embedder, retries included: ok, or a reason.",
        [((("outcome", one),), count) for one, count in meter.asked.items()],
    )
    page.family(
        "lockgate_semantic_embedded_total",
        "counter",
        "Tools that were embedded; those found in the file are not.",
        [((), meter.embedded)],
    )
    page.histogram(
        "lockgate_semantic_seconds",
        "How long embedding took, of a query or of one batch of tools.",
        [((("what", one),), took) for one, took in meter.took.items()],
    )
