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
_expression = re.compile(r"\{([+#./;?&]?)[^{}]*\}")
# What an expression may stand for, by operator (RFC 6570 section 3.2): reserved expansion takes
# anything, query operators an optional query, the rest everything up to the next delimiter.
_STANDS_FOR: Final = {
    "": r"[^/?#]*",
    "+": r".*",
    "#": r"(?:#.*)?",
    ".": r"(?:\.[^/?#]*)?",
    "/": r"(?:/[^?#]*)?",
    ";": r"(?:;[^/?#]*)?",
    "?": r"(?:\?[^#]*)?",
    "&": r"(?:&[^#]*)?",
}


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


def matches(template: str, uri: str) -> bool:
    """Whether `uri` may be an expansion of the URI template (RFC 6570), loosely."""
    pattern = _pattern(template)
    return pattern is not None and pattern.fullmatch(uri) is not None


@lru_cache(maxsize=4096)
def _pattern(template: str) -> re.Pattern[str] | None:
    if len(template) > _LONGEST_TEMPLATE:
        return None
    written: list[str] = []
    end = 0
    for found in _expression.finditer(template):
        written += [re.escape(template[end : found.start()]), _STANDS_FOR[found[1]]]
        end = found.end()
    written.append(re.escape(template[end:]))
    return re.compile("".join(written), re.DOTALL)
