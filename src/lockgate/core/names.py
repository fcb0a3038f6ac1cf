"""How a server's name and a tool's name are spelled together; the only place that knows.

Must not know: catalogs, configuration, where names come from.

Names are never taken apart again: whoever shows a name keeps the table that leads back. So a server
called `a__b` can confuse nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from hashlib import sha256
from itertools import islice
from typing import Final, Literal

Naming = Literal["bare", "prefix"]

SEPARATOR: Final = "__"
LONGEST: Final = 64  # model APIs take at most 64 characters of [A-Za-z0-9_-]
_HASH: Final = 8
_LONGEST_GUESSED: Final = 128
_MOST_GUESSED: Final = 1000
_outside = re.compile(r"[^A-Za-z0-9_-]")

ALIAS_SCHEME: Final = "lockgate"


def spell(server: str, name: str, naming: Naming) -> str:
    """The name clients see for `name` of `server`.

    `bare`: as the server says it. `prefix`: `server__name`, with every character model APIs refuse
    replaced by `_`, and a name over 64 characters cut and closed with eight hexadecimal digits of a
    hash of both full names. Equal input gives equal output on every machine and run.
    """
    if naming == "bare":
        return name
    written = _outside.sub("_", f"{server}{SEPARATOR}{name}")
    if len(written) <= LONGEST:
        return written
    digest = sha256(f"{server}\0{name}".encode()).hexdigest()[:_HASH]
    return f"{written[: LONGEST - _HASH - 1]}_{digest}"


def may_be(name: str, server: str, naming: Naming) -> bool:
    """Whether clients may see some name of `server` as `name`."""
    if naming == "bare":
        return True
    prefix = _outside.sub("_", f"{server}{SEPARATOR}")
    cut = LONGEST - _HASH - 1
    return name.startswith(prefix) or (len(name) == LONGEST and name[:cut] == prefix[:cut])


def confusable(name: str) -> str:
    """A key that is equal for names which differ in letter case only."""
    return name.casefold()


def alias_uri(server: str, uri: str) -> str:
    """A resource URI that says which server it is on, for URIs that several servers offer."""
    return f"{ALIAS_SCHEME}://{_outside.sub('_', server)}/{uri}"


def split_alias(uri: str, servers: Iterable[str]) -> tuple[str, str] | None:
    """The (server, uri) an alias stands for, or None when `uri` is no alias of these servers."""
    if not uri.startswith(f"{ALIAS_SCHEME}://"):
        return None
    host, found, rest = uri[len(ALIAS_SCHEME) + 3 :].partition("/")
    if not found:
        return None
    for server in servers:
        if _outside.sub("_", server) == host:
            return server, rest
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, for `did you mean`; None when none is near.

    Comparing is slow, and names come from peers: long ones, and all but the first, are not tried.
    """
    if len(name) > _LONGEST_GUESSED:
        return None
    tried = (one for one in islice(known, _MOST_GUESSED) if len(one) <= _LONGEST_GUESSED)
    matches = get_close_matches(name, list(tried), n=1, cutoff=0.6)
    return matches[0] if matches else None
