"""What whoever asks is given of a result that is kept: pages, contents, a link, a few words.

Must not know: who asks, or where results are kept.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from lockgate.context.paging import BadPage, Page, Wanted, read
from lockgate.context.preview import Seen
from lockgate.context.tokens import Count
from lockgate.kit.deposits import About, Deposit, Gone, formed

BUDGET: Final = 1500
"""Tokens of a result that is shown whole, where nobody says otherwise; see
`docs/why/results-budget.md` for how this and `PREVIEW` were chosen."""
PREVIEW: Final = 250
"""Tokens of all that is shown in the place of a longer one, its link with it."""
_SURELY: Final = 6  # bytes of a token, hardly ever more
_HARDLY: Final = 2  # bytes of a token, hardly ever less
_CHARACTERS: Final = 3  # of a token, in a page
_SHORTEST: Final = 400
_WORDS: Final = 115  # tokens of what stands around a preview, and of the link
_FEWEST: Final = 30
_LONG: Final = 256 * 1024


def over(size: int, budget: int, tokens: Callable[[], int]) -> bool:
    """Whether a text of `size` bytes is over `budget` tokens, asked for only where it is in doubt.

    What has no more than two bytes for each token of the budget counts as within it.
    """
    if size <= budget * _HARDLY:
        return False
    return size > budget * _SURELY or tokens() > budget


def room(preview: int, budget: int) -> int:
    """Tokens that are left for the preview itself, of all that is shown in place of a result."""
    return max(min(preview, budget) - _WORDS, _FEWEST)


def said(seen: Seen, handle: str, minutes: float, tool: str, *, paths: bool = True) -> str:
    """What a model is told in place of a long text; `paths` lead somewhere in a document alone."""
    life = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
    parts = "offset/limit, grep, path" if paths else "offset/limit, grep"
    return (
        f"[Too long to show whole. {seen.kind}. Preview:]\n{seen.body}\n"
        f'[Kept whole for {life}: {tool}(id="{handle}") reads any part: {parts}.]'
    )


def gone(handle: str) -> str:
    """What whoever asks in vain is told."""
    return (
        f"There is no result {handle[:80]!r} for this caller: it has expired, made room for later "
        "ones, or never was. Call the tool that gave it again."
    )


def link(uri: str, about: About, size: int) -> dict[str, Any]:
    """The `resource_link` to a result."""
    return {
        "type": "resource_link",
        "uri": uri,
        "name": about.name,
        "mimeType": about.mime,
        "size": size,
    }


def parse_uri(uri: str, scheme: str) -> tuple[str, Wanted | None]:
    """The handle and the ranges of a result's URI; None: it asks for all of it.

    Raises:
        Gone: it is none of this scheme.
        BadPage: a range is no number.
    """
    try:
        parts = urlsplit(uri)
        asked = parse_qs(parts.query, keep_blank_values=False, max_num_fields=16)
    except ValueError:
        raise Gone from None
    handle = (parts.netloc or parts.path).strip("/")
    if parts.scheme != scheme or not formed(handle):
        raise Gone
    if not asked.keys() & {"offset", "limit", "grep", "path"}:
        return handle, None
    return handle, Wanted(
        _number(asked, "offset") or 0,
        _number(asked, "limit"),
        asked.get("grep", [None])[0],
        asked.get("path", [None])[0],
    )


def _number(asked: dict[str, list[str]], name: str) -> int | None:
    said = asked.get(name, [None])[0]
    if said is None:
        return None
    if not (said.isascii() and said.isdecimal() and len(said) <= 12):
        raise BadPage(f"{name} has to be a whole number.")
    return int(said)


async def paged(found: Deposit, wanted: Wanted, budget: int, count: Count) -> Page:
    """The page of a deposit, as long as a budget in tokens allows where no limit is given.

    Raises:
        BadPage: see `lockgate.context.paging.read`.
    """
    text, json, room = text_of(found), found.about.json, budget * _CHARACTERS
    while True:
        if len(text) > _LONG:
            page = await asyncio.to_thread(read, text, wanted, json=json, page=room)
        else:
            page = read(text, wanted, json=json, page=room)
        tokens = count(page.text)
        if wanted.limit is not None or tokens <= budget or room <= _SHORTEST:
            return page
        room = max(min(room * budget // tokens, room * 3 // 4), _SHORTEST)


async def content(uri: str, found: Deposit, wanted: Wanted | None) -> dict[str, Any]:
    """The contents of a resource: all of a deposit, or what is wanted of it.

    Raises:
        BadPage: see `lockgate.context.paging.read`.
    """
    if wanted is None and found.about.binary:
        blob = b64encode(found.data).decode()
        return {"uri": uri, "mimeType": found.about.mime, "blob": blob}
    if wanted is None:
        return {"uri": uri, "mimeType": found.about.mime, "text": text_of(found)}
    text = text_of(found)
    page = await asyncio.to_thread(read, text, wanted, json=found.about.json)
    return {
        "uri": uri,
        "mimeType": "text/plain",
        "text": page.text,
        "_meta": {
            "io.github.lockgate/page": {
                "unit": page.unit,
                "first": page.first,
                "count": page.count,
                "total": page.total,
                "next": page.next,
            }
        },
    }


def text_of(found: Deposit) -> str:
    """A deposit as text; what is none, as base64."""
    return b64encode(found.data).decode() if found.about.binary else decoded(found.data)


def decoded(data: bytes) -> str:
    """Bytes that are a text, as that."""
    return data.decode(errors="surrogatepass")
