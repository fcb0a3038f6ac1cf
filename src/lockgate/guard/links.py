"""Links and images in Markdown that tell somebody something, or are not what they look like.

Must not know: whose text it is, or what is done about it.

An image is fetched by whoever shows it, without being asked; so an address that carries data tells
its host that data. A link whose text is one address and whose target another lies. Neither is rare
in honest text (badges carry queries, mail goes by trackers), so nothing is done about them unless
told to. Each is read once, within bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

_link: Final = re.compile(
    r"(!?)\[([^\[\]\n]{0,1000})\]\(\s{0,8}<?([^\s()]{1,4000}(?:\([^\s()]{0,200}\)[^\s()]{0,200})?)"
    r"(?:\s{1,8}(?:\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'))?\s{0,8}\)"
)
_tag: Final = re.compile(
    r"<img\b[^<>]{0,2000}?\bsrc\s{0,4}=\s{0,4}[\"']?([^\s\"'<>]{1,4000})[^<>]{0,2000}>",
    re.IGNORECASE,
)
_definition: Final = re.compile(r"(?m)^( {0,3}\[[^\[\]\n]{1,200}\]:\s{1,8})<?([^\s<>]{1,4000})>?")
_scheme: Final = re.compile(r"(?i)\s*([a-z][a-z0-9+.-]{0,30}):")
_host_like: Final = re.compile(
    r"(?i)^\s*(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24})(?:[:/?#]\S*)?\s*$"
)
SAFE: Final = frozenset({"http", "https", "mailto", "tel"})
LONG: Final = 32
"""A part of a path that is longer may be data."""


def cleaned(text: str) -> tuple[str, list[str]]:
    """The text with what is found made harmless, and the kinds found; the very same if none."""
    kinds: dict[str, None] = {}
    if "](" in text:
        text = _link.sub(_changes(_of_link, kinds), text)
    if "]:" in text:
        text = _definition.sub(_changes(_of_definition, kinds), text)
    if "<i" in text or "<I" in text:
        text = _tag.sub(_changes(_of_tag, kinds), text)
    return text, list(kinds)


def hint(data: bytes) -> bool:
    """Whether JSON may hold a link or an image."""
    return b"](" in data or b"]:" in data or b"<i" in data or b"<I" in data


Judge = Callable[[re.Match[str]], tuple[str, str] | None]


def _changes(judge: Judge, kinds: dict[str, None]) -> Callable[[re.Match[str]], str]:
    def change(found: re.Match[str]) -> str:
        judged = judge(found)
        if judged is None:
            return found[0]
        kinds[judged[0]] = None
        return judged[1]

    return change


def _of_link(found: re.Match[str]) -> tuple[str, str] | None:
    image, shown, target = found[1], found[2], found[3].rstrip(">")
    if _dangerous(target):
        return "link-scheme", shown
    if image:
        if _carries(target):
            return "image-with-data", f"[image {shown} at {_host(target)} left out]"
        return None
    looks = _host_like.match(shown)
    if looks is not None and _host(target) and not _same(looks[1], _host(target)):
        return "link-mismatch", f"{shown} (in truth: {_host(target)})"
    return None


def _of_definition(found: re.Match[str]) -> tuple[str, str] | None:
    return ("link-scheme", f"{found[1]}about:blank") if _dangerous(found[2]) else None


def _of_tag(found: re.Match[str]) -> tuple[str, str] | None:
    if _dangerous(found[1]) or _carries(found[1]):
        return "image-with-data", f"[image at {_host(found[1]) or 'nowhere'} left out]"
    return None


def _dangerous(target: str) -> bool:
    scheme = _scheme.match(target)
    if scheme is None or scheme[1].lower() in SAFE:
        return False
    word = scheme[1].lower()
    return word in ("javascript", "vbscript", "file") or (
        word == "data" and not target[5:].lower().startswith("image/")
    )


def _carries(target: str) -> bool:
    """Whether fetching it tells its host more than that it is fetched."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return True
    if parts.scheme.lower() not in ("http", "https") and not target.startswith("//"):
        return False
    return bool(parts.query) or any(len(one) > LONG for one in parts.path.split("/"))


def _host(target: str) -> str:
    try:
        return (urlsplit(target).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _same(shown: str, host: str) -> bool:
    shown = shown.lower().removeprefix("www.")
    return shown == host or host.endswith(f".{shown}") or shown.endswith(f".{host}")
