"""The headers of Streamable HTTP: against the body, missing, encoded, in another case.

Must not know: what the requests are for. None of them names a tool that exists, but for one that
says that it only reads: a server that looks at the body alone does no harm. Source: revision
2026-07-28, basic/transports/streamable-http, "Request Metadata".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lockgate.doctor.checks.call import only_reads
from lockgate.doctor.checks.era import NEVER
from lockgate.doctor.heard import EVENTS, Heard
from lockgate.doctor.http import HttpLine, Pairs
from lockgate.doctor.http_voices import HandshakeHttp, ModernHttp, modern_headers, modern_params
from lockgate.doctor.visit import Visit
from lockgate.wire.headers import InvalidAnnotation, encode_value, param_headers
from lockgate.wire.revisions import HEADER_MISMATCH, LATEST_HANDSHAKE, LATEST_MODERN

NOBODY: Final = "lockgate_check_no_such_tool"
OTHER: Final = "lockgate_check_another_tool"
_ODD: Final = "lockgate_check_kein_Gerät"
_REFUSED: Final = range(400, 500)
_VERSION, _METHOD, _NAME = "mcp-protocol-version", "mcp-method", "mcp-name"


async def headers(visit: Visit, line: HttpLine) -> None:
    """Those of each era."""
    modern = visit.voices.get("modern")
    if isinstance(modern, ModernHttp):
        await _mismatches(visit, modern)
        await _spellings(visit, modern)
        await _params(visit, modern)
        await _other_methods(visit, line)
    handshake = visit.voices.get("handshake")
    if isinstance(handshake, HandshakeHttp):
        await _old_version(visit, handshake)


def _changed(pairs: Pairs, **values: str | None) -> list[tuple[str, str]]:
    """Headers with some replaced, or (None) left out; `mcp_name` stands for `mcp-name`."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    kept = [(name, value) for name, value in pairs if name not in named]
    return kept + [(name, value) for name, value in named.items() if value is not None]


async def _mismatches(visit: Visit, voice: ModernHttp) -> None:
    call = modern_params({"name": NOBODY, "arguments": {}})
    plain = modern_headers("tools/call", call)
    wrong: Sequence[tuple[str, list[tuple[str, str]]]] = (
        ("Mcp-Name names another tool", _changed(plain, mcp_name=OTHER)),
        ("Mcp-Method names another method", _changed(plain, mcp_method="tools/list")),
        (
            f"MCP-Protocol-Version is {LATEST_HANDSHAKE}, the body's {LATEST_MODERN}",
            _changed(plain, mcp_protocol_version=LATEST_HANDSHAKE),
        ),
    )
    refused = 0
    for what, pairs in wrong:
        refused += _judge(
            visit, await voice.post("tools/call", call, pairs), what, "header-unchecked"
        )
    lacking = (
        ("without Mcp-Name", _changed(plain, mcp_name=None)),
        ("without Mcp-Method", _changed(plain, mcp_method=None)),
        ("without MCP-Protocol-Version", _changed(plain, mcp_protocol_version=None)),
    )
    for what, pairs in lacking:
        refused += _judge(
            visit, await voice.post("tools/call", call, pairs), what, "header-missing"
        )
    visit.saw(f"{refused} of {len(wrong) + len(lacking)} wrong ways are refused")


def _judge(visit: Visit, heard: Heard, what: str, kind: str) -> bool:
    """Whether it was refused; how is told, too."""
    if heard.trouble is not None:
        return False
    if heard.status not in _REFUSED or _by_body(heard):
        visit.find(kind, f"{what}: {heard}")
        return False
    # A server of both eras may take a request without the header for one of the older.
    versions = "MCP-Protocol-Version" in what
    if heard.code != HEADER_MISMATCH and not versions:
        visit.find("header-code", f"{what}: {heard}")
    return True


def _by_body(heard: Heard) -> bool:
    """Whether it was refused for the tool that does not exist, so after the headers were passed."""
    error = heard.error
    return heard.result is not None or (
        error is not None and error.code == -32602 and NOBODY in error.message
    )


async def _spellings(visit: Visit, voice: ModernHttp) -> None:
    found = modern_params({})
    method = "server/discover"
    raised = [(name.upper(), value) for name, value in modern_headers(method, found)]
    heard = await voice.post(method, found, raised)
    if heard.result is None:
        visit.find("header-case", str(heard))
    odd = modern_params({"name": _ODD, "arguments": {}})
    pairs = modern_headers("tools/call", odd)
    if encode_value(_ODD).decode() not in dict(pairs).values():
        raise AssertionError("a name outside of ASCII is encoded")
    heard = await voice.post("tools/call", odd, pairs)
    if heard.code == HEADER_MISMATCH:
        visit.find("header-base64", str(heard))


async def _params(visit: Visit, voice: ModernHttp) -> None:
    """`Mcp-Param-…` against the argument it repeats, with a tool that says that it only reads."""
    for tool in visit.lists.get("modern", {}).get("tools/list", []):
        annotated = _texts_in_headers(tool)
        if not annotated or not only_reads(tool):
            continue
        header, name = annotated[0]
        call = modern_params({"name": tool["name"], "arguments": {name: NOBODY}})
        plain = modern_headers("tools/call", call)
        heard = await voice.post("tools/call", call, [*plain, (header, OTHER)])
        _judge(visit, heard, f"{header} says something else than the argument", "header-unchecked")
        return


def _texts_in_headers(tool: dict[str, Any]) -> list[tuple[str, str]]:
    """Header and argument, for each text that is repeated in a header."""
    schema = tool["inputSchema"]
    try:
        found = param_headers(schema)
    except InvalidAnnotation:
        return []
    properties = schema.get("properties", {})
    single = [(header, path[0]) for header, path in found.items() if len(path) == 1]
    return [(header, name) for header, name in single if properties[name]["type"] == "string"]


async def _other_methods(visit: Visit, line: HttpLine) -> None:
    for method in ("GET", "DELETE"):
        pairs: Any = [("accept", EVENTS), (_VERSION, LATEST_MODERN)]
        heard = await line.send(method, pairs, within=visit.patience.stream, done=lambda _: True)
        if heard.status is not None and heard.status < 300:
            visit.find("get-served", f"{method}: HTTP {heard.status}")


async def _old_version(visit: Visit, voice: HandshakeHttp) -> None:
    if voice.version is None or voice.version < "2025-06-18":
        return
    pairs = _changed(voice.headers(), mcp_protocol_version=NEVER)
    heard = await voice.post("tools/list", None, pairs)
    if heard.result is not None:
        visit.find("header-version", f"{NEVER}: {heard}")
    else:
        visit.saw("an unknown version in the header is refused")
