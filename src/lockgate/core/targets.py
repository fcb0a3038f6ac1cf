"""Patterns for what is on servers: `github/get_*`, `docs`, `files/file:///public/*`.

Must not know: who uses them for what. A pattern is `SERVER/NAME`, each part shell-style (`*`, `?`,
`[ab]`, letter case matters), in the server's own words; one without `/NAME` means everything of the
server. The first slash divides: servers' names have none, names and URIs may.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from fnmatch import translate
from typing import Final
from urllib.parse import unquote

import msgspec

from lockgate.core.message import Target

ALL: Final = "*"
MOST_DECODED: Final = 4
_special: Final = re.compile(r"[*?\[]")
_uri: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)(//[^/]*)?(.*)", re.DOTALL)


class TargetPattern(msgspec.Struct, frozen=True):
    """One pattern, divided."""

    server: str
    name: str = ALL

    def __str__(self) -> str:
        return self.server if self.name == ALL else f"{self.server}/{self.name}"


def divided(text: str) -> TargetPattern:
    """The pattern that `text` spells.

    Raises:
        ValueError: one of its parts is empty.
    """
    server, slash, name = text.partition("/")
    if not server or (slash and not name):
        raise ValueError(f"{text!r} is no pattern; write SERVER or SERVER/NAME, such as docs/get_*")
    return TargetPattern(server, name or ALL)


def special(pattern: str) -> bool:
    """Whether the pattern may match more than itself."""
    return _special.search(pattern) is not None


class Words:
    """Shell-style patterns for one word, any of which may match."""

    __slots__ = ("_any", "_begin", "_exact", "_regex", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        """Names and prefixes are compared as they are; anything else becomes one expression."""
        self.patterns = tuple(patterns)
        self._any = ALL in self.patterns
        self._exact = frozenset(one for one in self.patterns if not special(one))
        rest = [one for one in self.patterns if special(one)]
        begin = [one[:-1] for one in rest if one.endswith("*") and not special(one[:-1])]
        self._begin = tuple(begin)
        other = [one for one in rest if one[:-1] not in begin]
        self._regex = re.compile("|".join(map(translate, other))) if other else None

    @property
    def everything(self) -> bool:
        """Whether no word can fail to match."""
        return self._any

    def __contains__(self, word: object) -> bool:
        if not isinstance(word, str):
            return False
        if self._any or word in self._exact or word.startswith(self._begin):
            return True
        return self._regex is not None and self._regex.match(word) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return hash(self.patterns)

    def __repr__(self) -> str:
        return f"Words({', '.join(self.patterns)})"


class Things:
    """Whatever of servers any of some patterns matches, whichever kind of thing it is."""

    __slots__ = ("_by_server",)

    def __init__(self, patterns: Iterable[str]) -> None:
        """Patterns as `divided` reads them."""
        by_server: dict[str, list[str]] = {}
        for one in map(divided, patterns):
            by_server.setdefault(one.server, []).append(one.name)
        self._by_server = [(Words([server]), Words(names)) for server, names in by_server.items()]

    def __contains__(self, target: object) -> bool:
        """A URI is one of them if any reading of it is, or if nobody can say how it is read."""
        if not isinstance(target, Target):
            return False
        uri = target.kind in ("resource", "template")
        forms = readings(target.name) if uri else (target.name,)
        return any(
            target.server in servers and (not forms or any(form in names for form in forms))
            for servers, names in self._by_server
        )


def readings(uri: str) -> tuple[str, ...]:
    """The URI as written, and in every other way a server may read it, each once.

    Percent-encoding is taken off as often as there is any, backslashes are taken for slashes, `.`,
    `..` and doubled slashes are resolved anywhere behind the authority (lenient readers do so), and
    scheme and authority are lower case (RFC 3986 section 6.2.2). Whoever allows must allow every
    reading; whoever forbids need only meet one. Empty: it is encoded deeper than anybody writes.
    """
    found = {uri: None}
    decoded = uri
    for _ in range(MOST_DECODED):
        found[_resolved(decoded)] = None
        further = unquote(decoded)
        if further == decoded:
            return tuple(found)
        decoded = further
    return ()


def _resolved(uri: str) -> str:
    matched = _uri.fullmatch(uri.replace("\\", "/"))
    if matched is None:
        return uri
    scheme, authority, path = matched[1].lower(), (matched[2] or "").lower(), matched[3]
    if "/" not in path:
        return scheme + authority + path
    plain = posixpath.normpath(path)
    plain = "/" + plain.lstrip("/") if path.startswith("/") else plain
    ends = path.endswith(("/", "/.", "/..")) and not plain.endswith("/")
    return scheme + authority + plain + "/" * ends
