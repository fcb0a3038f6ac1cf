"""One WebSocket to a server, subprotocol `mcp`: one text message is one JSON-RPC message.

Must not know: what messages mean, eras, sessions. No revision of the protocol describes this
transport; it is what official SDKs have offered beside the others. RFC 6455 itself is the work of
the library `websockets`, an extra (`lockgate[websocket]`) that is imported with the first
connection.

Redirects are not followed, and compression is not offered: a small message could become a huge one.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from lockgate.core.credentials import Credentials
from lockgate.core.message import Failure
from lockgate.upstreams.identity import GATEWAY
from lockgate.upstreams.lookup import connect
from lockgate.upstreams.pool import REACHES, connect_failed
from lockgate.upstreams.refusals import from_status, invalid, library_missing
from lockgate.upstreams.remote import FAILED, TOO_LONG, Down, Refused, unreachable
from lockgate.upstreams.spec import WebSocketSpec
from lockgate.wire.url import Url, parse_url

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame
    from websockets.http11 import Request

SUBPROTOCOL: Final = "mcp"
OPEN_WITHIN: Final = 10.0
"""Seconds for the answer to the upgrade request."""
PING_EVERY: Final = 20.0
"""Seconds between pings; a server that answers neither of two is gone."""
BACKLOG: Final = 64 * 1024 * 1024
"""Bytes a server may leave unread before it is taken for stuck."""
GOODBYE: Final = 2.0
"""Seconds for the other side's part of closing."""
GOING_AWAY: Final = 1001
UNSUPPORTED_DATA: Final = 1003
_OWN: Final = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_silent: Final = logging.getLogger("lockgate.upstreams.websocket")
_silent.setLevel(logging.CRITICAL)

Tls = Callable[[], ssl.SSLContext]


