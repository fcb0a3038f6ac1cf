"""Personal data that has a form: addresses of mail, numbers of phones, cards, accounts and persons.

Must not know: whose text it is, or what is done about it.

Names, places and what was said about somebody have no form and are not found. What is found need
not be personal: `info@` is an address too. Where a number carries check digits they are checked;
where it does not (phones, social security numbers) it has to be written as such numbers are.
Each pattern has bounds; time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, Literal

from lockgate.guard.secrets import Secret

Kind = Literal["email", "phone", "card", "iban", "ssn", "ip"]
KINDS: Final[tuple[Kind, ...]] = ("email", "phone", "card", "iban", "ssn", "ip")

_PATTERNS: Final[dict[Kind, re.Pattern[str]]] = {
    "email": re.compile(
        r"(?<![\w.+%-])[A-Za-z0-9](?:[\w.+%-]{0,62}[\w+%-])?@"
        r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![\w@-])"
    ),
    "phone": re.compile(
        r"(?<![\w+./-])(?:\+[1-9]\d{0,2}(?:[ .-]?\(0?\d{1,4}\))?(?:[ .-]?\d{1,4}){2,6}"
        r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\w-])"
    ),
    "card": re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d{2,6}){2,4}(?![\w-]|\.\d)"),
    "iban": re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"),
    "ssn": re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"),
    "ip": re.compile(
        r"(?<![\w.:])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])"
        r"|(?<![\w.:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}(?![\w:])"
    ),
}

# What a kind cannot do without, so that a text without it is not searched.
_NEEDS: Final[dict[Kind, re.Pattern[str]]] = {
    "email": re.compile("@"),
    "ip": re.compile("[.:]"),
}
_digits: Final = re.compile(r"\d{2}")


def find(text: str, kinds: Collection[Kind] = KINDS) -> list[Secret]:
    """What is found of these kinds, in order; none overlaps another."""
    found: list[Secret] = []
    for kind in kinds:
        if (_NEEDS.get(kind) or _digits).search(text) is None:
            continue
        check = _CHECKS.get(kind)
        found += [
            Secret(one.start(), one.end(), kind)
            for one in _PATTERNS[kind].finditer(text)
            if check is None or check(one[0])
        ]
    return _apart(found)


def _apart(found: list[Secret]) -> list[Secret]:
    kept: list[Secret] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def _luhn(number: str) -> bool:
    """Whether it is as long as cards' numbers are, and its check digit is right (ISO/IEC 7812)."""
    digits = [int(one) for one in number if one.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) < 2:
        return False
    doubled = (sum(divmod(2 * one, 10)) for one in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(number: str) -> bool:
    """Whether its check digits are right (ISO 13616)."""
    plain = number.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _phone(number: str) -> bool:
    """Whether it has as many digits as numbers of phones have (E.164)."""
    return 8 <= sum(one.isdigit() for one in number) <= 15


_CHECKS: Final[dict[Kind, Callable[[str], bool]]] = {
    "card": _luhn,
    "iban": _iban,
    "phone": _phone,
}
