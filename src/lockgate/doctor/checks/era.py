"""Which eras the server speaks, which revisions it offers, and what it says it can do.

Must not know: transports. Sources: revision 2026-07-28, basic/versioning; 2025-11-25,
basic/lifecycle.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from lockgate.core.legible import shortened, visible
from lockgate.core.message import Era
from lockgate.doctor.heard import Heard
from lockgate.doctor.http_voices import initialize_params
from lockgate.doctor.visit import ERAS, Visit, Voice
from lockgate.wire.revisions import (
    HANDSHAKE_VERSIONS,
    LATEST_HANDSHAKE,
    META_SERVER_INFO,
    MODERN_VERSIONS,
    UNSUPPORTED_VERSION,
)

NEVER: Final = "1999-12-31"
"""A revision that never was."""
_OLD: Final = frozenset({"2024-11-05", "2025-03-26"})
_FAILS: Final = 500
_FEATURES: Final = ("tools", "prompts", "resources", "completions", "logging", "tasks")
_dated: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def discovered(visit: Visit, heard: Heard, voice: Voice) -> bool:
    """Judge the answer to server/discover; whether the server speaks 2026-07-28."""
    result = heard.result
    if result is not None and "supportedVersions" in result:
        versions = _texts(result["supportedVersions"])
        if not versions or not isinstance(result.get("capabilities"), dict):
            visit.find("discover-invalid", shortened(visible(str(result)), 200))
        if any(one in MODERN_VERSIONS for one in versions):
            visit.voices["modern"] = voice
            visit.introduced["modern"] = result
            return True
        return False
    if heard.code == UNSUPPORTED_VERSION or heard.code in (-32020, -32021):
        visit.find("discover-invalid", str(heard))
    elif heard.status is not None and heard.status >= _FAILS:
        visit.find("discover-broken", str(heard))
    return False


async def initialize(visit: Visit, voice: Voice) -> Heard:
    """The handshake, as far as it goes."""
    heard = await voice.ask("initialize", initialize_params())
    result = heard.result
    if result is None:
        visit.refused = heard
        return heard
    if (lacks := _lacks(result)) and "modern" not in visit.voices:
        visit.find("initialize-invalid", f"missing: {', '.join(lacks)}")
    visit.voices["handshake"] = voice
    visit.introduced["handshake"] = result
    return heard


async def initialized(visit: Visit, voice: Voice) -> None:
    """The end of the handshake."""
    told = await voice.tell("notifications/initialized")
    if not told.accepted:
        visit.find("initialized-refused", str(told))


def _lacks(result: dict[str, Any]) -> list[str]:
    info = result.get("serverInfo")
    named = cast("dict[str, Any]", info) if isinstance(info, dict) else {}
    lacking = [] if isinstance(result.get("protocolVersion"), str) else ["protocolVersion"]
    lacking += [] if isinstance(result.get("capabilities"), dict) else ["capabilities"]
    whole = isinstance(named.get("name"), str) and isinstance(named.get("version"), str)
    return lacking if whole else [*lacking, "serverInfo with name and version"]


def eras(visit: Visit) -> None:
    """What was found out, in a line."""
    if not visit.voices:
        refused = visit.refused
        spoken = refused is not None and refused.error is not None
        visit.find("initialize-refused" if spoken else "era-none", f"initialize: {refused}")
        visit.bar("no era can be spoken")
        return
    for era, introduced in visit.introduced.items():
        visit.saw(f"{_WORDS[era]} by {_itself(introduced)}")
    if "modern" not in visit.voices:
        visit.find("handshake-only")
    if "handshake" not in visit.voices:
        visit.find("modern-only")


_WORDS: Final[dict[Era, str]] = {
    "modern": "server/discover answered",
    "handshake": "initialize answered",
}


def _itself(introduced: dict[str, Any]) -> str:
    meta = introduced.get("_meta")
    info: Any = introduced.get("serverInfo")
    if info is None and isinstance(meta, dict):
        info = cast("dict[str, Any]", meta).get(META_SERVER_INFO)
    if not isinstance(info, dict):
        return "a server that does not name itself"
    named = cast("dict[str, Any]", info)
    return shortened(visible(f"{named.get('name')} {named.get('version', '')}".strip()), 80)


def offered(visit: Visit) -> list[str]:
    """Every revision the server names, the newest first."""
    found = _texts(visit.introduced.get("modern", {}).get("supportedVersions"))
    agreed = visit.introduced.get("handshake", {}).get("protocolVersion")
    if isinstance(agreed, str):
        found.append(agreed)
    return sorted(set(found), reverse=True)


async def versions(visit: Visit, unknown_modern: Heard | None, unknown: Heard | None) -> None:
    """Judge the revisions, and what became of one that never was."""
    named = offered(visit)
    visit.saw(", ".join(shortened(visible(one), 20) for one in named) or "none named")
    known = [one for one in named if one in HANDSHAKE_VERSIONS or one in MODERN_VERSIONS]
    if strange := [one for one in named if not _dated.fullmatch(one)]:
        visit.find("version-unknown", ", ".join(strange)[:100])
    elif not known:
        visit.find("version-unknown", ", ".join(named)[:100])
    if known and known[0] in _OLD:
        visit.find("version-old", f"{known[0]}, where {LATEST_HANDSHAKE} was asked for")
    if unknown is not None and (unknown.result or {}).get("protocolVersion") == NEVER:
        visit.find("version-echo", f"it agreed to {NEVER}")
    if unknown_modern is not None:
        _unknown_modern(visit, unknown_modern)


def _unknown_modern(visit: Visit, heard: Heard) -> None:
    error = heard.error
    if heard.result is not None:
        visit.find("version-accepted", f"a request of {NEVER} got {heard}")
        return
    data = error.data if error is not None else None
    named = isinstance(data, dict) and "supported" in data
    right = heard.code == UNSUPPORTED_VERSION and heard.status in (None, 400) and named
    if not right:
        lacks = "" if named else ", without `supported`"
        visit.find("version-code", f"{heard}{lacks}")


def capabilities(visit: Visit) -> None:
    """What is declared in each era."""
    for era in visit.voices:
        declared = visit.introduced[era].get("capabilities")
        members = visit.capabilities(era)
        wrong = [name for name, one in members.items() if not isinstance(one, dict)]
        if wrong or not isinstance(declared, dict):
            visit.find("capability-invalid", ", ".join(wrong) or "no object")
        known = [_spelled(name, members[name]) for name in _FEATURES if name in members]
        if not known:
            visit.find("capability-none", ERAS[era])
        visit.saw(f"{ERAS[era]}: {', '.join(known) or 'nothing'}")


def _spelled(name: str, value: object) -> str:
    members = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    extras = [one for one in ("listChanged", "subscribe") if members.get(one) is True]
    return f"{name} ({', '.join(extras)})" if extras else name


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    return [one for one in cast("list[object]", value) if isinstance(one, str)]
