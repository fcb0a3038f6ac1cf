"""What each exit code means: one table for the program, its help and the documentation.

Must not know: which command exits how.
"""

from __future__ import annotations

from typing import Final

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 3
TOOL_ERROR: Final = 4
INTERRUPTED: Final = 130

EXITS: Final[dict[int, str]] = {
    OK: "done; for `up`: stopped in an orderly way, by SIGTERM or Ctrl-C",
    FAILED: "failed while running; the message says why",
    USAGE: "wrong usage or configuration; nothing was served or called",
    UNAVAILABLE: "a server that was needed could not be started or reached",
    TOOL_ERROR: "the tool ran and reported an error",
    INTERRUPTED: "interrupted; for `up`: a second signal ended it at once",
}


def epilog() -> str:
    """The table as the end of a help text; the mark keeps click from re-wrapping it."""
    rows = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXITS.items())
    return f"\b\nExit codes:\n{rows}"
