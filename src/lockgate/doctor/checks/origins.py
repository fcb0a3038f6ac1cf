"""Host, Origin and CORS: which pages in a browser may use the server, and which should not.

Must not know: what is asked. Sources: revision 2026-07-28, basic/transports ("Security"); the
WHATWG Fetch standard, "HTTP CORS protocol".
"""

from __future__ import annotations

from typing import Any, Final

from lockgate.core.message import Era
from lockgate.doctor.checks.reach import is_local
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import HttpLine, Pairs
from lockgate.doctor.http_voices import HandshakeHttp, modern_headers, modern_params
from lockgate.doctor.visit import HttpSubject, Visit

FOREIGN: Final = "https://lockgate-check.invalid"
FOREIGN_HOST: Final = "lockgate-check.invalid"
_SENT: Final[dict[Era, tuple[str, ...]]] = {
    "modern": ("content-type", "mcp-protocol-version", "mcp-method", "mcp-name"),
    "handshake": ("content-type", "mcp-protocol-version", "mcp-session-id"),
}
_ALLOW: Final = "access-control-allow-origin"
_OK: Final = 300


async def origin(visit: Visit, line: HttpLine) -> None:
    """All three."""
    voice = next(iter(visit.voices.values()))
    foreign = await _ask(voice, [("origin", FOREIGN)])
    if foreign.result is not None:
        visit.find("origin-any", f"Origin {FOREIGN}: {foreign}")
    else:
        visit.saw(f"a foreign Origin gets {_status(foreign)}")
    if is_local(line.url.host):
        other = await _ask(voice, [("host", FOREIGN_HOST)])
        if other.result is not None:
            visit.find("host-any", f"Host {FOREIGN_HOST}: {other}")
        else:
            visit.saw(f"a foreign Host gets {_status(other)}")
    await _credentials(visit, line, foreign)
    if isinstance(visit.subject, HttpSubject):
        await _cors(visit, line, visit.subject.origin)


def _status(heard: Heard) -> str:
    return str(heard) if heard.status is None else f"HTTP {heard.status}"


async def _ask(voice: Any, more: Pairs) -> Heard:
    """A harmless request with more headers."""
    if isinstance(voice, HandshakeHttp):
        return await voice.post("ping", None, [*voice.headers(), *more])
    params = modern_params({})
    method = "server/discover"
    return await voice.post(method, params, [*modern_headers(method, params), *more])


async def _preflight(visit: Visit, line: HttpLine, who: str) -> Heard:
    asked = ", ".join(sorted({name for era in visit.voices for name in _SENT[era]}))
    pairs = [
        ("origin", who),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", f"authorization, {asked}"),
    ]
    # A browser sends no credentials with it.
    return await line.send("OPTIONS", pairs, own=False, within=visit.patience.stream)


async def _credentials(visit: Visit, line: HttpLine, foreign: Heard) -> None:
    for heard in (foreign, await _preflight(visit, line, FOREIGN)):
        allowed = heard.headers.get(_ALLOW, "")
        if (
            allowed in (FOREIGN, "*")
            and heard.headers.get("access-control-allow-credentials", "").lower() == "true"
        ):
            visit.find("cors-credentials", f"Origin {FOREIGN} gets {_ALLOW}: {allowed}")


async def _cors(visit: Visit, line: HttpLine, who: str) -> None:
    """Whether a page at `who` could use the server."""
    before = await _preflight(visit, line, who)
    if before.headers.get(_ALLOW) not in (who, "*") or (before.status or _OK) >= _OK:
        visit.find("cors-none", f"a page at {who}")
        return
    visit.saw(f"pages at {who} are let in")
    methods = _listed(before, "access-control-allow-methods")
    if not {"post", "*"} & methods:
        visit.find("cors-methods", ", ".join(sorted(methods)) or "none")
    allowed = _listed(before, "access-control-allow-headers")
    needed = {name for era in visit.voices for name in _SENT[era]}
    lacking = sorted(needed - allowed)
    if lacking and "*" not in allowed:
        visit.find("cors-headers", ", ".join(lacking))
    for era, voice in visit.voices.items():
        answer = await _ask(voice, [("origin", who)])
        if answer.headers.get(_ALLOW) not in (who, "*"):
            visit.find("cors-refused", f"{_status(answer)} without {_ALLOW}")
        elif era == "handshake" and isinstance(voice, HandshakeHttp) and voice.session:
            exposed = _listed(answer, "access-control-expose-headers")
            if not {"mcp-session-id", "*"} & exposed:
                visit.find("cors-expose", ", ".join(sorted(exposed)) or "nothing is exposed")


def _listed(heard: Heard, name: str) -> set[str]:
    return {one.strip().lower() for one in heard.headers.get(name, "").split(",") if one.strip()}
