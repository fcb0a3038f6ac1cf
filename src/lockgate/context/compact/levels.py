"""What a listed tool is made into, by level. Only `lossless` keeps everything that counts.

Must not know: who is shown it, or how it is remembered.

    | level       | descriptions                | of parameters   | schema                    |
    |-------------|-----------------------------|-----------------|---------------------------|
    | `off`       | as the server wrote it      |                 |                           |
    | `lossless`  | without indents and such    | the same        | accepts the same, shorter |
    | `short`     | 400 characters              | 120 characters  | as lossless               |
    | `brief`     | the first sentence          | 60 characters   | as lossless               |
    | `bare`      | the first sentence          | none            | as lossless               |
    | `signature` | signature, first sentence   | none            | `{"type":"object"}`       |

Whatever is shown, calls are held against the schema the server wrote. A tool that lost something
says so in its `_meta`, where models do not read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, cast, get_args

import msgspec

from lockgate.context.compact.keywords import NAMED, Schema, TooDeep, below, named
from lockgate.context.compact.lossless import lossless
from lockgate.context.compact.text import cut, first_sentence, tidy
from lockgate.context.signature import LONGEST_SENTENCE, line

Level = Literal["off", "lossless", "short", "brief", "bare", "signature"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
FLAG: Final = "io.github.lockgate/shown"
"""The member of a tool's `_meta` that names the level, where something was left out."""
HEADER: Final = "x-mcp-header"
"""What of a schema is sent as a header: whoever calls has to see it."""

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read: Final = msgspec.json.Decoder().decode
_Cut = Callable[[str], str]


def shaped(definition: bytes, level: Level, *, type_lists: bool) -> bytes:
    """The definition of a tool, as JSON, at a level; never longer, and never an error.

    Args:
        definition: as the server wrote it.
        level: see the file.
        type_lists: see `lossless`.
    """
    if level == "off":
        return definition
    try:
        found = _shaped(definition, level, type_lists)
    except (msgspec.MsgspecError, TooDeep, RecursionError, TypeError, ValueError):
        return definition
    return found if len(found) < len(definition) else definition


def _shaped(definition: bytes, level: Level, type_lists: bool) -> bytes:
    members: dict[str, Any] = dict(_decode(definition))
    before = _read(members["description"]) if "description" in members else None
    schemas = {
        key: _read(members[key]) for key in ("inputSchema", "outputSchema") if key in members
    }
    for key, schema in schemas.items():
        if isinstance(schema, dict):
            schemas[key] = lossless(cast("Schema", schema), type_lists=type_lists)
    plain = tidy(before) if isinstance(before, str) else before
    text, written = plain, schemas.get("inputSchema")
    if level != "lossless":
        text, written = _less(level, members, plain, written)
    lost = text != plain or written != schemas.get("inputSchema")
    if isinstance(text, str):
        members["description"] = text
    if "inputSchema" in members:
        members["inputSchema"] = written
    if "outputSchema" in members:
        members["outputSchema"] = schemas["outputSchema"]
    if lost:
        members["_meta"] = {**named(_read(members.get("_meta", b"{}"))), FLAG: level}
    return _encode(members)


def _less(level: Level, members: dict[str, Any], text: Any, schema: Any) -> tuple[Any, Any]:
    said: _Cut = (lambda one: cut(one, 400)) if level == "short" else _sentence
    if level == "signature" and HEADER.encode() not in bytes(members.get("inputSchema", b"")):
        # The name stands beside it.
        return line("", text, schema), {"type": "object"}
    inner: dict[Level, _Cut] = {
        "short": lambda one: cut(one, 120),
        "brief": lambda one: cut(one, 60),
    }
    text = said(text) if isinstance(text, str) else text
    return text, _described(schema, inner.get(level, lambda _: ""), root=True)


def _sentence(text: str) -> str:
    return first_sentence(text, LONGEST_SENTENCE)


def _described(schema: Any, said: _Cut, *, root: bool = False) -> Any:
    """The schema with its descriptions made shorter, those inside as well."""
    if not isinstance(schema, dict):
        return schema
    one = dict(cast("Schema", schema))
    text = one.get("description")
    if isinstance(text, str):
        short = said(text)
        if short and not root:
            one["description"] = short
        else:
            del one["description"]
    for key in {key for key, _ in below(one)}:
        value = one[key]
        if key in NAMED:
            one[key] = {name: _described(inside, said) for name, inside in value.items()}
        elif isinstance(value, list):
            one[key] = [_described(inside, said) for inside in cast("list[Any]", value)]
        else:
            one[key] = _described(value, said)
    return one
