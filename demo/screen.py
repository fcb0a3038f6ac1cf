"""What the demo says while it works: one line per step, with the seconds since the start.

Must not know: what the steps are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

_started = time.monotonic()
# A pipe has no width: one that fits the table is assumed.
console = Console(width=None if sys.stdout.isatty() else 120, highlight=False, soft_wrap=False)


def say(line: str) -> None:
    """Print a finished step; where the line has to be broken, what follows stays in its column."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_row(Text(f"[{time.monotonic() - _started:5.1f}s]", "dim"), Text(line))
    console.print(table)


Update = Callable[[str], None]


@contextmanager
def working(what: str) -> Iterator[Update]:
    """Show that something is under way: a spinner on a terminal, a line elsewhere.

    Gives a function that changes what is shown; without a terminal it does nothing.
    """
    if not console.is_terminal:
        say(f"{what} …")
        yield lambda what: None
        return
    with console.status(f"{what} …") as status:
        yield lambda what: status.update(f"{what} …")


class Stopped(Exception):
    """The demo cannot go on: what happened, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
