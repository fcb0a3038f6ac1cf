"""Whether a path lies in one of some folders, however whoever opens it may read it.

Must not know: whose folders they are. Programs differ in what they make of a text: some take off
percent-encoding, some know backslashes, some follow `file:` URLs, some compose what Unicode calls
compatible. A path is in a folder only if it is there in each of these readings.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

MOST_DECODED: Final = 4
LONGEST: Final = 32 * 1024
_DRIVE: Final = re.compile(r"[A-Za-z]:")

Real = Callable[[str], str]
"""Where a path really leads on this machine, symbolic links followed."""


def inside(text: str, folders: Iterable[str], base: str | None = None, real: Real = str) -> bool:
    """Whether `text` is a path in one of these folders, or one of them, in every reading.

    Args:
        text: what somebody calls a path.
        folders: absolute paths.
        base: where relative paths start; None: it is not known, so no relative path is inside.
        real: follows links, where whoever opens the path does so on this machine.
    """
    if len(text) > LONGEST:
        return False
    roots = [_plain(one) for one in folders]
    every = list(_readings(text))
    return bool(every) and all(_placed(one, roots, base, real) for one in every)


def _readings(text: str) -> Iterator[str]:
    """Nothing, if it is encoded deeper than anybody writes."""
    seen: dict[str, None] = {}
    one = text
    for _ in range(MOST_DECODED + 1):
        seen |= dict.fromkeys((one, normalize("NFKC", one)))
        further = unquote(one)
        if further == one:
            yield from seen
            return
        one = further


def _placed(text: str, roots: list[str], base: str | None, real: Real) -> bool:
    path = text.replace("\\", "/")
    if "\0" in path or not path.isprintable() or path.startswith("~"):
        return False
    if path[:5].lower() == "file:":
        path = path[5:]
        if path.startswith("//"):
            host, slash, rest = path[2:].partition("/")
            if host.lower() not in ("", "localhost") or not slash:
                return False
            path = "/" + rest
    if path.startswith("//"):
        # On some systems a share on another machine.
        return False
    if not (path.startswith("/") or _DRIVE.match(path)):
        if base is None:
            return False
        path = f"{base.rstrip('/')}/{path}"
    # As it is written, and as it is followed: `..` after a link leads to where nobody sees it.
    plain = _plain(path)
    return _below(plain, roots) and _below(real(path), [*roots, *map(real, roots)])


def _below(path: str, roots: list[str]) -> bool:
    plain = _plain(path)
    return any(plain == root or plain.startswith(root.rstrip("/") + "/") for root in roots)


def _plain(path: str) -> str:
    plain = posixpath.normpath(path.replace("\\", "/"))
    # POSIX lets exactly two leading slashes mean something of their own; here nobody does.
    return plain[1:] if plain.startswith("//") else plain
