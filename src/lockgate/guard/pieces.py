"""The texts of a result as the pieces they come in: neighbours, pages, borders around each.

Must not know: results as a whole, or what is looked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

import msgspec

from lockgate.core.raw import Raw
from lockgate.guard import secrets
from lockgate.guard.seen import Doing, Seen

_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
CLOSE: Final = frozenset({"named-secret", "url-password", "authorization"})
"""What has no end of its own is not looked for across texts: it would run into the next."""
MEMBERS: Final = ("content", "contents")
PIECES: Final = 3
"""Times that `"text"` stands in a result with two texts: a type says so as well."""
TEXT: Final = b'"text"'


def each_text(raw: Raw, change: Callable[[str, str], str]) -> Raw:
    """The result with `change` made to each text that a model is shown; the same if none is.

    `change` gets the text and its declared type: that of the resource, or empty.
    """
    members: dict[str, bytes] = {}
    for name in MEMBERS:
        content = raw.member(name) if name in raw else None
        if content is None or not content.startswith(b"["):
            continue
        before = [Raw(bytes(one)) for one in _items(content)]
        after = [_changed(one, change) for one in before]
        if any(new is not old for new, old in zip(after, before, strict=True)):
            members[name] = _written(after)
    return raw.with_members(members) if members else raw


def _changed(item: Raw, change: Callable[[str, str], str]) -> Raw:
    if item.get("type") == "resource":
        inner = item.object("resource")
        after = _changed(inner, change)
        return item if after is inner else item.replace(resource=after)
    said: Any = item.get("text")
    if not isinstance(said, str):
        return item
    declared: Any = item.get("mimeType")
    other = change(said, declared if isinstance(declared, str) else "")
    return item if other is said else item.replace(text=other)


def _written(items: Sequence[Raw]) -> bytes:
    return b"[" + b",".join(one.encode() for one in items) + b"]"


def rejoined(raw: Raw, doing: Doing) -> tuple[Raw, Sequence[Seen]]:
    """A result without the secrets that lie across neighbouring texts, and what was found."""
    if doing == "off" or raw.encode().count(TEXT) < PIECES:
        return raw, ()
    content = raw.member("content") if "content" in raw else None
    if content is None or not content.startswith(b"["):
        return raw, ()
    items = [Raw(bytes(one)) for one in _items(content)]
    texts = [_text_of(one) for one in items]
    after, kinds = _across(texts)
    if not kinds:
        return raw, ()
    seen = tuple(Seen("secrets", kind, doing) for kind in dict.fromkeys(kinds))
    if doing != "redact":
        return raw, seen
    pairs = zip(items, texts, after, strict=True)
    kept = [one if new is old else one.replace(text=new) for one, old, new in pairs]
    return raw.with_members({"content": _written(kept)}), seen


def _text_of(item: Raw) -> str | None:
    said: Any = item.get("text") if item.get("type") == "text" else None
    return said if isinstance(said, str) else None


def _across(texts: Sequence[str | None]) -> tuple[list[str | None], list[str]]:
    """The texts without what lies across several, and its kinds."""
    after, kinds = list(texts), list[str]()
    start = 0
    for end in range(len(texts) + 1):
        if end < len(texts) and texts[end] is not None:
            continue
        run = [one for one in texts[start:end] if one is not None]
        if len(run) > 1:
            found = _crossing(run)
            after[start:end] = _cut(run, found)
            kinds += [one.kind for one in found]
        start = end + 1
    return after, kinds


def _crossing(run: Sequence[str]) -> list[secrets.Secret]:
    """What is found in all of them together and lies in more than one."""
    edges = list(accumulate(len(one) for one in run))
    return [
        one
        for one in secrets.find("".join(run))
        if one.kind not in CLOSE and edges[bisect_right(edges, one.start)] < one.end
    ]


def _cut(run: Sequence[str], found: Sequence[secrets.Secret]) -> list[str]:
    """The texts without what was found; what it was stands where it began."""
    after: list[str] = []
    at = number = 0
    for text in run:
        end, parts, done = at + len(text), list[str](), at
        while number < len(found) and found[number].start < end:
            one = found[number]
            parts.append(text[done - at : max(one.start, at) - at])
            if one.start >= at:
                parts.append(secrets.MASK.format(one.kind))
            done = min(one.end, end)
            if one.end > end:
                break
            number += 1
        after.append("".join((*parts, text[done - at :])) if parts else text)
        at = end
    return after
