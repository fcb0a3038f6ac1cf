"""A log whose lines hold one another: what was changed, taken out or cut off shows. Pure.

Must not know: what is logged, or how lines get to a file.

Every line is one JSON object. `n` counts lines, `prev` is the SHA-256 of the line before, as it
stands in the file. From time to time a line of the event `seal` signs, with Ed25519 (RFC 8032), the
number and the digest of what came before it, as RFC 5848 signs blocks of messages. So whoever has
the public key can tell that nobody else wrote any line up to the last seal. What follows it is held
by the chain alone, and who can write the file can cut it off there; the newest seal is therefore
kept beside the file too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final, cast

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

START: Final = ""
"""What the first line of all has for `prev`."""
SEAL: Final = "seal"
_PURPOSE: Final = b"lockgate audit 1\0"
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Broken(Exception):
    """A log is not as it was written; the message says where, and what is wrong."""


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a log goes: its last seal."""

    n: int
    prev: str
    at: str
    signature: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a log that is as it was written.

    lines     how many there are.
    sealed    the number of the last line that is signed; 0 when none is.
    key       the public key it is signed with, in base64; None: nothing is.
    """

    lines: int
    sealed: int
    key: str | None


class Chain:
    """Makes lines, each holding the one before."""

    def __init__(self, key: Ed25519PrivateKey, n: int = 0, prev: str = START) -> None:
        """Goes on after line `n` (0: at the beginning), whose digest is `prev`."""
        self._key = key
        self.n = n
        self.prev = prev

    def line(self, event: str, fields: dict[str, Any]) -> bytes:
        """The next line, with its line break."""
        self.n += 1
        written = _encode({"n": self.n, "event": event, **fields, "prev": self.prev}) + b"\n"
        self.prev = digest(written)
        return written

    def seal(self, at: str) -> tuple[bytes, Head]:
        """A line that signs all before it, and the head to keep elsewhere."""
        head = Head(self.n + 1, self.prev, at, "")
        head = msgspec.structs.replace(head, signature=_b64(self._key.sign(_signed(head))))
        line = _seal(head, _b64(self._key.public_key().public_bytes_raw()))
        self.n, self.prev = head.n, digest(line)
        return line, head


def digest(line: bytes) -> str:
    """What the next line says of this one."""
    return _b64(sha256(line).digest())


def verify(lines: Iterable[bytes], key: str | None = None, head: Head | None = None) -> Verified:
    """Hold a whole log against itself.

    Args:
        lines: the lines with their line breaks, from the first on.
        key: the public key it has to be signed with, in base64; None: whichever it names itself,
            which shows damage, and not that somebody wrote it all anew.
        head: the newest seal as it was kept elsewhere.

    Raises:
        Broken: a line was changed, taken out, put in or cut off.
    """
    n, prev, sealed, found = 0, START, 0, key
    for line in lines:
        read = _read(line, n + 1)
        if read["n"] != n + 1 or read["prev"] != prev:
            raise Broken(f"line {n + 1} does not follow the line before it")
        if read["event"] == SEAL:
            found = _checked(line, read, found)
            sealed = n + 1
            if head is not None and head.n == sealed and head.prev != prev:
                raise Broken(f"line {sealed} is not the one that was sealed")
        n, prev = n + 1, digest(line)
    if head is not None:
        if found is not None and not _holds(found, head):
            raise Broken("the head beside the log was not made with its key")
        if head.n > n:
            raise Broken(f"the log ends at line {n}, and went on to line {head.n}")
    return Verified(lines=n, sealed=sealed, key=found)


def _read(line: bytes, number: int) -> dict[str, Any]:
    try:
        read: Any = msgspec.json.decode(line) if line.endswith(b"\n") else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        read = None
    if isinstance(read, dict):
        found = cast("dict[str, Any]", read)
        if found.keys() >= {"n", "event", "prev"}:
            return found
    raise Broken(f"line {number} is not whole")


def _checked(line: bytes, read: dict[str, Any], key: str | None) -> str:
    named = str(read.get("key"))
    if key is not None and named != key:
        raise Broken(f"line {read['n']} is sealed with another key ({named})")
    head = Head(read["n"], read["prev"], str(read.get("at")), str(read.get("signature")))
    if _seal(head, named) != line or not _holds(named, head):
        raise Broken(f"the seal in line {head.n} does not hold")
    return named


def _seal(head: Head, key: str) -> bytes:
    written = {"n": head.n, "event": SEAL, "at": head.at, "key": key, "signature": head.signature}
    return _encode({**written, "prev": head.prev}) + b"\n"


def _holds(key: str, head: Head) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True))
        public.verify(base64.b64decode(head.signature, validate=True), _signed(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(head: Head) -> bytes:
    return _PURPOSE + b"%d\0" % head.n + f"{head.prev}\0{head.at}".encode()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def whole_lines(data: bytes) -> Iterator[bytes]:
    """The lines of a file, with their line breaks; what is cut off at its end as well."""
    return iter(data.splitlines(keepends=True))
