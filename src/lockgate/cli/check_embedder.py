"""What came of asking the embedder, for people.

Must not know: how it is asked.
"""

from __future__ import annotations

from rich.text import Text

from lockgate.cli.terminal import coded, console, hang, show_remedy, visible
from lockgate.gateway.embedder_trial import EmbedderReport


def show(one: EmbedderReport) -> None:
    """One line, and what to do where something is wrong."""
    out = console()
    if one.error is not None:
        line = ("embedder: ", "bold red"), visible(one.error), coded(one.code)
    else:
        style = "yellow" if one.outcome == "late" else "green"
        line = (f"embedder: {one.outcome}, ", style), visible(_took(one))
    hang(out, Text.assemble(*line))
    show_remedy(out, one.remedy)


def _took(one: EmbedderReport) -> str:
    return (
        f"{one.embedder}: {one.dimensions} dimensions, {_ms(one.seconds)} for a query over an open "
        f"connection, {_ms(one.first)} over a new one; a search waits {_ms(one.wait)}"
    )


def _ms(seconds: float | None) -> str:
    return f"{1000 * (seconds or 0):.0f} ms"
