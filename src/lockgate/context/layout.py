"""What a text that is no JSON document is nevertheless: rows, a page, source code, a log.

Must not know: tokens, budgets, what is shown of any of it.

Pure. Of a long text the beginning is looked at, in linear time.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final, NamedTuple

import msgspec

MOST_READ: Final = 4 * 1024 * 1024
_SAMPLE: Final = 16_384
LONGEST_NAME: Final = 40
_MOST_COLUMNS: Final = 200
_FEWEST_ROWS: Final = 4
_FEWEST_LINES: Final = 20
_AHEAD: Final = 2000
"""Characters of words that may stand before what a text is about."""
_TRIES: Final = 4
_DELIMITERS: Final = (",", "\t", ";", "|")
_RULE: Final = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_HEADING: Final = re.compile(r"(?:\A|(?<=\n\n))#{1,4} [^\n]{1,120}")
_DEFINITION: Final = re.compile(
    r"^(?:(?:export|default|pub|public|async|abstract|final|static) ){0,4}"
    r"(?:class|def|function|func|fn|interface|struct|enum|impl|trait) [A-Za-z_]\w{0,60}"
    r"(?=[ (<:{\[])",
    re.MULTILINE,
)
_TAG: Final = re.compile(r"<[^<>]{1,4000}>")
_SPACE: Final = re.compile(r"[^\S\n]{2,}|\s*\n\s*\n\s*")
_ALARMS: Final = ("ERROR", "WARN", "Traceback")
_lines: Final = msgspec.json.Decoder().decode_lines


class Table(NamedTuple):
    """Rows of delimited cells: how many there are, where their names and the first one begin."""

    names: list[str]
    rows: int
    start: int
    body: int


def table(text: str) -> Table | None:
    """What a text of rows is a table of; None: it is none, or one of a single column."""
    for start in beginnings(text):
        found = _markdown(text, start) or _delimited(text, start)
        if found is not None:
            return found
    return None


def beginnings(text: str, marks: str = "") -> Iterator[int]:
    """Where what a text is about may begin: at its first lines, those that begin with `marks`."""
    start = len(text) - len(text.lstrip())
    tries = 0
    while 0 <= start < min(len(text), _AHEAD) and tries < _TRIES:
        if not marks or text[start] in marks:
            tries += 1
            yield start
        start = text.find("\n", start) + 1 or -1


def _delimited(text: str, start: int) -> Table | None:
    sample = text[start : start + _SAMPLE]
    first = sample.partition("\n")[0]
    for delimiter in _DELIMITERS:
        if delimiter not in first:
            continue
        rows = _rows(sample, delimiter)
        width = len(rows[0]) if rows else 0
        if (
            len(rows) >= _FEWEST_ROWS
            and 1 < width <= _MOST_COLUMNS
            # The last one may be cut, and some words may say so.
            and all(len(row) == width for row in (rows[:-2] if len(rows) > _FEWEST_ROWS else rows))
            and all(name.strip() and len(name) <= LONGEST_NAME for name in rows[0])
        ):
            count = text.count("\n", start) + (not text.endswith("\n")) - 1
            body = text.find("\n", start) + 1
            return Table([name.strip() for name in rows[0]], count, start, body)
    return None


def _rows(sample: str, delimiter: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if row]
    except csv.Error:
        return []


def _markdown(text: str, start: int) -> Table | None:
    lines = text[start : start + _SAMPLE].split("\n", 2)
    if len(lines) < 3 or "|" not in lines[0] or "|" not in lines[1]:
        return None
    if _RULE.fullmatch(lines[1].strip()) is None:
        return None
    names = [cell.strip()[:LONGEST_NAME] for cell in lines[0].strip().strip("|").split("|")]
    if sum(map(bool, names)) <= len(names) // 2 or len(names) > _MOST_COLUMNS:
        return None
    body = start + len(lines[0]) + len(lines[1]) + 2
    return Table(names, max(text.count("\n|", start) - 1, 1), start, body)


def json_lines(text: str) -> list[Any] | None:
    """The values of a text of which every line is one; None: it is none."""
    if text[:1] not in ("{", "[") or "\n" not in text[:MOST_READ]:
        return None
    whole = text if len(text) <= MOST_READ else text[: text.rindex("\n", 0, MOST_READ)]
    for one in (whole, whole.rpartition("\n")[0]):
        # The last one may be cut.
        try:
            found = _lines(one)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            continue
        return found if len(found) >= _FEWEST_ROWS - 1 else None
    return None


def is_page(text: str) -> bool:
    """Whether a text is an HTML page."""
    head = text[:_AHEAD].lower()
    return "<!doctype html" in head or "<html" in head


def page(text: str) -> tuple[str, str]:
    """The title of a page, and what it says."""
    kept = text[:MOST_READ]
    for name in ("script", "style", "svg"):
        kept = _without(kept, name)
    begin = kept.lower().find("<title")
    after = kept.find(">", begin) + 1 if begin >= 0 else 0
    end = kept.find("<", after) if after else -1
    title = " ".join(unescape(kept[after:end]).split())[:120] if end > 0 else ""
    return title, tidy(unescape(_TAG.sub(" ", kept[max(end, 0) :]))).strip()


def _without(text: str, name: str) -> str:
    """A page without what stands in elements of this name."""
    lower, kept, at = text.lower(), list[str](), 0
    if len(lower) != len(text):
        return text
    while (begin := lower.find(f"<{name}", at)) >= 0:
        end = lower.find(f"</{name}", begin)
        kept.append(text[at:begin])
        if end < 0:
            return "".join(kept)
        at = end
    return "".join((*kept, text[at:]))


def parts(text: str, most: int) -> list[str]:
    """Headings, or definitions of source code, each with where it stands; a few of many."""
    for pattern in (_HEADING, _DEFINITION):
        found = list(pattern.finditer(text, 0, min(len(text), MOST_READ)))
        if len(found) > 1:
            found, left = _highest(found, most)
            shown = [f"{one[0].strip()} (offset {one.start()})" for one in found]
            return shown + ([f"… {left} more"] if left else [])
    return []


def _highest(found: list[re.Match[str]], most: int) -> tuple[list[re.Match[str]], int]:
    """The headings of the highest levels that there is room for, and how many are left out."""
    levels = [len(one[0]) - len(one[0].lstrip("#")) for one in found]
    for level in range(max(levels), min(levels) - 1, -1):
        kept = [one for one, its in zip(found, levels, strict=True) if its <= level]
        if 1 < len(kept) <= most:
            return kept, len(found) - len(kept)
    return found[:most], max(len(found) - most, 0)


def alarms(text: str) -> str:
    """How often a log raises one, in words; nothing where it does not."""
    if text.count("\n", 0, _SAMPLE) < _FEWEST_LINES:
        return ""
    found = {one: text.count(one) for one in _ALARMS}
    said = [f"{count} x {name}" for name, count in found.items() if count]
    return f", {', '.join(said)}" if said else ""


def tidy(text: str) -> str:
    """A text in which space is no more than it takes to tell words and lines apart."""
    return _SPACE.sub(lambda one: "\n" if "\n" in one[0] else " ", text)
