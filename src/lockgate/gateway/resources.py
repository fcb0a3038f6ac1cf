"""Which server a resource URI is on.

Must not know: how lists are fetched.

In this order: an alias that names its server; a URI one server lists; a template it matches; else
every server that has resources may have it, in configuration order. Listing a URI is what makes it
a server's own: an unlisted one is asked for, never assumed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lockgate.core.message import Failure, Target
from lockgate.core.names import split_alias
from lockgate.gateway.face import Face

_LONGEST_TEMPLATE: Final = 2048
_LONGEST_URI: Final = 8192
_MOST_EXPRESSIONS: Final = 32
_expression = re.compile(r"\{([+#./;?&]?)[^{}]*\}")
_STANDS_FOR: Final[dict[str, tuple[str, str]]] = {
    "": ("", "/?#"),
    "+": ("", ""),
    "#": ("#", ""),
    ".": (".", "/?#"),
    "/": ("/", "?#"),
    ";": (";", "/?#"),
    "?": ("?", "#"),
    "&": ("&", "#"),
}
"""What an expression may stand for, by operator (RFC 6570 section 3.2): what it begins with unless
it is empty, and the characters that end it."""


def candidates(
    uri: str, listed: Face, templates: Face, servers: Sequence[str]
) -> list[Target] | Failure:
    """The servers `uri` may be on, the likeliest first; a Failure when two claim it."""
    alias = split_alias(uri, servers)
    if alias is not None:
        return [Target(alias[0], "resource", alias[1])]
    refused = listed.refused.get(uri)
    if refused is not None:
        return refused
    target = listed.routes.get(uri)
    if target is not None:
        return [target]
    matching = [
        template.server for template in templates.routes.values() if matches(template.name, uri)
    ]
    likely = list(dict.fromkeys(matching)) or list(servers)
    return [Target(server, "resource", uri) for server in likely]


def only_by_hidden(target: Target, listed: Face, templates: Face) -> bool:
    """Whether its server has this URI by nothing but templates that are not shown."""
    if target in listed.routes.values():
        return False
    known = [
        item.key
        for part in templates.parts
        if part.server == target.server
        for item in part.items
        if matches(item.key, target.name)
    ]
    shown = {one.name for one in templates.routes.values() if one.server == target.server}
    return bool(known) and shown.isdisjoint(known)


def matches(template: str, uri: str) -> bool:
    """Whether `uri` may be an expansion of the URI template (RFC 6570), loosely."""
    pattern = _pattern(template)
    return pattern is not None and len(uri) <= _LONGEST_URI and pattern.takes(uri)


class _Pattern:
    """A template as an automaton whose states are the bits of one number.

    A regular expression would try every way to split the URI among the expressions, and both come
    from peers; this looks at each character once, whatever the template.
    """

    __slots__ = ("_at", "_end", "_kept", "_skips", "_width")

    def __init__(self, template: str) -> None:
        self._at: dict[str, int] = {}
        self._kept: list[tuple[int, str]] = []
        self._skips: list[tuple[int, int]] = []
        self._width = 0
        end = 0
        for found in _expression.finditer(template):
            self._literal(template[end : found.start()])
            first, ends = _STANDS_FOR[found[1]]
            start = self._width
            self._literal(first)
            inside, behind = 1 << self._width, 2 << self._width
            self._kept.append((inside, ends))
            self._skips += ((1 << start, behind), (inside, behind))
            self._width += 1
            end = found.end()
        self._literal(template[end:])
        self._end = 1 << self._width

    def _literal(self, text: str) -> None:
        for letter in text:
            self._at[letter] = self._at.get(letter, 0) | 1 << self._width
            self._width += 1

    def _with_skips(self, states: int) -> int:
        for before, behind in self._skips:
            if states & before:
                states |= behind
        return states

    def takes(self, uri: str) -> bool:
        states = self._with_skips(1)
        for letter in uri:
            stay = 0
            for bit, ends in self._kept:
                if states & bit and letter not in ends:
                    stay |= bit
            moved = (states & self._at.get(letter, 0)) << 1
            states = self._with_skips(stay | moved)
            if not states:
                return False
        return bool(states & self._end)


@lru_cache(maxsize=4096)
def _pattern(template: str) -> _Pattern | None:
    if len(template) > _LONGEST_TEMPLATE or len(_expression.findall(template)) > _MOST_EXPRESSIONS:
        return None
    return _Pattern(template)
