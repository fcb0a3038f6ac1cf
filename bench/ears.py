"""The clients of a crowd: connections that ask and connections that listen.

Must not know: what is measured.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from bench.messages import PATH

_END: Final = b"\r\n\r\n"
_LONGEST_MARK: Final = 256


def written(method: bytes, headers: Mapping[str, str], message: Any = None) -> bytes:
    """A request to the endpoint."""
    body = b"" if message is None else json.dumps(message, separators=(",", ":")).encode()
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"%b %b HTTP/1.1\r\nhost: localhost\r\n%bcontent-length: %d\r\n\r\n%b" % (
        method,
        PATH.encode(),
        lines.encode(),
        len(body),
        body,
    )


class Caller(asyncio.Protocol):
    """Asks one thing after another on one connection."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._received = b""
        self._answer: asyncio.Future[tuple[bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue] - TCP is a stream

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received += data
        head, end, body = self._received.partition(_END)
        length = _length(head)
        if end and len(body) >= length and self._answer is not None:
            self._received = body[length:]
            self._answer.set_result((head, body[:length]))
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._answer is not None:
            self._answer.set_exception(ConnectionError("closed before it answered"))

    async def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer; raises ConnectionError."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


class Roll:
    """Who has heard a mark, and when; `again`: how often somebody heard it who had already."""

    def __init__(self) -> None:
        self.mark = b""
        self.heard: list[float] = []
        self.again = 0
        self._who: set[Ear] = set()
        self._wanted = 0
        self._all = asyncio.Event()

    def expect(self, mark: bytes, wanted: int) -> None:
        """Begin anew."""
        self.mark, self._wanted, self.heard = mark, wanted, []
        self.again, self._who = 0, set()
        self._all.clear()

    def hear(self, who: Ear, times: int) -> None:
        """Somebody heard it."""
        if who in self._who:
            self.again += times
            return
        self._who.add(who)
        self.again += times - 1
        self.heard.append(time.perf_counter())
        if len(self.heard) >= self._wanted:
            self._all.set()

    async def everybody(self, seconds: float) -> bool:
        """Wait until as many have heard it as were expected to."""
        try:
            async with asyncio.timeout(seconds):
                await self._all.wait()
        except TimeoutError:
            return False
        return True


class Ear(asyncio.Protocol):
    """One open stream. `ready` once `sign` was seen on it, or an exception."""

    def __init__(self, roll: Roll, request: bytes, sign: bytes) -> None:
        self._roll = roll
        self._request = request
        self._sign = sign
        self._tail = b""
        self._transport: asyncio.WriteTransport | None = None
        self.lost = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue] - TCP is a stream
        assert self._transport is not None
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        text = self._tail + data
        if not self.ready.done():
            self._begin(text)
            return
        mark = self._roll.mark
        if mark:
            found = text.count(mark)
            if found:
                self._roll.hear(self, found)
            # A mark cut in two is found later, one found is not found again.
            text = text[text.rfind(mark) + len(mark) :] if found else text
        self._tail = text[-_LONGEST_MARK:]

    def _begin(self, text: bytes) -> None:
        if self._sign in text:
            self._tail = b""
            self.ready.set_result(None)
        elif text.startswith(b"HTTP/1.1 200") or len(text) < 12:
            self._tail = text
        else:
            self.ready.set_exception(ConnectionError(text[:400].decode("latin-1")))

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it stood"))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
