"""One call that can do no harm: a tool that says it only reads and needs nothing, or a ping.

Must not know: transports. A tool is called only if its own annotations say `readOnlyHint`, and if
it needs no argument; everything else may have an effect.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from lockgate.core.legible import shortened, visible
from lockgate.doctor.heard import Heard
from lockgate.doctor.visit import Visit, Voice
from lockgate.guard.schemas.schema import compiled
from lockgate.guard.schemas.shape import Unusable

NONE: Final = "no tool says it only reads and needs no argument, so none was called"


async def call(visit: Visit) -> None:
    """In each era."""
    called = False
    for era, voice in visit.voices.items():
        tool = harmless(visit.lists.get(era, {}).get("tools/list", []))
        if tool is not None and not called:
            called = True
            await _call(visit, voice, tool)
        if era == "handshake":
            await _ping(visit, voice)
    if not called:
        visit.saw(NONE)


def harmless(tools: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first tool that may be called by anybody at any time."""
    return next((one for one in tools if only_reads(one) and _needs_nothing(one)), None)


def only_reads(tool: dict[str, Any]) -> bool:
    """Whether the tool says so of itself."""
    hints = tool.get("annotations")
    told = cast("dict[str, Any]", hints) if isinstance(hints, dict) else {}
    return told.get("readOnlyHint") is True and told.get("destructiveHint") is not True


def _needs_nothing(tool: dict[str, Any]) -> bool:
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict):
        return False
    try:
        return not compiled(msgspec.json.encode(schema)).problems({}, b"{}")
    except Unusable:
        return False


async def _call(visit: Visit, voice: Voice, tool: dict[str, Any]) -> None:
    name = str(tool["name"])
    shown = shortened(visible(name), 60)
    heard = await voice.ask("tools/call", {"name": name, "arguments": {}})
    result = heard.result
    if result is None:
        visit.find("call-failed", f"{shown}: {heard}")
        return
    visit.saw(f"tools/call {shown}: {_came(result)} in {heard.seconds * 1000:.0f} ms")
    if result.get("resultType") in ("input_required", "task"):
        return
    if result.get("isError") is True:
        visit.find("call-error", f"{shown}: {_text(result)}")
    elif not isinstance(result.get("content"), list):
        visit.find("call-invalid", f"{shown}: content is no list")
    else:
        _output(visit, shown, tool, heard)


def _came(result: dict[str, Any]) -> str:
    if result.get("isError") is True:
        return "isError"
    content = result.get("content")
    return f"{len(cast('list[Any]', content))} blocks" if isinstance(content, list) else "a result"


def _text(result: dict[str, Any]) -> str:
    blocks = result.get("content")
    for block in cast("list[Any]", blocks) if isinstance(blocks, list) else []:
        if isinstance(block, dict):
            text = cast("dict[str, Any]", block).get("text")
            if isinstance(text, str):
                return shortened(visible(text), 200)
    return "it does not say why"


def _output(visit: Visit, shown: str, tool: dict[str, Any], heard: Heard) -> None:
    schema = tool.get("outputSchema")
    result = heard.result or {}
    if schema is None:
        return
    if "structuredContent" not in result:
        visit.find("call-output", f"{shown}: there is no structuredContent")
        return
    value = result["structuredContent"]
    try:
        problems = compiled(msgspec.json.encode(schema)).problems(value, msgspec.json.encode(value))
    except Unusable as error:
        visit.find("call-output", f"{shown}: the schema itself is unusable: {error}")
        return
    if problems:
        visit.find("call-output", f"{shown}: {shortened(visible(str(problems[0])), 200)}")


async def _ping(visit: Visit, voice: Voice) -> None:
    heard = await voice.ask("ping")
    if heard.result is None:
        visit.find("ping-failed", str(heard))
    else:
        visit.saw(f"ping in {heard.seconds * 1000:.0f} ms")
