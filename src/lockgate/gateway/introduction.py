"""How many servers introduce themselves as one: their discover results merged. Pure.

Must not know: how a server is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from lockgate import __version__
from lockgate.core.raw import Raw
from lockgate.wire.revisions import HANDSHAKE_VERSIONS, META_SERVER_INFO, MODERN_VERSIONS

OWN_INFO: Final = {"name": "lockgate", "title": "Lockgate", "version": __version__}
WAITING: Final = Raw.of({"capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"})
"""What is said for a server that says nothing before its caller has logged in there: whoever could
not even begin with the gateway would never be asked to."""
_LISTED: Final = ("tools", "prompts", "resources")


def introduce(
    facts: Sequence[tuple[str, Raw]], own: str | None = None, *, personal: bool = False
) -> Raw:
    """One discover result for clients, from (server name, discover result) in config order.

    `own` instructions are given instead of the servers'; what is `personal` is never called public.

    One server speaks for itself: its own name, instructions and hints. Several are introduced as
    Lockgate, with each one's instructions under its name. Lists may change whatever the servers
    declare (one may come or go), so `listChanged` is always offered for what is listed at all.
    """
    versions = [*reversed(MODERN_VERSIONS), *reversed(HANDSHAKE_VERSIONS)]
    members: dict[str, Any] = {}
    if len(facts) == 1:
        members.update(facts[0][1])
    meta: dict[str, Any] = dict(cast("dict[str, Any]", members.get("_meta") or {}))
    meta.setdefault(META_SERVER_INFO, OWN_INFO)
    instructions = _instructions(facts) if own is None else own
    if own is not None:
        members.pop("instructions", None)
    return Raw.of(
        {
            **members,
            "resultType": "complete",
            "supportedVersions": versions,
            "capabilities": _capabilities([fact for _, fact in facts]),
            **({"instructions": instructions} if instructions else {}),
            "ttlMs": _shortest(facts),
            "cacheScope": "private" if personal else _strictest(facts),
            "_meta": meta,
        }
    )


def _capabilities(facts: Sequence[Raw]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for fact in facts:
        declared: object = fact.get("capabilities")
        if isinstance(declared, dict):
            merged = _merge(merged, cast("dict[str, Any]", declared))
    for name in _LISTED:
        if isinstance(merged.get(name), dict):
            merged[name] = {**merged[name], "listChanged": True}
    return merged


def _merge(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Everything either side can do; of two different plain values, True or the first."""
    merged = dict(left)
    for key, value in right.items():
        mine: object = merged.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            merged[key] = _merge(cast("dict[str, Any]", mine), cast("dict[str, Any]", value))
        elif mine is None or value is True:
            merged[key] = value
    return merged


def _instructions(facts: Sequence[tuple[str, Raw]]) -> str:
    said = [(name, fact.get("instructions")) for name, fact in facts]
    spoken = [(name, text) for name, text in said if isinstance(text, str) and text.strip()]
    if len(facts) == 1:
        return spoken[0][1] if spoken else ""
    return "\n\n".join(f"## {name}\n\n{text.strip()}" for name, text in spoken)


def _shortest(facts: Sequence[tuple[str, Raw]]) -> int:
    ttls = [fact.get("ttlMs") for _, fact in facts]
    return min((ttl if isinstance(ttl, int) and ttl > 0 else 0 for ttl in ttls), default=0)


def _strictest(facts: Sequence[tuple[str, Raw]]) -> str:
    public = bool(facts) and all(fact.get("cacheScope") == "public" for _, fact in facts)
    return "public" if public else "private"