class WebSocketConnection(asyncio.Protocol):
    """One connection. See `Child` for what each method promises."""

    pid: int | None = None
    last_words: str = ""

    def __init__(
        self,
        server: str,
        spec: WebSocketSpec,
        limit: int,
        tls: Tls,
        on_line: Callable[[bytes], None],
        on_exit: Callable[[str], None],
        on_too_long: Callable[[bytes, int], None],
        credentials: Credentials | None = None,
    ) -> None:
        """`limit` is the size of the largest message taken, in bytes.

        credentials  let the gateway in; they go with the upgrade request, so the same for all.
        """
        self._credentials = credentials
        self._server = server
        self._spec = spec
        self._url = parse_url(spec.url)
        self._limit = limit
        self._tls = tls
        self._on_line = on_line
        self._on_exit = on_exit
        self._on_too_long = on_too_long
        self._protocol: ClientProtocol | None = None
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()
        self._parts = bytearray()
        self._open = False
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"WebSocketConnection({self._url.shown})"

    async def start(self) -> None:
        """Connect and have the upgrade accepted.

        Raises:
            Down: the server cannot be reached, or in no state to serve.
            Refused: it is there and will not have us, or the library is missing.
        """
        spec = self._spec if self._credentials is None else await self._shown(self._credentials)
        self._protocol, request = _handshake(self._server, self._url, self._limit, spec)
        loop = asyncio.get_running_loop()
        self._opened = loop.create_future()
        shown = self._url.shown
        try:
            async with asyncio.timeout(self._spec.connect_timeout):
                secure = self._url.scheme == "https"
                tls = self._tls() if secure else None
                judge = REACHES[self._spec.reach]
                await connect(loop, lambda: self, self._url.host, self._url.port, tls, judge)
            async with asyncio.timeout(OPEN_WITHIN):
                self._protocol.send_request(request)
                self._flush()
                await self._opened
        except TimeoutError:
            raise Down(
                f"connecting to {shown} took too long", TOO_LONG, reason="connect-timeout"
            ) from None
        except OSError as error:
            raise unreachable(connect_failed(self._url, error)) from None
        except Refused as error:
            if self._credentials is None or error.failure.reason != "upstream-unauthorized":
                raise
            if await self._credentials.refused(GATEWAY, None) is not True:
                raise
            raise Down("it wanted a newer credential", reason=FAILED) from None
        finally:
            if not self._open:
                self.abort()
        self._timer = loop.call_later(PING_EVERY, self._beat)

    async def _shown(self, credentials: Credentials) -> WebSocketSpec:
        """The configured headers, and what lets the gateway in."""
        shown = credentials.headers(GATEWAY, "GET")
        if isinstance(shown, Awaitable):
            shown = await shown
        if isinstance(shown, Failure):
            raise Refused(shown)
        own = {name.decode(): value.decode("latin-1") for name, value in shown}
        kept = {n: v for n, v in self._spec.headers.items() if n.lower() not in own}
        return replace(self._spec, headers={**kept, **own})

    @property
    def subprotocol(self) -> str | None:
        """What the server has chosen of what it was offered."""
        return None if self._protocol is None else self._protocol.subprotocol

    def write(self, line: bytes) -> None:
        """Send one message."""
        transport, protocol = self._transport, self._protocol
        if not self._open or transport is None or protocol is None:
            return
        # Judged by what was there before, so that one large message is no reason to end anybody.
        if transport.get_write_buffer_size() > BACKLOG:
            self._end(f"it left more than {BACKLOG // 1024 // 1024} MiB unread")
            self.abort()
            return
        protocol.send_text(line)
        self._flush()

    async def stop(self, grace: float) -> None:
        """Say goodbye, wait for the answer a moment, and close."""
        try:
            self._say_goodbye(GOING_AWAY)
            if self._transport is not None:
                async with asyncio.timeout(min(grace, GOODBYE)):
                    await self._gone.wait()
        except TimeoutError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._open = False
        self._rest()
        if self._transport is not None:
            self._transport.abort()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        """Ping; a server from which nothing came since the last ping has gone."""
        if not self._heard:
            self._end(f"it gave no sign of life for {2 * PING_EVERY:g} s")
            self.abort()
            return
        self._heard = False
        if self._protocol is not None:
            self._protocol.send_ping(b"")
            self._flush()
        self._timer = asyncio.get_running_loop().call_later(PING_EVERY, self._beat)

    def _say_goodbye(self, code: int) -> None:
        if self._open and self._protocol is not None:
            self._open = False
            self._protocol.send_close(code)
            self._flush()

    def _end(self, why: str) -> None:
        """Tell, once, that nothing more will come."""
        if self._open:
            self._open = False
            self._rest()
            self._on_exit(why)

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # uvloop's transports do not inherit from asyncio's, so there is nothing to check against.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        protocol = self._protocol
        if protocol is None:
            return
        self._heard = True
        protocol.receive_data(data)
        for event in protocol.events_received():
            if self._opened is not None and not self._opened.done():
                self._judge(getattr(event, "status_code", 0))
            elif self._open:
                self._frame(cast("Frame", event))
        self._flush()
        self._look(protocol)

    def _look(self, protocol: ClientProtocol) -> None:
        """Whether the library takes the connection for open still."""
        if protocol.handshake_exc is not None:
            self._fail_opening(Refused(invalid(self._server, "it is no WebSocket server")))
        elif self._open and protocol.state.name != "OPEN":
            if type(protocol.parser_exc).__name__ == "PayloadTooBig":
                self._on_too_long(b"", self._limit)
            self._end(_ending(protocol, self._limit))
            # It is the server that closes; one that does not is not waited for.
            self._timer = asyncio.get_running_loop().call_later(GOODBYE, self.abort)

    def eof_received(self) -> None:
        """See `asyncio.Protocol`. The transport closes next."""
        if self._protocol is not None:
            self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._transport = None
        self._gone.set()
        self._fail_opening(Down("it closed the connection before accepting it", reason=FAILED))
        self._end("the connection broke")
        self._rest()

    # What it says.

    def _judge(self, status: int) -> None:
        """The answer to the upgrade request is here."""
        protocol = self._protocol
        if self._opened is None or protocol is None:
            return
        if protocol.handshake_exc is None:
            self._open = True
            self._opened.set_result(None)
        elif status == 101:
            self._fail_opening(Refused(invalid(self._server, "its WebSocket handshake is wrong")))
        elif status == 429 or status >= 500:
            self._fail_opening(Down(f"it answered HTTP {status}", reason=FAILED))
        else:
            self._fail_opening(Refused(_no_upgrade(self._server, status)))

    def _fail_opening(self, error: Exception) -> None:
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(error)
            # Looked at, so that nothing is reported if starting was given up meanwhile.
            self._opened.exception()

    def _frame(self, frame: Frame) -> None:
        kind = frame.opcode.name
        if kind == "BINARY":
            self._parts.clear()
            self._end("it sent a message that is not text")
            if self._protocol is not None:
                self._protocol.fail(UNSUPPORTED_DATA)
            self._timer = asyncio.get_running_loop().call_later(GOODBYE, self.abort)
        elif kind == "TEXT" and frame.fin:
            self._on_line(bytes(frame.data))
        elif kind in {"TEXT", "CONT"}:
            # Bounded by the library, which counts the parts of one message together.
            self._parts += frame.data
            if frame.fin:
                whole, self._parts = bytes(self._parts), bytearray()
                self._on_line(whole)

    def _flush(self) -> None:
        if self._protocol is None or self._transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()


def _handshake(
    server: str, url: Url, limit: int, spec: WebSocketSpec
) -> tuple[ClientProtocol, Request]:
    try:
        from websockets.client import ClientProtocol  # noqa: PLC0415  # an extra
        from websockets.typing import Subprotocol  # noqa: PLC0415  # an extra
        from websockets.uri import parse_uri  # noqa: PLC0415  # an extra
    except ImportError:
        raise Refused(library_missing(server)) from None
    shown = url.shown.replace("http", "ws", 1)
    protocol = ClientProtocol(
        parse_uri(shown + url.target.decode()),
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        max_size=limit,
        logger=_silent,
    )
    request = protocol.connect()
    for name, value in _sendable(spec.headers).items():
        request.headers[name] = value
    return protocol, request


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in _OWN and not name.lower().startswith("sec-websocket-")
    }


def _no_upgrade(server: str, status: int) -> Failure:
    if status in {401, 403} or 300 <= status < 400:
        return from_status(server, status)
    return invalid(server, f"HTTP {status} to a request for a WebSocket")


def _ending(protocol: ClientProtocol, limit: int) -> str:
    from websockets.frames import CLOSE_CODE_EXPLANATIONS  # noqa: PLC0415  # loaded by now

    if type(protocol.parser_exc).__name__ == "PayloadTooBig":
        return f"it sent a message over {limit} bytes"
    if protocol.parser_exc is not None and protocol.close_rcvd is None:
        return "it broke the rules of the WebSocket protocol"
    code = 1006 if protocol.close_rcvd is None else protocol.close_rcvd.code
    told = CLOSE_CODE_EXPLANATIONS.get(code)
    return f"it closed the connection with code {code}{f' ({told})' if told else ''}"
