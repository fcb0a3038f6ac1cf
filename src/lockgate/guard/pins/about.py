"""What a server says of itself, as far as it is pinned: who it is and what it tells models.

Must not know: how a server is asked, or who is told.

A discover result is half envelope (revisions, capabilities, how long it counts), which only the
protocol reads. The rest, instructions first of all, is a definition like that of a tool. The
version is left out: a new one that defines what the old one did is no other server.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.core.raw import EMPTY, Raw
from lockgate.wire.revisions import META_SERVER_INFO

_ENVELOPE: Final = frozenset(
    {
        "cacheScope",
        "capabilities",
        "protocolVersion",
        "resultType",
        "supportedVersions",
        "ttlMs",
    }
)
_PROTOCOL: Final = "io.modelcontextprotocol/"


def about_of(facts: Raw) -> bytes:
    """The definition in a discover result: `serverInfo`, instructions, whatever else it says."""
    members = {
        key: facts.member(key) or b"null"
        for key in facts
        if key not in _ENVELOPE and key != "_meta"
    }
    meta = facts.object("_meta")
    info = meta.object(META_SERVER_INFO)
    if len(info):
        members["serverInfo"] = info.without("version").encode()
    rest = meta.without(*(key for key in meta if key.startswith(_PROTOCOL)))
    if len(rest):
        members["_meta"] = rest.encode()
    return Raw(members={**members}).encode()


def version_of(facts: Raw) -> str | None:
    """The version a server says it has."""
    try:
        version: object = facts.object("_meta").object(META_SERVER_INFO).get("version")
    except msgspec.MsgspecError:
        return None
    return version if isinstance(version, str) else None


def bare(facts: Raw) -> Raw:
    """A discover result with nothing but its envelope."""
    members = {key: facts.member(key) or b"null" for key in facts if key in _ENVELOPE}
    return Raw(members={**members}) if members else EMPTY
