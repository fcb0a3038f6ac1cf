"""The audit log: lines on their way to a file that shows when it was altered.

Must not know: what calls are, or how lines hold one another (`chained`).

Lines are made on the event loop, in order, and written by a thread a moment later, many at once.
Nothing is let through that could not be written: when the file cannot be, or is too far behind,
`ready` says so and whoever asks refuses its calls.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest as hmac_digest
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from lockgate.core.clock import Clock
from lockgate.observe.chained import Chain, Head, digest

try:
    import fcntl
except ImportError:  # not on Windows, where nobody is kept from opening it twice
    fcntl = None

MOST_WAITING: Final = 100_000
"""Lines that may wait to be written."""
SEALED_EVERY: Final = 60.0
_log: Final = logging.getLogger("lockgate.audit")


def key_path(file: Path) -> Path:
    """Where the key that seals a log is kept, unless told otherwise."""
    return file.with_name(file.name + ".key")


def head_path(file: Path) -> Path:
    """Where the newest seal of a log is kept."""
    return file.with_name(file.name + ".head")


class AuditUnusable(Exception):
    """The log cannot be gone on with; the message says why."""


class Audit:
    """One log."""

    def __init__(self, file: Path, key_file: Path | None, clock: Clock) -> None:
        """Go on where the file ends; both it and the key are made if need be.

        Raises:
            AuditUnusable: one of them cannot be read, or the log was damaged.
        """
        self._file = file
        self._clock = clock
        try:
            key = _key(key_file or key_path(file))
            self._out = _claimed(file)
            self._chain, torn = _continued(file, key)
        except (OSError, ValueError) as error:
            raise AuditUnusable(f"The audit log {file} cannot be used: {error}.") from error
        # Arguments are often few and short; without a key, anybody could try them all.
        self._hashing = sha256(b"arguments\0" + key.private_bytes_raw()).digest()
        self._waiting: list[bytes] = []
        self._head: Head | None = None
        self._sealed = clock.monotonic()
        self._unsealed = False
        self._writing: asyncio.Future[None] | None = None
        self._error: OSError | None = None
        if torn is not None:
            self.note("recovered", {"torn": torn})

    @property
    def ready(self) -> bool:
        """Whether what happens now can be written down."""
        return self._error is None and len(self._waiting) < MOST_WAITING

    def hashed(self, data: bytes) -> str:
        """A digest that says whether two values are equal, and nothing else without the key."""
        return hmac_digest(self._hashing, data, "sha256").hex()[:32]

    def note(self, event: str, fields: dict[str, Any]) -> None:
        """Something happened. Returns at once; it is written in its turn."""
        at = self._at()
        self._waiting.append(self._chain.line(event, {"at": at, **fields}))
        self._unsealed = True
        if self._clock.monotonic() - self._sealed >= SEALED_EVERY:
            self._seal()
        self._write_soon()

    def _seal(self) -> None:
        line, self._head = self._chain.seal(self._at())
        self._waiting.append(line)
        self._sealed = self._clock.monotonic()
        self._unsealed = False

    def _at(self) -> str:
        when = datetime.fromtimestamp(self._clock.wall(), UTC)
        return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _write_soon(self) -> None:
        if self._writing is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                # Before the gateway runs; what it starts with is written with what comes next.
                return
            self._writing = loop.run_in_executor(None, self._write, *self._taken())
            self._writing.add_done_callback(self._wrote)

    def _taken(self) -> tuple[list[bytes], Head | None]:
        taken = self._waiting, self._head
        self._waiting, self._head = [], None
        return taken

    def _write(self, lines: list[bytes], head: Head | None) -> None:
        data = b"".join(lines)
        while data:
            data = data[os.write(self._out, data) :]
        os.fsync(self._out)
        if head is not None:
            _replace(head_path(self._file), msgspec.json.encode(head))

    def _wrote(self, done: asyncio.Future[None]) -> None:
        self._writing = None
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self._error = error if isinstance(error, OSError) else OSError(str(error))
            _log.error(
                "the audit log %s cannot be written, so calls are refused: %s", self._file, error
            )
        elif self._waiting:
            self._write_soon()

    async def close(self) -> None:
        """Write and seal what is there, and end."""
        while self._writing is not None:
            with suppress(OSError):
                await asyncio.shield(self._writing)
            await asyncio.sleep(0)
        if self._error is None:
            if self._unsealed:
                self._seal()
            await asyncio.to_thread(self._write, *self._taken())
        os.close(self._out)


def _key(path: Path) -> Ed25519PrivateKey:
    try:
        read = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        made = Ed25519PrivateKey.generate()
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(pem)
        return made
    if not isinstance(read, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    return read


def _claimed(file: Path) -> int:
    """The file, open for this process alone: of two that write, each would break the other's."""
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    if fcntl is not None:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(out)
            raise ValueError("another process writes it") from error
    return out


def _continued(file: Path, key: Ed25519PrivateKey) -> tuple[Chain, int | None]:
    """The chain after the last whole line; how many bytes of a torn one were taken off, if any."""
    data = _tail(file)
    whole, broken, torn = data.rpartition(b"\n")
    if not broken:
        if torn:
            raise ValueError("it has no whole line")
        return Chain(key), None
    last = whole.rpartition(b"\n")[2] + b"\n"
    try:
        read: Any = msgspec.json.decode(last)
        n = int(read["n"])
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise ValueError("its last line is not one of its own") from error
    if torn:
        # A process that was killed may have written half a line; nobody was told it is there.
        os.truncate(file, file.stat().st_size - len(torn))
    return Chain(key, n, digest(last)), len(torn) or None


def _tail(file: Path, most: int = 1 << 20) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - most))
        return opened.read()


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)
