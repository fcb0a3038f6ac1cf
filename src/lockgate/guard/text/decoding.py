"""Text that is written in another form, decoded so that what it says can be judged.

Must not know: what is suspicious in what comes out. Bounded in depth, number and length, so that a
text that decodes to a text that decodes cannot be made expensive.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from typing import Final, Literal
from urllib.parse import unquote

import msgspec

Form = Literal["base64", "hex", "percent", "entities", "escapes"]

DEPTH: Final = 2
"""How often what was decoded is decoded again."""

_WHOLE: Final = ("entities", "escapes")
"""Forms of single letters, which any text may have some of: all of it is read again."""

_MOST: Final = 16
DECODED: Final = 20_000
"""Characters of a text in which encodings are looked for."""

_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,}={0,2}")
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9A-Fa-f]{2}[ :]?){12,}")
_PERCENT: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}[\w.~/-]{0,24}){4,}")
_ENTITIES: Final = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|lt|gt|quot|apos|amp);", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))")


class Decoded(msgspec.Struct, frozen=True):
    """What a piece of a text says once it is decoded.

    form     how it was written, outermost first: `base64`, or `base64 percent`.
    written  the beginning of the piece as it stands in the text.
    """

    form: str
    written: str
    text: str


def decoded(text: str, depth: int = DEPTH) -> list[Decoded]:
    """Every piece of a text that decodes to writing, and what those decode to in turn."""
    found: list[Decoded] = []
    if len(text) < 12:
        return found
    for form, written, said in _pieces(text[:DECODED]):
        if _writing(said) or form in _WHOLE:
            found.append(Decoded(form, written[:60], said))
        if depth > 1:
            found += [
                Decoded(f"{form} {inner.form}", written[:60], inner.text)
                for inner in decoded(said, depth - 1)
            ]
        if len(found) >= _MOST:
            break
    return found


def _pieces(text: str) -> Iterator[tuple[Form, str, str]]:
    if "&" in text and _ENTITIES.search(text):
        yield "entities", text, html.unescape(text)
    if "\\" in text and _ESCAPE.search(text):
        yield "escapes", text, _escapes(text)
    for form, sign, pattern, read in _FORMS:
        if sign not in text:
            continue
        for match in pattern.finditer(text):
            if (said := read(match[0])) and said.isprintable():
                yield form, match[0], said


def _percent(piece: str) -> str:
    return unquote(piece, errors="replace")


def _escapes(piece: str) -> str:
    return _ESCAPE.sub(lambda one: chr(int(one[1] or one[2], 16)), piece)


def _hex(piece: str) -> str:
    digits = re.sub("[ :]|^0x", "", piece)
    return _letters(binascii.unhexlify(digits[: len(digits) & ~1]))


def _unwrapped(piece: str) -> str:
    plain = piece.rstrip("=").translate(_URL_SAFE)
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return _letters(base64.b64decode(plain + "=" * (-len(plain) % 4)))
    except (binascii.Error, ValueError):
        return ""


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _letters(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def carried(text: str) -> str:
    """What variation selectors say when each is read as a byte; empty when they say nothing."""
    said: list[str] = []
    for one in text:
        if "\ufe00" <= one <= "\ufe0f":
            said.append(chr(ord(one) - 0xFE00))
        elif "\U000e0100" <= one <= "\U000e01ef":
            said.append(chr(ord(one) - 0xE0100 + 16))
    read = "".join(said)
    return read if _writing(read) else ""


_FORMS: Final[tuple[tuple[Form, str, re.Pattern[str], Callable[[str], str]], ...]] = (
    ("percent", "%", _PERCENT, _percent),
    ("hex", "", _HEX, _hex),
    ("base64", "", _BASE64, _unwrapped),
)
"""How each form is found: a character it cannot do without, its pattern, and what reads it."""


def _writing(said: str) -> bool:
    """Whether it can be read: nearly all of it letters, and more than one word or a path."""
    if len(said) < 8:
        return False
    letters = sum(one.isalpha() or one in " \n.,'/_-~:@" for one in said)
    return letters * 10 >= len(said) * 9 and any(one in said for one in " /@")
