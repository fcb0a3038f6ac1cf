"""What each exit code means: one table for the program, its help and the documentation.

Must not know: which command exits how.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.codes import ENTRIES

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 3
TOOL_ERROR: Final = 4
REFUSED: Final = 5
FOUND_REVIEW: Final = 7
FOUND_BLOCK: Final = 8
INTERRUPTED: Final = 130

EXITS: Final[dict[int, str]] = {
    OK: "done; for `up`: stopped in an orderly way, by SIGTERM or Ctrl-C",
    FAILED: ENTRIES["exit-1"].meaning,
    USAGE: ENTRIES["exit-2"].meaning,
    UNAVAILABLE: ENTRIES["exit-3"].meaning,
    TOOL_ERROR: ENTRIES["exit-4"].meaning,
    REFUSED: ENTRIES["exit-5"].meaning,
    FOUND_REVIEW: ENTRIES["exit-7"].meaning,
    FOUND_BLOCK: ENTRIES["exit-8"].meaning,
    INTERRUPTED: ENTRIES["exit-130"].meaning,
}


def epilog() -> str:
    """The table as the end of a help text; the mark keeps click from re-wrapping it."""
    rows = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS.items())
    return f"\b\nExit codes:\n{rows}"
