"""What the server tells of changes: list_changed, subscriptions, and the streams they come on.

Must not know: transports, but for whether there is a stream. Source: revision 2026-07-28,
basic/patterns/subscriptions.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.core.message import Era
from lockgate.doctor.heard import EVENTS, Heard
from lockgate.doctor.http import HttpLine, Stream
from lockgate.doctor.http_voices import HandshakeHttp, modern_headers, modern_params
from lockgate.doctor.stdio import StdioVoice
from lockgate.doctor.visit import ERAS, Visit
from lockgate.wire.jsonrpc import Notice, encode_request
from lockgate.wire.modern_out import ACKNOWLEDGED
from lockgate.wire.revisions import META_SUBSCRIPTION_ID

LISTEN: Final = "subscriptions/listen"
_ID: Final = 9001
_OK: Final = 200
_FILTERS: Final = {
    "tools": "toolsListChanged",
    "prompts": "promptsListChanged",
    "resources": "resourcesListChanged",
}


def declared(visit: Visit, era: Era) -> list[str]:
    """The changes an era declares, as `tools.listChanged` and `resources.subscribe`."""
    found: list[str] = []
    for name, value in visit.capabilities(era).items():
        members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        found += [f"{name}.{one}" for one in ("listChanged", "subscribe") if members.get(one)]
    return found


async def changes(visit: Visit, line: HttpLine | None) -> None:
    """In each era."""
    told: dict[Era, list[str]] = {era: declared(visit, era) for era in visit.voices}
    if not any(told.values()):
        visit.find("changes-none")
        visit.saw("no changes are declared")
        return
    for era, ones in told.items():
        visit.saw(f"{ERAS[era]}: {', '.join(ones) or 'none'}")
        if ones and era == "modern":
            await _listen(visit, line, ones)
        elif ones and era == "handshake":
            await _subscribe(visit, ones, line)


async def _listen(visit: Visit, line: HttpLine | None, ones: list[str]) -> None:
    wanted = {_FILTERS[name]: True for name in _FILTERS if f"{name}.listChanged" in ones}
    voice = visit.voices["modern"]
    if not wanted:
        return
    params = modern_params({"notifications": wanted})
    if line is not None:
        await _listen_http(visit, line, params, wanted)
    elif isinstance(voice, StdioVoice):
        heard = await voice.process.listen(params, visit.patience.stream)
        if heard.error is not None:
            visit.find("listen-refused", str(heard))
        else:
            _acknowledged(visit, heard, wanted)


async def _listen_http(
    visit: Visit, line: HttpLine, params: dict[str, Any], wanted: dict[str, bool]
) -> None:
    body = encode_request(_ID, LISTEN, msgspec.json.encode(params))
    async with Stream(line, "POST", modern_headers(LISTEN, params), body) as stream:
        heard = await stream.begin(visit.patience.stream)
        heard.id = _ID
        if heard.trouble == "silence":
            visit.find("stream-silent", f"{LISTEN}: nothing within {visit.patience.stream:g} s")
            return
        if heard.status != _OK or heard.kind != EVENTS:
            await stream.read(within=visit.patience.stream)
            visit.find("listen-refused", str(heard))
            return
        await stream.read(lambda one: bool(one.events), visit.patience.stream)
        _acknowledged(visit, heard, wanted)


def _acknowledged(visit: Visit, heard: Heard, wanted: dict[str, bool]) -> None:
    first = heard.messages()[0] if heard.events else None
    if not isinstance(first, Notice) or first.method != ACKNOWLEDGED:
        what = "nothing" if first is None else shortened(visible(str(heard)), 80)
        visit.find("listen-silent", f"within {visit.patience.stream:g} s came {what}")
        return
    params = dict(first.params)
    meta = params.get("_meta")
    tag = cast("dict[str, Any]", meta).get(META_SUBSCRIPTION_ID) if isinstance(meta, dict) else None
    if tag != heard.id:
        visit.find("listen-untagged", f"subscriptionId is {shortened(visible(str(tag)), 40)}")
    honoured = params.get("notifications")
    names = cast("dict[str, Any]", honoured) if isinstance(honoured, dict) else {}
    more = [name for name, value in names.items() if value and name not in wanted]
    if more:
        visit.find("listen-more", shortened(visible(", ".join(more)), 100))
    visit.saw("a subscription is acknowledged at once")


async def _subscribe(visit: Visit, ones: list[str], line: HttpLine | None) -> None:
    voice = visit.voices["handshake"]
    if line is not None and isinstance(voice, HandshakeHttp) and not await _streams(visit, line):
        visit.find("changes-unheard", ", ".join(ones))
        return
    resources = visit.lists.get("handshake", {}).get("resources/list", [])
    if "resources.subscribe" not in ones or not resources:
        return
    uri = resources[0]["uri"]
    heard = await voice.ask("resources/subscribe", {"uri": uri})
    if heard.result is None:
        visit.find("subscribe-refused", f"{shortened(visible(str(uri)), 80)}: {heard}")
        return
    await voice.ask("resources/unsubscribe", {"uri": uri})
    visit.saw("a resource can be subscribed to")


async def _streams(visit: Visit, line: HttpLine) -> bool:
    """Whether GET gives a stream, or could: silence is judged elsewhere."""
    voice = visit.voices["handshake"]
    headers = voice.headers()[2:] if isinstance(voice, HandshakeHttp) else []
    async with Stream(line, "GET", [("accept", EVENTS), *headers]) as stream:
        heard = await stream.begin(visit.patience.stream)
        return heard.trouble == "silence" or (heard.status == _OK and heard.streamed)
