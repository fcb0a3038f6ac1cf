"""Sealed tokens: state handed to a peer that it can neither read nor change.

Must not know: what is sealed, clocks, where keys come from.

A token is `url-safe base64(version, key id, nonce, AES-256-GCM(issue and expiry times, payload))`.
The purpose and whatever the token is bound to are authenticated with it, so a token for one thing
or one caller opens for no other. The first key of a ring seals; every key opens.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_MARK_BYTES: Final = 18
_TIMES: Final = Struct(">dd")
_HEAD_BYTES: Final = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES
_SHORTEST: Final = _HEAD_BYTES + _TIMES.size + _TAG_BYTES


class BadSeal(Exception):
    """A token that does not open: tampered with, expired, foreign, or sealed by an unknown key.

    reason  `malformed`, `unknown-key`, `not-ours` or `expired`; for logs, not for the sender.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"The token does not open: {reason}.")
        self.reason = reason


class KeyRing:
    """Keys of 32 bytes each: the first seals, all open."""

    __slots__ = ("_ciphers", "_first", "_marks")

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ValueError when there is no key, or one is not 32 bytes long."""
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"A key ring needs at least one key, each of {KEY_BYTES} bytes.")
        self._ciphers = {_key_id(key): AESGCM(key) for key in reversed(keys)}
        self._first = _key_id(keys[0])
        # Of its own for each use: what marks must not be what seals.
        self._marks = [hmac(key, b"lockgate mark\0", "sha256") for key in keys]

    @classmethod
    def generate(cls) -> KeyRing:
        """A ring of one new random key, good for the life of the process."""
        return cls([os.urandom(KEY_BYTES)])

    def seal(self, purpose: str, payload: bytes, *, now: float, ttl: float, bind: str = "") -> str:
        """A token that opens for `purpose` and `bind` until `now + ttl` (wall-clock seconds)."""
        nonce = os.urandom(_NONCE_BYTES)
        head = _VERSION + self._first + nonce
        plain = _TIMES.pack(now, now + ttl) + payload
        sealed = self._ciphers[self._first].encrypt(nonce, plain, _context(purpose, bind))
        return urlsafe_b64encode(head + sealed).rstrip(b"=").decode()

    def open(self, purpose: str, token: str, *, now: float, bind: str = "") -> bytes:
        """The payload of a token.

        Raises:
            BadSeal: for every token that was not sealed by this ring for `purpose` and `bind`, and
                for one that has expired.
        """
        data = _unwrap(token)
        cipher = self._ciphers.get(data[1 : 1 + _KEY_ID_BYTES])
        if cipher is None:
            raise BadSeal("unknown-key")
        nonce = data[1 + _KEY_ID_BYTES : _HEAD_BYTES]
        try:
            plain = cipher.decrypt(nonce, data[_HEAD_BYTES:], _context(purpose, bind))
        except InvalidTag:
            raise BadSeal("not-ours") from None
        if now >= _TIMES.unpack_from(plain)[1]:
            raise BadSeal("expired")
        return plain[_TIMES.size :]

    def mark(self, purpose: str, said: str, *, bind: str = "") -> str:
        """A short sign that `said` is for `purpose` and `bind`; the same every time."""
        return _mark(self._marks[0], purpose, said, bind)

    def marked(self, purpose: str, said: str, mark: str, *, bind: str = "") -> bool:
        """Whether `mark` is that sign, by any of the keys."""
        given = mark.encode()
        known = self.marks(purpose, said, bind=bind)
        return any(compare_digest(given, one.encode()) for one in known)

    def marks(self, purpose: str, said: str, *, bind: str = "") -> list[str]:
        """That sign by each of the keys, the one that `mark` gives first."""
        return [_mark(key, purpose, said, bind) for key in self._marks]

    def __repr__(self) -> str:
        """Says how many keys, nothing about them."""
        return f"KeyRing(<{len(self._ciphers)} keys>)"


def _key_id(key: bytes) -> bytes:
    return sha256(b"lockgate key id\0" + key).digest()[:_KEY_ID_BYTES]


def _context(purpose: str, bind: str) -> bytes:
    return _VERSION + b"%d:%b%b" % (len(purpose.encode()), purpose.encode(), bind.encode())


def _mark(key: bytes, purpose: str, said: str, bind: str) -> str:
    what = _context(purpose, f"{len(bind)}:{bind}{said}")
    return urlsafe_b64encode(hmac(key, what, "sha256")[:_MARK_BYTES]).rstrip(b"=").decode()


def _unwrap(token: str) -> bytes:
    try:
        written = token.encode("ascii")
        data = urlsafe_b64decode(written + b"=" * (-len(written) % 4))
    except (UnicodeEncodeError, BadBase64, ValueError):
        raise BadSeal("malformed") from None
    # Lenient base64 readers take more than one spelling; one token has one spelling.
    if len(data) < _SHORTEST or data[:1] != _VERSION or _spelling(data) != written:
        raise BadSeal("malformed")
    return data


def _spelling(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
