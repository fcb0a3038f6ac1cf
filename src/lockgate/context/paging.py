"""A large text in pages: by offset, by pattern, by path. Pure, and bounded in what it gives.

Must not know: where the text is kept, or who may read it.

    | asked with          | counts in   | gives                                                  |
    |---------------------|-------------|--------------------------------------------------------|
    | nothing, or offset  | characters  | the text as it is; all pages together are the text     |
    | path to an array    | items       | whole elements, as JSON                                |
    | path to a string    | characters  | the string itself                                      |
    | path to the rest    | characters  | its JSON                                               |
    | grep (and path)     | matches     | the place of each, and what is around it               |

Whatever the page, `next` is the offset of the following one, and None at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final, Literal

import msgspec

from lockgate.context.finding import BadPattern, Match, Needles, in_text, in_value
from lockgate.context.pointer import EVERY, NoSuchPlace, at, escaped, parts, steps

PAGE: Final = 6000
LARGEST: Final = 60_000
_SHORT: Final = 40
_decode: Final = msgspec.json.Decoder().decode
Unit = Literal["characters", "items", "matches"]


class BadPage(Exception):
    """A page that cannot be given; the message says why, in words a model can act on."""


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for; see the file. `limit` None: as much as one page holds."""

    offset: int = 0
    limit: int | None = None
    grep: str | None = None
    path: str | None = None


class Page(msgspec.Struct, frozen=True):
    """One page.

    first, count  which of `total` it holds; `total` counts what was asked for, in `unit`.
    next          the offset of the following page; None: this is the last.
    note          what to know of it beside that.
    """

    text: str
    unit: Unit
    first: int
    count: int
    total: int
    next: int | None
    note: str = ""

    def headline(self) -> str:
        """Which part of what this is, in one line."""
        if not self.count:
            said = f"no {self.unit} at offset {self.first}; there are {self.total}"
        else:
            said = f"{self.unit} {self.first} to {self.first + self.count - 1} of {self.total}"
        more = "" if self.next is None else f"; next: offset={self.next}"
        return f"[{said}{more}{'; ' + self.note if self.note else ''}]"


def read(text: str, wanted: Wanted, *, json: bool, page: int = PAGE) -> Page:
    """The page of `text` that is wanted.

    Args:
        text: all of it.
        wanted: which part.
        json: whether it is a JSON document, so that paths lead somewhere.
        page: characters of one page where no limit is given; a limit may go up to `LARGEST`.

    Raises:
        BadPage: the path leads nowhere, the pattern or a number cannot be used.
    """
    if wanted.offset < 0 or (wanted.limit is not None and wanted.limit < 1):
        raise BadPage("offset is 0 or more, limit 1 or more.")
    try:
        if wanted.path is None:
            if wanted.grep is not None:
                return _matches(text, wanted, json=json, page=page)
            return _characters(text, wanted, page)
        if not json:
            raise BadPage("This is no JSON, so no path leads anywhere; use offset or grep.")
        return _at(text.encode(errors="surrogatepass"), wanted, wanted.path, page)
    except (NoSuchPlace, BadPattern) as error:
        raise BadPage(str(error)) from None


def whole(text: str, path: str | None, *, json: bool) -> bytes:
    """All of the value at `path`, or of the text, as JSON bytes.

    Raises:
        BadPage: the path leads nowhere.
    """
    if path is None or (not json and not _steps(path)):
        return text.encode(errors="surrogatepass") if json else msgspec.json.encode(text)
    if not json:
        raise BadPage("This is no JSON, so no path leads anywhere.")
    try:
        return at(text.encode(errors="surrogatepass"), path)
    except NoSuchPlace as error:
        raise BadPage(str(error)) from None


def _steps(path: str) -> list[str]:
    try:
        return steps(path)
    except NoSuchPlace as error:
        raise BadPage(str(error)) from None


def _at(document: bytes, wanted: Wanted, path: str, page: int) -> Page:
    data = at(document, path)
    if wanted.grep is not None:
        value = _plain(data)
        prefix = path if path.startswith("/") and len(path) > 1 and "*" not in path else ""
        return _listed(in_value(Needles(wanted.grep), value, prefix), wanted, page)
    kind = data.lstrip()[:1]
    if kind == b"[":
        return _items(parts(data), path, wanted, page)
    if kind == b'"':
        return _characters(str(_plain(data)), wanted, page)
    return _characters(data.decode(errors="surrogatepass"), wanted, page)


def _plain(data: bytes) -> Any:
    try:
        return _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        raise BadPage("What is there cannot be read as JSON.") from None


def _most(wanted: Wanted, page: int) -> int:
    """How many characters this page may hold."""
    return page if wanted.limit is None else LARGEST


def _characters(text: str, wanted: Wanted, page: int) -> Page:
    first, total = wanted.offset, len(text)
    most = min(wanted.limit or page, LARGEST)
    piece = text[first : first + most]
    end = first + len(piece)
    following = end if first < total and end < total else None
    return Page(piece, "characters", first, len(piece), total, following)


def _items(items: Sequence[msgspec.Raw], path: str, wanted: Wanted, page: int) -> Page:
    first, total, most = wanted.offset, len(items), _most(wanted, page)
    taken: list[str] = []
    size = 0
    note = ""
    for item in islice(items, first, first + (wanted.limit or total)):
        written = bytes(item).decode(errors="surrogatepass")
        if size + len(written) > most:
            if taken:
                break
            # One that fits on no page is read by its own path.
            note = f"this one has {len(written)} characters and is cut here{_by(path, first)}"
            written = written[:most]
        taken.append(written)
        size += len(written)
        if note:
            break
    end = first + len(taken)
    following = end if taken and end < total else None
    between = ",\n" if size > _SHORT * len(taken) else ","
    text = taken[0] if note else f"[{between.join(taken)}]"
    return Page(text, "items", first, len(taken), total, following, note)


def _by(path: str, number: int) -> str:
    """How an element that fits on no page is read."""
    way = steps(path)
    if EVERY in way:
        return ""
    return ": read it with path=/" + "/".join(map(escaped, [*way, str(number)]))


def _matches(text: str, wanted: Wanted, *, json: bool, page: int) -> Page:
    needles = Needles(wanted.grep or "")
    if json:
        value = _plain(text.encode(errors="surrogatepass"))
        return _listed(in_value(needles, value), wanted, page)
    return _listed(in_text(needles, text), wanted, page)


def _listed(found: Iterable[Match], wanted: Wanted, page: int) -> Page:
    first, most = wanted.offset, _most(wanted, page)
    taken: list[str] = []
    size = total = 0
    full = False
    for match in found:
        total += 1
        if total <= first or full:
            continue
        written = f"{match.where}: {match.text}"[:most]
        if taken and (size + len(written) > most or len(taken) == wanted.limit):
            full = True
            continue
        taken.append(written)
        size += len(written) + 1
    end = first + len(taken)
    following = end if taken and end < total else None
    return Page("\n".join(taken), "matches", first, len(taken), total, following)
