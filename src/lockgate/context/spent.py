"""Which text of a definition or a result a model reads, of which tokens are counted.

Must not know: who sends either. Hosts differ; this is what is common to those that are known: of a
tool its name, its description and its input schema, written without needless space; of a result
the texts in its content, and what it says of links and resources; never `_meta`, annotations for
people, output schemas, or the bytes of images and sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_READ: Final = ("name", "description", "inputSchema")


def definition_text(definition: Mapping[str, Any]) -> str:
    """What a model reads of a tool."""
    return _encode({key: definition[key] for key in _READ if key in definition}).decode()


def list_text(data: bytes) -> str:
    """What a model reads of a list of tools, given as the result that lists them."""
    tools = _members(data).get("tools")
    return "\n".join(
        definition_text(cast("dict[str, Any]", tool))
        for tool in (cast("list[Any]", tools) if isinstance(tools, list) else [])
        if isinstance(tool, dict)
    )


def result_text(data: bytes) -> str:
    """What a model reads of a result."""
    members = _members(data)
    blocks = members.get("content", members.get("contents", members.get("messages")))
    if not isinstance(blocks, list):
        return _encode(members.get("structuredContent", "")).decode()
    return "\n".join(_block(one) for one in cast("list[Any]", blocks))


def _members(data: bytes) -> dict[str, Any]:
    try:
        found: Any = _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _block(block: Any) -> str:
    if not isinstance(block, dict):
        return ""
    one = cast("dict[str, Any]", block)
    for key in ("resource", "content"):
        if isinstance(one.get(key), dict):
            return _block(one[key])
    text = one.get("text")
    if isinstance(text, str):
        return text
    if "data" in one or "blob" in one:
        return ""
    return _encode({key: value for key, value in one.items() if key != "_meta"}).decode()
