"""What of a tool's result is read when it is too long to be shown: its body.

Must not know: budgets, stores, where results come from.

    | a result with                               | has as its body                              |
    |---------------------------------------------|----------------------------------------------|
    | one text, whatever says the same beside it  | that text, letter by letter                  |
    | nothing but structured content              | its JSON                                     |
    | anything else                               | the JSON of content and structured content   |

`Raw` is not looked into further than that: members nobody here knows stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import msgspec

from lockgate.context.layout import MOST_READ
from lockgate.context.preview import Seen, preview
from lockgate.core.raw import Raw, encode

CONTENT: Final = "content"
STRUCTURED: Final = "structuredContent"
ANNOTATIONS: Final = "annotations"
NOTE: Final = "io.github.lockgate/result"
"""The member of a result's `_meta` that says where the whole of it is."""
MEDIA: Final = frozenset({"image", "audio"})
_MOST_BLOCKS: Final = 20
_WRAPPED: Final = "result"
_decode: Final = msgspec.json.Decoder().decode
_blocks: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Body(msgspec.Struct, frozen=True):
    """The body of one result.

    json   whether the text is a JSON document.
    mime   of the text.
    parts  the content blocks, where there is more than one text; else none.
    """

    text: str
    json: bool
    mime: str
    parts: tuple[Raw, ...] = ()


def body_of(result: Raw) -> Body:
    """See the file's table.

    Raises:
        msgspec.MsgspecError, UnicodeDecodeError: it is no result of a tool.
    """
    parts = tuple(Raw(bytes(one)) for one in _blocks(result.member(CONTENT) or b"[]"))
    structured = result.member(STRUCTURED)
    if structured in (None, b"null") and len(parts) == 1 and parts[0].get("type") == "text":
        return _text(str(parts[0]["text"]), parts[0])
    if structured is not None and len(parts) == 1 and _says(parts[0], structured):
        return _text(str(parts[0]["text"]), parts[0])
    if structured is not None and not parts:
        return Body(structured.decode(), json=True, mime="application/json")
    members = {CONTENT: result.member(CONTENT) or b"[]"}
    if structured not in (None, b"null"):
        members[STRUCTURED] = structured
    return Body(
        Raw(members=cast("Any", members)).encode().decode(), True, "application/json", parts
    )


def _text(text: str, block: Raw) -> Body:
    json = is_json(text)
    mime: object = block.object("_meta").get("mimeType")
    plain = mime if isinstance(mime, str) else "text/plain"
    return Body(text, json, "application/json" if json else plain)


def is_json(text: str) -> bool:
    """Whether a text is a JSON array or object; those too long to be read are not."""
    if text.lstrip()[:1] not in ("{", "[") or len(text) > MOST_READ:
        return False
    try:
        _decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False
    return True


def _says(block: Raw, structured: bytes) -> bool:
    """Whether a text block is the structured content once more, as the specification asks for."""
    if block.get("type") != "text" or len(structured) > MOST_READ:
        return False
    text = str(block.get("text", ""))
    try:
        value: Any = _decode(structured)
        if isinstance(value, dict) and cast("dict[str, Any]", value).keys() == {_WRAPPED}:
            # What frameworks make of a result that is no object.
            inner: Any = cast("dict[str, Any]", value)[_WRAPPED]
            if inner == text:
                return True
            return bool(_decode(text) in (inner, value))
        return bool(_decode(text) == value)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False


def shown(body: Body, budget: int, count: Callable[[str], int]) -> Seen:
    """The preview of a body, in about `budget` tokens."""
    if not body.parts:
        return preview(body.text, budget, count, json=body.json)
    kind = f"{len(body.parts)} content blocks, {len(body.text)} characters as JSON"
    each = max(budget // min(len(body.parts), _MOST_BLOCKS), 16)
    lines = [
        _described(number, part, each, count)
        for number, part in enumerate(body.parts[:_MOST_BLOCKS])
    ]
    if len(body.parts) > _MOST_BLOCKS:
        lines.append(f"… {len(body.parts) - _MOST_BLOCKS} more blocks")
    return Seen(kind, "\n".join(lines))


def _described(number: int, part: Raw, budget: int, count: Callable[[str], int]) -> str:
    kind: object = part.get("type")
    at = f"/{CONTENT}/{number}"
    if kind == "text":
        text = str(part.get("text", ""))
        return f"{at}/text: {preview(text, budget - 16, count, json=is_json(text))}"
    if kind == "resource":
        inner = part.object("resource")
        if "text" in inner:
            said = preview(str(inner["text"]), budget - 24, count)
            return f"{at}/resource/text: {_uri(inner)} {said}"
        return f"{at}/resource: {_uri(inner)} {_binary(inner, 'blob')}"
    if kind == "resource_link":
        return f"{at}: link to {_uri(part)}"
    if kind in MEDIA:
        return f"{at}: {kind} {_binary(part, 'data')}"
    return f"{at}: {str(kind)[:40]}, {part.size} bytes of JSON"


def _uri(one: Raw) -> str:
    return str(one.get("uri", ""))[:160]


def _binary(one: Raw, member: str) -> str:
    size = max(one.length(member) - 2, 0) * 3 // 4
    return f"{str(one.get('mimeType', 'application/octet-stream'))[:80]}, {size} bytes"


def replaced(
    result: Raw,
    text: str,
    link: dict[str, Any] | None,
    note: dict[str, Any],
    *,
    promised: bool,
    media: Sequence[Raw] = (),
) -> Raw:
    """The result with its content replaced by a preview and a link to the whole.

    Args:
        result: what the tool answered.
        text: what the model is shown.
        link: the `resource_link` block; None: the client knows none.
        note: what programs are told, in `_meta`.
        promised: structured content is what the tool's output schema promises, so it stays whole.
        media: images and sounds that stay where they can be seen and heard.
    """
    shown: dict[str, Any] = {"type": "text", "text": text}
    parts = _blocks(result.member(CONTENT) or b"[]")
    if len(parts) == 1 and ANNOTATIONS in (only := Raw(bytes(parts[0]))):
        # For whom it is, it still is.
        shown[ANNOTATIONS] = only[ANNOTATIONS]
    blocks = [encode(shown), *([] if link is None else [encode(link)])]
    blocks += [one.encode() for one in media]
    changed = result.with_members({CONTENT: b"[" + b",".join(blocks) + b"]"})
    if not promised:
        changed = changed.without(STRUCTURED)
    return changed.replace(_meta=changed.object("_meta").replace(**{NOTE: note}))
