"""Characters that a reader does not see and a model does: which they are, and text without them.

Must not know: whose text it is, or what is done about it.

Honest text holds invisible characters too: joiners in emoji, in Persian and in Indian scripts, tags
in the flags of England, Scotland and Wales, selectors behind symbols. So a character is judged
where it stands. What stays is what one of these sequences needs, and nothing besides: a flag whose
tags name no region, or the second selector behind one symbol, has no honest use.

Sources: Unicode Standard 23 (format characters, tags), UTS 51 (emoji sequences), UTS 37
(ideographic variation), ECMA-48 (control sequences). One pass, whatever the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from lockgate.guard.sieve import LARGE, sieve

Hidden = Literal["ansi", "control", "bidi", "zero-width", "tag", "selector", "private", "soft"]
"""`ansi`: a terminal's control sequence; `control`: another control character; `bidi`: changes the
order of what is shown; `tag`: invisible ASCII (U+E0000); `selector`: a variation selector where
none belongs; `private`: a code point without a meaning (private use); `soft`: a soft hyphen."""

# A string's end is not looked for beyond the next control character, so nothing is read twice.
_SEQUENCE: Final = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x18\x1a\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL: Final = "\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f-\\x9f"
_UNSEEN: Final = (
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_PRIVATE: Final = "\ue000-\uf8ff\U000f0000-\U0010ffff"
_any: Final = re.compile(f"[{_CONTROL}\u00ad{_UNSEEN}{_PRIVATE}]")
_any_control: Final = re.compile(f"[{_CONTROL}]")
_candidate: Final = re.compile(f"{_SEQUENCE}|[{_CONTROL}\u00ad{_UNSEEN}{_PRIVATE}]")
_ascii_candidate: Final = re.compile(f"{_SEQUENCE}|[{_CONTROL}]")

_flag: Final = re.compile(
    "\U0001f3f4\ufe0f?([\U000e0061-\U000e007a]{2})[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}"
    "\U000e007f"
)
_REGIONS: Final = (  # ISO 3166-1
    "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq "
    "br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm "
    "do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs "
    "gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn "
    "kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq "
    "mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm "
    "pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv "
    "sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug um us uy uz va vc ve vg vi "
    "vn vu wf ws ye yt za zm zw"
)
_emoji: Final = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_joining: Final = re.compile(
    "[\u0600-\u061b\u061d-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u17b3\u17b6-\u180a\u1810-\u18af"
    "\u1a00-\u1aff\u1b00-\u1c4f\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefe\U00010a00-\U00011fff]"
)
_unspaced: Final = re.compile("[\u0e00-\u109f\u1780-\u17b3\u17b6-\u17ff\u3000-\u9fff\ua000-\ua4cf]")
_rightward: Final = re.compile("[\u0590-\u061b\u061d-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ideograph: Final = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_MARKS: Final = "\u061c\u200e\u200f"
_MONGOLIAN: Final = "\u180b\u180c\u180d\u180e\u180f"


def _each(first: bytes, last: Iterable[int]) -> Iterator[bytes]:
    return (first + bytes((one,)) for one in last)


_CONTROLS: Final = (*_each(b"", (*range(9), 11, *range(14, 32), 127)),)
_BEGINNINGS: Final = (
    *(b"\xee", b"\xf3", b"\xf4", b"\xcd\x8f", b"\xd8\x9c", b"\xe1\x85", b"\xe1\x9e\xb4"),
    *(b"\xe1\x9e\xb5", b"\xe1\xa0", b"\xe3\x85\xa4", b"\xef\xb8", b"\xef\xbb\xbf", b"\xef\xbe\xa0"),
    *(b"\xf0\x9b\xb2", b"\xf0\x9d\x85"),
    *_each(b"\xc2", (*range(0x80, 0xA0), 0xAD)),
    *_each(b"\xe2\x80", (*range(0x8B, 0x90), *range(0xAA, 0xAF))),
    *_each(b"\xe2\x81", range(0xA0, 0xB0)),
    *_each(b"\xef", range(0x80, 0xA4)),
    *_each(b"\xef\xbf", range(0xB9, 0xBC)),
)
"""What every hidden character that is not ASCII begins with in UTF-8, and a few seen ones."""


def may_hide(data: bytes) -> bool:
    """Whether UTF-8 may hold a hidden character beyond ASCII; quickly told of a large text."""
    return not data.isascii() and sieve(_BEGINNINGS).holds(data)


class Spot(msgspec.Struct, frozen=True):
    """What is hidden, and where: `text[start:end]`."""

    start: int
    end: int
    kind: Hidden


def spots(text: str) -> list[Spot]:
    """Everything in the text that is there and not seen, in order, each once."""
    return list(_spots(text))


def is_clean(text: str) -> bool:
    """Whether nothing in the text is hidden."""
    return next(_spots(text), None) is None


def without(text: str, found: Sequence[Spot]) -> str:
    """The text without these spots."""
    return _rewritten(text, lambda _: "", found)


def stripped(text: str) -> str:
    """The text without what is hidden; the very same when nothing is."""
    return _rewritten(text, lambda _: "", _spots(text))


def escaped(text: str) -> str:
    r"""The text with what is hidden spelled out, as `\u202e`; the very same when nothing is."""
    return _rewritten(text, lambda hidden: hidden.encode("unicode_escape").decode(), _spots(text))


def smuggled(text: str) -> str:
    """What the tags in a text say, read as the ASCII they stand for; empty when there are none."""
    return "".join(
        chr(ord(one) - 0xE0000)
        for spot in _spots(text)
        if spot.kind == "tag"
        for one in text[spot.start : spot.end]
        if 0xE0020 <= ord(one) < 0xE007F
    )


def _rewritten(text: str, spelled: Callable[[str], str], found: Iterable[Spot]) -> str:
    parts: list[str] = []
    done = 0
    for spot in found:
        parts += (text[done : spot.start], spelled(text[spot.start : spot.end]))
        done = spot.end
    if not done:
        return text
    parts.append(text[done:])
    return "".join(parts)


def _spots(text: str) -> Iterator[Spot]:
    if len(text) >= LARGE:
        data = text.encode("utf-8", "surrogatepass")
        if not may_hide(data) and not sieve(_CONTROLS).holds(data):
            return
    if (_any_control if text.isascii() else _any).search(text) is None:
        return
    if text.isascii():
        for found in _ascii_candidate.finditer(text):
            yield Spot(found.start(), found.end(), "ansi" if found[0][0] == "\x1b" else "control")
        return
    place = _Place(text)
    for found in _candidate.finditer(text):
        start, end = found.span()
        if start < place.kept:
            continue
        kind = _kind(found[0])
        if kind in ("ansi", "control", "bidi", "private", "soft") or not place.belongs(start):
            place.gone = end
            yield Spot(start, end, kind)


def _kind(found: str) -> Hidden:
    one = found[0]
    if one < "\u00ad":
        return "ansi" if one == "\x1b" or len(found) > 1 else "control"
    if one == "\u00ad":
        return "soft"
    if "\u202a" <= one <= "\u202e" or "\u2066" <= one <= "\u2069":
        return "bidi"
    if "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef":
        return "selector"
    if "\U000e0000" <= one <= "\U000e0fff":
        return "tag"
    return "private" if "\ue000" <= one <= "\uf8ff" or one >= "\U000f0000" else "zero-width"


class _Place:
    """What stands around a character.

    kept  up to where what follows belongs to a flag that was let through.
    gone  where the last thing that was found to be hidden ends: what is needed follows at once.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._right: bool | None = None
        self.kept = 0
        self.gone = 0

    def belongs(self, at: int) -> bool:
        """Whether the character here is needed by what stands around it."""
        if at == self.gone:
            return False
        one, before = self._text[at], self._text[at - 1]
        after = self._text[at + 1 : at + 2]
        if one in "\u200c\u200d":
            return self._joins(one, before, after)
        if one == "\u200b":
            return bool(_unspaced.match(before) and _unspaced.match(after))
        if one in _MARKS:
            return before not in _MARKS and self._rightward()
        if one in _MONGOLIAN:
            return "\u1820" <= before <= "\u18aa"
        if "\ufe00" <= one <= "\ufe0f":
            return _selects(one, before)
        if "\U000e0100" <= one <= "\U000e01ef":
            return _ideograph.match(before) is not None
        return "\U000e0000" <= one <= "\U000e007f" and self._flag(at)

    def _joins(self, one: str, before: str, after: str) -> bool:
        if _joining.match(before):
            return True
        shown = before == "\ufe0f" or _emoji.match(before)
        return one == "\u200d" and bool(shown and _emoji.match(after))

    def _rightward(self) -> bool:
        if self._right is None:
            self._right = _rightward.search(self._text) is not None
        return self._right

    def _flag(self, at: int) -> bool:
        before = self._text[at - 1]
        found = _flag.match(self._text, at - (2 if before == "\ufe0f" and at > 1 else 1))
        if found is None:
            return False
        region = "".join(chr(ord(one) - 0xE0000) for one in found[1])
        self.kept = found.end() if region in _REGIONS else 0
        return region in _REGIONS


def _selects(selector: str, before: str) -> bool:
    if before in "0123456789#*":
        return selector in "\ufe0e\ufe0f"
    if _emoji.match(before):
        return selector in "\ufe0e\ufe0f" or before < "\U0001f000"
    return (before >= "\u2000" or "\u1000" <= before <= "\u109f") and not _unseen(before)


def _unseen(one: str) -> bool:
    return one.isspace() or _candidate.match(one) is not None
