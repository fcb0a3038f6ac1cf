"""RFC 6455 on one connection, bytes in and messages out, by the library `websockets`.

Must not know: sockets, JSON-RPC. The library is an extra (`lockgate[websocket]`), and is imported
when the first client asks for a WebSocket.

Compression is not offered: a small message could become a huge one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lockgate.fronts.http import Headers, HttpRequest

if TYPE_CHECKING:
    from websockets.server import ServerProtocol

SUBPROTOCOL: Final = "mcp"
_OUR_PART: Final = (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol")
_ONCE: Final = frozenset((b"upgrade", b"connection", *_OUR_PART[:2]))
_silent: Final = logging.getLogger("lockgate.fronts.frames")
_silent.setLevel(logging.CRITICAL)


class Refusal(Exception):
    """A handshake that fails; answered with `status` and these headers."""

    def __init__(self, status: int, message: str, remedy: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.remedy = remedy
        self.headers = headers


def accept(request: HttpRequest, most: int) -> Framing:
    """A framing whose first bytes to send accept the handshake in `request`.

    Args:
        request: the upgrade request.
        most: bytes in one message, and in all fragments of one.

    Raises:
        Refusal: the library is missing, or the handshake is not one we accept.
    """
    try:
        from websockets.http11 import Request  # noqa: PLC0415  # an extra
        from websockets.server import ServerProtocol  # noqa: PLC0415  # an extra
        from websockets.typing import Subprotocol  # noqa: PLC0415  # an extra
    except ImportError:
        raise Refusal(
            501,
            "WebSockets need a library that is not installed here.",
            "Have the gateway installed as lockgate[websocket], or use Streamable HTTP.",
        ) from None
    if not request.repeated.isdisjoint(_ONCE):
        raise Refusal(400, "A handshake header is repeated.", "Send each header once.")
    _check(request.headers)
    protocol = ServerProtocol(
        subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=most, logger=_silent
    )
    # The library reads handshakes from bytes only; what HTTP has parsed already is written again,
    # without anything the library would not look at.
    protocol.receive_data(_head(request.headers))
    [asked] = protocol.events_received() or [None]
    if not isinstance(asked, Request):
        raise Refusal(400, "The WebSocket handshake is malformed.", _HANDSHAKE)
    response = protocol.accept(asked)
    if response.status_code != 101:
        raise Refusal(400, "The WebSocket handshake is malformed.", _HANDSHAKE)
    protocol.send_response(response)
    return Framing(protocol)


_HANDSHAKE: Final = "See RFC 6455 section 4.1 for what a client sends."


def _check(headers: dict[bytes, bytes]) -> None:
    if headers.get(b"sec-websocket-version") != b"13":
        version = ((b"sec-websocket-version", b"13"), (b"upgrade", b"websocket"))
        raise Refusal(426, "Only version 13 of WebSocket is spoken here.", _HANDSHAKE, version)
    offered = headers.get(b"sec-websocket-protocol", b"").split(b",")
    if SUBPROTOCOL.encode() not in [one.strip() for one in offered]:
        raise Refusal(
            400,
            "The subprotocol of this WebSocket must be mcp.",
            "Send Sec-WebSocket-Protocol: mcp.",
        )


def _head(headers: dict[bytes, bytes]) -> bytes:
    lines = [b"GET / HTTP/1.1", b"Host: -", b"Upgrade: websocket", b"Connection: Upgrade"]
    lines += [name + b": " + headers[name] for name in _OUR_PART if name in headers]
    return b"\r\n".join((*lines, b"", b""))


class Framing:
    """One connection's frames.

    closing   a close frame went out or came in: nothing more can be said.
    finished  the connection may be closed once what is to send is sent.
    """

    def __init__(self, protocol: ServerProtocol) -> None:
        self._protocol = protocol
        self._parts = bytearray()
        self._text = True
        self._open = False
        self.finished = False

    @property
    def closing(self) -> bool:
        """See the class."""
        return self._protocol.state.name != "OPEN"

    @property
    def incomplete(self) -> bool:
        """Whether a message, or a frame, has begun and not ended."""
        return self._open or bool(self._protocol.reader.buffer)

    def received(self, data: bytes) -> Sequence[bytes | None]:
        """The messages these bytes complete; None for one that is not text.

        Pings are answered, close frames too, and what breaks a rule closes: see `to_send`.
        """
        protocol = self._protocol
        protocol.receive_data(data)
        messages: list[bytes | None] = []
        for event in protocol.events_received():
            frame = _data(event)
            if frame is None:
                continue
            begins, text, payload, last = frame
            self._open = not last
            if begins:
                self._text = text
            if last and not self._parts:
                messages.append(payload if self._text else None)
                continue
            self._parts += payload
            if last:
                messages.append(bytes(self._parts) if self._text else None)
                self._parts.clear()
        return messages

    def send(self, text: bytes) -> None:
        """Say one message."""
        if not self.closing:
            self._protocol.send_text(text)

    def ping(self) -> None:
        """Ask for a sign of life."""
        if not self.closing:
            self._protocol.send_ping(b"")

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        if not self.closing:
            self._protocol.send_close(code, reason)

    def to_send(self) -> list[bytes]:
        """Bytes for the network, each once."""
        found = self._protocol.data_to_send()
        if b"" in found:
            self.finished = True
        return [data for data in found if data]


def _data(event: object) -> tuple[bool, bool, bytes, bool] | None:
    """Of a data frame: whether it begins a message, is text, its payload, whether it is last."""
    from websockets.frames import Frame, Opcode  # noqa: PLC0415  # an extra, loaded by now

    if not isinstance(event, Frame):
        return None
    opcode = event.opcode
    if opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
        return None
    return opcode is not Opcode.CONT, opcode is Opcode.TEXT, bytes(event.data), event.fin
