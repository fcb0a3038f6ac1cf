"""What a server demands with a 401 or 403: its `WWW-Authenticate` header, read.

Must not know: what is done about it. Sources: RFC 9110 section 11.6.1 (challenges), RFC 6750
section 3 (Bearer), RFC 9449 section 7.1 (DPoP), RFC 9728 section 5.1 (resource_metadata).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

LONGEST: Final = 8192
MOST_SCOPES: Final = 100
_TOKEN: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
_TOKEN68: Final = frozenset("-._~+/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BLANK: Final = " \t"


class Challenge(msgspec.Struct, frozen=True):
    """One challenge: its scheme in lower case, and its parameters by lower-case name."""

    scheme: str
    params: Mapping[str, str] = {}

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes it asks for, in its order."""
        return split_scopes(self.params.get("scope"))

    @property
    def error(self) -> str | None:
        """`invalid_token`, `insufficient_scope`, `use_dpop_nonce` and the like."""
        return self.params.get("error")

    @property
    def resource_metadata(self) -> str | None:
        """Where the resource describes itself (RFC 9728)."""
        return self.params.get("resource_metadata")


def split_scopes(text: str | None) -> tuple[str, ...]:
    """Scopes as they are written in one string, each once and in order, at most so many."""
    return tuple(dict.fromkeys((text or "").split()))[:MOST_SCOPES]


def read_challenges(text: str | None) -> list[Challenge]:
    """Every challenge of a header; what cannot be read ends the list."""
    if not text or len(text) > LONGEST:
        return []
    return _Reader(text).challenges()


def asked(text: str | None) -> Challenge:
    """The challenge an OAuth client answers: Bearer or DPoP; an empty one when there is none.

    Where there are both, the one that says more counts.
    """
    found = [one for one in read_challenges(text) if one.scheme in ("bearer", "dpop")]
    return max(found, key=lambda one: len(one.params), default=Challenge("bearer"))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def challenges(self) -> list[Challenge]:
        found: list[tuple[str, dict[str, str]]] = []
        while True:
            self._skip(_BLANK + ",")
            word = self._word(_TOKEN)
            if not word:
                break
            start = self._at
            self._skip(_BLANK)
            if found and self._peek() == "=":
                self._at += 1
                self._skip(_BLANK)
                value = self._value()
                if value is None:
                    break
                found[-1][1].setdefault(word.lower(), value)
                continue
            self._at = start
            found.append((word.lower(), {}))
            self._pass_token68()
        return [Challenge(scheme, params) for scheme, params in found]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, letters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in letters:
            self._at += 1

    def _word(self, letters: frozenset[str]) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] in letters:
            self._at += 1
        return self._text[start : self._at]

    def _value(self) -> str | None:
        if self._peek() != '"':
            return self._word(_TOKEN | _TOKEN68) or None
        self._at += 1
        letters: list[str] = []
        while (letter := self._peek()) != '"':
            if not letter:
                return None
            if letter == "\\":
                self._at += 1
                letter = self._peek()
            letters.append(letter)
            self._at += 1
        self._at += 1
        return "".join(letters)

    def _pass_token68(self) -> None:
        """Pass over `abc==` after a scheme, which is no parameter."""
        start = self._at
        self._skip(_BLANK)
        word = self._word(_TOKEN68)
        self._skip("=")
        self._skip(_BLANK)
        if not word or self._peek() not in ("", ","):
            self._at = start
