"""One meaning for one definition: read strictly, written canonically, and known by a fingerprint.

Must not know: what a definition is of, who wrote it, or what is done about it.

The canonical form is RFC 8785 (JCS): members sorted by UTF-16 code units, no white space, the
shortest escapes, numbers as ECMAScript writes them. Decided beyond it:

    | what                             | here                                                     |
    |----------------------------------|----------------------------------------------------------|
    | text in other normal forms       | another text: nothing is normalised, so that a pin       |
    |                                  | catches every change of every character                  |
    | whole numbers that a double      | kept digit by digit; JCS would round two to one, and     |
    | cannot hold, and those too large | readers that count beyond 2^53 would see two             |
    | `1.0`, `1e0` and `1`             | one number                                               |
    | a member that is there twice     | the last one counts, here and in what is forwarded       |
    | half a surrogate pair, no UTF-8, | no definition: parsers do not agree on what it says      |
    | or nested deeper than `DEEPEST`  |                                                          |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple, cast

DEEPEST: Final = 200
"""How deep objects and lists may nest; no schema that people write comes near it."""
_EXACT: Final = 2**53
_LONGEST_WHOLE: Final = 16
"""Digits of the longest whole number that is read as such; a longer one is kept as text."""
_ESCAPES: Final = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
}
_CONTROL: Final = str.maketrans({chr(code): f"\\u{code:04x}" for code in range(0x20)} | _ESCAPES)


class Unreadable(Exception):
    """The text has not one meaning that everybody agrees on; the message says why."""


class Exact(str):
    """A number that a double cannot hold, in the one spelling of its value."""

    __slots__ = ()


class Definition(NamedTuple):
    """What was read.

    fingerprint  `sha256:` and the digest of the canonical form.
    data         the bytes to forward: those that came in, unless those could be read otherwise.
    """

    fingerprint: str
    data: bytes


class _Members:
    """Notices members that are there twice, as it collects them."""

    __slots__ = ("twice",)

    def __init__(self) -> None:
        self.twice = False

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            self.twice = True
        return members


def read(data: bytes) -> Definition:
    """The fingerprint of one JSON object, and what may be forwarded of it.

    Raises:
        Unreadable: it is no JSON object, or parsers do not agree on what it says.
    """
    members = _Members()
    value = _parsed(data, members)
    if not isinstance(value, dict):
        raise Unreadable("it is no JSON object")
    canonical = canonical_of(value)
    return Definition(_digest(canonical), canonical_order_kept(value) if members.twice else data)


def value_of(data: bytes) -> Any:
    """The JSON value, with numbers that a double cannot hold as `Exact`.

    Raises:
        Unreadable: as `read`, or a member is there twice.
    """
    members = _Members()
    value = _parsed(data, members)
    if members.twice:
        raise Unreadable("a member is there twice")
    return value


def fingerprint_of(value: Any) -> str:
    """The fingerprint of a value that `value_of` or `plain` gave.

    Raises:
        Unreadable: a text holds half a surrogate pair, or it nests too deep.
    """
    return _digest(canonical_of(value))


def _digest(canonical: bytes) -> str:
    return f"sha256:{sha256(canonical).hexdigest()}"


def _parsed(data: bytes, members: _Members) -> Any:
    try:
        return json.loads(
            data.decode(),
            object_pairs_hook=members,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise Unreadable("it is not UTF-8") from error
    except RecursionError as error:
        raise Unreadable("it nests too deep") from error
    except ValueError as error:
        raise Unreadable("it is not JSON") from error


def _constant(word: str) -> Any:
    raise Unreadable(f"{word} is no JSON")


def _whole(text: str) -> Any:
    return int(text) if len(text) <= _LONGEST_WHOLE - 1 else _exact(text)


def _fraction(text: str) -> Any:
    number = float(text)
    return _exact(text) if abs(number) == float("inf") else number


def _exact(text: str) -> Any:
    """A number by its digits without those that change nothing; a double where that holds it."""
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except ArithmeticError as error:
        raise Unreadable("a number is out of all bounds") from error
    if not isinstance(exponent, int):
        raise Unreadable("a number is none")
    kept = "".join(map(str, digits)).lstrip("0")
    short = kept.rstrip("0")
    if not short:
        return 0
    exponent += len(kept) - len(short)
    # What a double holds exactly is written as JCS writes it, however it was spelled.
    if len(short) <= 17 and -300 < exponent < 290:
        number = float(f"{'-' * sign}{short}e{exponent}")
        if Decimal(repr(number)) == Decimal((sign, tuple(map(int, short)), exponent)):
            return number
    # Spelled as a whole number wherever a double could be read out of the shorter spelling.
    spelled = short + "0" * exponent if 0 <= exponent <= 310 - len(short) else f"{short}e{exponent}"
    return Exact("-" * sign + spelled)


def canonical_of(value: Any) -> bytes:
    """The canonical form of a JSON value.

    Raises:
        Unreadable: a text holds half a surrogate pair, or it nests too deep.
    """
    return _written(value, sort=True)


def canonical_order_kept(value: Any) -> bytes:
    """As `canonical_of`, with members in the order they are in: models read schemas in order."""
    return _written(value, sort=False)


def _written(value: Any, *, sort: bool) -> bytes:
    parts: list[str] = []
    _write(value, parts.append, sort, DEEPEST)
    try:
        return "".join(parts).encode()
    except UnicodeEncodeError as error:
        raise Unreadable("a text holds half a surrogate pair") from error


def _write(value: Any, put: Any, sort: bool, room: int) -> None:
    if isinstance(value, Exact):
        put(str(value))
    elif isinstance(value, str):
        put(text_of(value))
    elif isinstance(value, dict):
        _write_object(cast("dict[str, Any]", value), put, sort, room - 1)
    elif isinstance(value, list | tuple):
        _write_list(cast("Sequence[Any]", value), put, sort, room - 1)
    else:
        put(scalar_of(value))


def _write_object(value: Mapping[str, Any], put: Any, sort: bool, room: int) -> None:
    if not room:
        raise Unreadable("it nests too deep")
    comma = "{"
    for key in ordered(value) if sort else value:
        put(f"{comma}{text_of(key)}:")
        _write(value[key], put, sort, room)
        comma = ","
    put("}" if value else "{}")


def _write_list(value: Sequence[Any], put: Any, sort: bool, room: int) -> None:
    if not room:
        raise Unreadable("it nests too deep")
    comma = "["
    for item in value:
        put(comma)
        _write(item, put, sort, room)
        comma = ","
    put("]" if value else "[]")


def ordered(members: Mapping[str, Any]) -> list[str]:
    """The names of members in canonical order: by UTF-16 code units (RFC 8785 section 3.2.3)."""
    names = list(members)
    if all(name.isascii() for name in names):
        return sorted(names)
    # Below the surrogates, code points and code units are in the same order.
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def text_of(text: str) -> str:
    """A JSON string with no escape that is not needed (RFC 8785 section 3.2.2.2)."""
    return f'"{text.translate(_CONTROL)}"'


def scalar_of(value: object) -> str:
    """null, a truth value or a number."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) <= _EXACT else scalar_of(_exact(str(value)))
    if isinstance(value, float):
        return _number(value)
    raise Unreadable(f"{type(value).__name__} is no JSON")


def _number(number: float) -> str:
    """As ECMAScript writes it (ECMA-262, Number::toString)."""
    if number != number or number in (float("inf"), float("-inf")):
        raise Unreadable("a number is none")
    sign, digits, exponent = Decimal(repr(number)).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - neither NaN nor infinite
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    if not short:
        return "0"
    point = len(text) + exponent
    return "-" * sign + _placed(short, point)


def _placed(digits: str, point: int) -> str:
    """Digits with the decimal point behind the `point`-th of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    power = point - 1
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'+' if power > 0 else '-'}{abs(power)}"
