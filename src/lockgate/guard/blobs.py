"""Texts that a result carries as bytes: resources in Base64 that are pages, JSON, drawings, code.

Must not know: what is looked for in them, or what is done about it.

What is declared as text is read as text, and so is what is not declared and begins like it. Bytes
that are none (pictures, archives) are not touched. Where nothing changes, the bytes stay as they
were.
"""

from __future__ import annotations

import codecs
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from lockgate.core.raw import Raw
from lockgate.guard.content import Inspector
from lockgate.guard.pieces import MEMBERS
from lockgate.guard.seen import Seen

HINTS: Final = ('"blob"', "svg+xml")
"""In results that hold any such text; beside names that are written with escapes."""
_TEXTS: Final = frozenset(
    {"json", "xml", "javascript", "ecmascript", "yaml", "x-yaml", "toml", "sql", "graphql"}
    | {"x-sh", "x-ndjson", "ndjson", "jsonl", "x-javascript", "x-www-form-urlencoded", "rtf"}
)
_LOOK: Final = 1024
_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode


def each_blob(raw: Raw, change: Callable[[str, str], str]) -> Raw:
    """The result with `change` made to each text in Base64; the very same if none is.

    `change` gets the text and its declared type, as with `lockgate.guard.pieces.each_text`.
    """
    data = raw.encode()
    if data.find(b"blob") < 0 and data.find(b"svg") < 0 and data.find(b"\\u") < 0:
        return raw
    members: dict[str, bytes] = {}
    for name in (*MEMBERS, "messages"):
        content = raw.member(name) if name in raw else None
        if content is None or not content.startswith(b"["):
            continue
        before = [Raw(bytes(one)) for one in _items(content)]
        after = [_changed(one, change) for one in before]
        if any(new is not old for new, old in zip(after, before, strict=True)):
            members[name] = b"[" + b",".join(one.encode() for one in after) + b"]"
    return raw.with_members(members) if members else raw


def cleaned_blobs(raw: Raw, inspector: Inspector) -> tuple[Raw, Sequence[Seen]]:
    """The result with what is to be taken out of such texts taken out, and what was found."""
    found: dict[Seen, None] = {}

    def clean(text: str, _kind: str) -> str:
        after, seen = inspector.inspect_text(text)
        found.update(dict.fromkeys(seen))
        return after

    return each_blob(raw, clean), tuple(found)


def _changed(item: Raw, change: Callable[[str, str], str]) -> Raw:
    kind = item.get("type")
    if kind == "resource":
        inner = item.object("resource")
        after = _changed(inner, change)
        return item if after is inner else item.replace(resource=after)
    if isinstance(item.get("content"), dict):
        # A message of a prompt.
        inner = item.object("content")
        after = _changed(inner, change)
        return item if after is inner else item.replace(content=after)
    member = "data" if kind in ("image", "audio") else "blob"
    written: Any = item.get(member)
    if not isinstance(written, str):
        return item
    declared: Any = item.get("mimeType")
    kind = declared.lower() if isinstance(declared, str) else ""
    read = _read(written, kind)
    if read is None:
        return item
    text, charset = read
    other = change(text, kind)
    if other is text or other == text:
        return item
    return item.replace(**{member: b64encode(other.encode(charset, "replace")).decode()})


def _read(written: str, kind: str) -> tuple[str, str] | None:
    """A text in Base64, and how its characters are spelled; None: it is none."""
    essence, _, rest = kind.partition(";")
    if essence and not _is_text(essence.strip()):
        return None
    try:
        data = b64decode(written.translate(_URL_SAFE) + "==")
    except ValueError:
        return None
    if not essence and not _begins_like_text(data):
        return None
    charset = _charset(rest)
    # What is no character is lost where something else is taken out, and nowhere else.
    return data.decode(charset, "replace"), charset


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _is_text(essence: str) -> bool:
    main, _, sub = essence.partition("/")
    return main == "text" or sub in _TEXTS or sub.endswith(("+json", "+xml", "+yaml"))


def _begins_like_text(data: bytes) -> bool:
    head = data[:_LOOK]
    if b"\x00" in head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _charset(parameters: str) -> str:
    for one in parameters.split(";"):
        name, _, value = one.strip().partition("=")
        if name == "charset" and value.strip('"') in ("utf-16", "utf-16le", "utf-16be", "latin-1"):
            return value.strip('"')
        if name == "charset" and value.strip('"') in ("iso-8859-1", "windows-1252", "us-ascii"):
            return "utf-8" if "ascii" in value else "cp1252"
    return "utf-8"
