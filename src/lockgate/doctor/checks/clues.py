"""What the last words of a process that failed at start are a sign of: one table.

Must not know: processes.
"""

from __future__ import annotations

import re
from typing import Final

CLUES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "start-module",
        re.compile(
            r"ModuleNotFoundError|ImportError|Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND"
            r"|No module named|error while loading shared libraries"
        ),
    ),
    (
        "start-python",
        re.compile(
            r"requires a different Python|requires Python|SyntaxError|Unsupported engine"
            r"|unsupported operand type\(s\) for \||requires Node|Unexpected token"
            r"|cannot import name '(?:TypeAlias|Self|StrEnum|UTC)'"
        ),
    ),
    ("start-port", re.compile(r"[Aa]ddress already in use|EADDRINUSE|Errno 98|Errno 48")),
    (
        "start-package",
        re.compile(
            r"npm (?:ERR!|error)(?: code)? E404|No matching distribution|not found in the package "
            r"registry|Because [\w.-]{1,100} was not found|Unable to find image|pull access denied"
            r"|Cannot connect to the Docker daemon|Failed to fetch|ENOTFOUND|No solution found"
        ),
    ),
    (
        "start-permission",
        re.compile(r"PermissionError|Permission denied|EACCES|EPERM|Operation not permitted"),
    ),
    (
        "start-environment",
        re.compile(
            r"KeyError: ['\"][A-Z][A-Z0-9_]{2,60}['\"]"
            r"|\b[A-Z][A-Z0-9_]{2,60}\b.{0,60}(?:not set|required|missing|must be set)"
            r"|[Mm]issing (?:required )?(?:environment|env)"
        ),
    ),
)
"""In the order in which they are tried: what is told first is the surer sign."""

HTTP: Final = re.compile(
    r"(?:running on|listening (?:on|at)|started at) (https?://[\w.\[\]:-]{3,80})", re.IGNORECASE
)
"""What web servers say when they are up."""
_LONGEST: Final = 20_000


def clue(words: str) -> str | None:
    """The kind of finding that the words are a sign of, if they are of one."""
    words = words[-_LONGEST:]
    return next((kind for kind, pattern in CLUES if pattern.search(words)), None)


def serves_http(words: str) -> str | None:
    """Where a process says it serves HTTP, if it does."""
    found = HTTP.search(words[-_LONGEST:])
    return None if found is None else found[1]
