"""The shapes of errors: what does not exist, and what is no JSON.

Must not know: transports, but for what a status says.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lockgate.core.legible import shortened, visible
from lockgate.doctor.checks.headers import NOBODY
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import HttpLine
from lockgate.doctor.http_voices import POSTED, HandshakeHttp, ModernHttp, modern_headers
from lockgate.doctor.http_voices import modern_params as _modern
from lockgate.doctor.visit import ERAS, Visit, Voice
from lockgate.wire.jsonrpc import METHOD_NOT_FOUND, PARSE_ERROR

NO_METHOD: Final = "lockgate_check/no_such_method"
NO_RESOURCE: Final = "lockgate-check://no-such-resource"
NO_JSON: Final = b'{"jsonrpc": "2.0", "id": 1, "method": "ping", '
_leak: Final = re.compile(
    r'Traceback \(most recent|File "[^"\n]{1,200}", line \d|\bat [\w.$]{1,80}\('
)
_NOT_FOUND: Final = 404
_BAD: Final = 400
_BROKEN: Final = 500


async def errors(visit: Visit, line: HttpLine | None) -> None:
    """In each era, then what is no message at all."""
    for era, voice in visit.voices.items():
        told = [await _method(visit, voice)]
        if "tools" in visit.capabilities(era):
            told.append(await _tool(visit, voice))
        if "resources" in visit.capabilities(era):
            told.append(await _resource(visit, voice))
        visit.saw(f"{ERAS[era]}: {', '.join(told)}")
    if line is not None:
        await _json(visit, line)


async def _method(visit: Visit, voice: Voice) -> str:
    heard = await voice.ask(NO_METHOD)
    _shape(visit, heard, "an unknown method")
    if heard.result is not None:
        visit.find("error-accepted", str(heard))
    elif heard.error is not None:
        wrong = voice.era == "modern" and heard.status not in (None, _NOT_FOUND)
        if heard.code != METHOD_NOT_FOUND or wrong:
            visit.find("error-method", str(heard))
    return f"unknown method {_short(heard)}"


async def _tool(visit: Visit, voice: Voice) -> str:
    heard = await voice.ask("tools/call", {"name": NOBODY, "arguments": {}})
    _shape(visit, heard, "an unknown tool")
    result = heard.result
    if result is not None and result.get("isError") is not True:
        visit.find("error-tool", str(heard))
    if result is not None:
        _leaks(visit, str(result))
        return "unknown tool isError" if result.get("isError") is True else "unknown tool served"
    return f"unknown tool {_short(heard)}"


async def _resource(visit: Visit, voice: Voice) -> str:
    heard = await voice.ask("resources/read", {"uri": NO_RESOURCE})
    _shape(visit, heard, "an unknown resource")
    if heard.result is not None:
        visit.find("error-resource", str(heard))
    return f"unknown resource {_short(heard)}"


def _short(heard: Heard) -> str:
    if heard.code is not None:
        return str(heard.code)
    return "served" if heard.result is not None else str(heard)


def _shape(visit: Visit, heard: Heard, what: str) -> None:
    """Whether the answer is one of JSON-RPC, to this request, and says nothing it should not."""
    answer = heard.response
    if answer is None:
        visit.find("error-shape", f"{what}: {heard}", times=3)
        return
    # An error may lack the id only where the request could not be read.
    if answer.id != heard.id:
        said = "no id" if answer.id is None else f"the id {answer.id!r}"
        visit.find("error-id", f"{what}: {said} in place of {heard.id!r}", times=3)
    if answer.error is not None:
        _leaks(visit, f"{answer.error.message} {answer.error.data}")


def _leaks(visit: Visit, text: str) -> None:
    found = _leak.search(text[:100_000])
    if found is not None:
        visit.find("error-leak", shortened(visible(text[found.start() :]), 80))


async def _json(visit: Visit, line: HttpLine) -> None:
    modern = "modern" in visit.voices
    pairs: Any = list(POSTED)
    voice: Any = next(iter(visit.voices.values()))
    if isinstance(voice, HandshakeHttp):
        pairs = voice.headers()
    elif isinstance(voice, ModernHttp):
        pairs = modern_headers("server/discover", _modern({}))
    heard = await line.send("POST", pairs, NO_JSON)
    error = heard.error
    if heard.status is None or heard.status >= _BROKEN or (heard.status < 300 and error is None):
        visit.find("error-json", str(heard))
    elif heard.status != _BAD or (modern and heard.code != PARSE_ERROR):
        visit.find("error-json-code", str(heard))
    else:
        visit.saw("bad JSON is refused")
    _leaks(visit, heard.body[:100_000].decode("utf-8", "replace"))
