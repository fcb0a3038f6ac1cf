"""From bytes to whole requests (RFC 9112).

Must not know: sockets, answers, time.

llhttp, through httptools, parses, and is strict about most of what request smuggling needs (two
lengths at once, bare line feeds, folded lines, odd chunk sizes). `screen.py` refuses what it lets
pass. Its own memory has no bound, so what is fed to it without anything coming back is counted.
"""

from __future__ import annotations

from typing import Final, Protocol

import httptools

from lockgate.fronts.http import HttpLimits, HttpRequest
from lockgate.fronts.screen import (
    Refused,
    body_length,
    check_host,
    check_line,
    parser_refusal,
    split_target,
)
from lockgate.wire.repeated import Head, remember

PIECE: Final = 4096  # bytes of heads parsed at once, so that few requests are parsed ahead of time
MISSES: Final = 64  # heads in a row unlike the one before, after which likeness is not expected
BETWEEN, HEAD, BODY = range(3)
_NONE: Final[frozenset[bytes]] = frozenset()


class Deliver(Protocol):
    """Takes each whole request, in order."""

    def __call__(self, request: HttpRequest, /, *, keep_alive: bool, http10: bool) -> None:
        """`keep_alive`: another request may follow on this connection."""
        ...


class Reader:
    """Reads the requests of one connection.

    phase           between requests, in a head, or in a body.
    last            the request delivered last said that none follows; what comes is ignored.
    upgrading       the request delivered last asks for a WebSocket; what follows it is `rest`.
    wants_continue  the client waits for `100 Continue` before it sends the body.
    """

    # What `release` lets go of; for the compiler, see docs/why/compiled-hot-path.md.
    __deletable__: Final = ("_deliver", "_parser")
    __slots__ = (
        "_body",
        "_count",
        "_deliver",
        "_fed",
        "_fresh",
        "_headers",
        "_http10",
        "_keep_alive",
        "_known",
        "_last_request",
        "_left",
        "_limits",
        "_method",
        "_misses",
        "_parser",
        "_peer",
        "_repeated",
        "_scheme",
        "_size",
        "_split",
        "_split_target",
        "_target",
        "_upgrade",
        "last",
        "phase",
        "rest",
        "upgrading",
        "wants_continue",
    )

    def __init__(self, limits: HttpLimits, deliver: Deliver, peer: str, scheme: str) -> None:
        self._limits = limits
        self._deliver = deliver
        self._peer = peer
        self._scheme = scheme
        self.last = False
        self.upgrading = False
        self.rest = b""
        self._fed = 0
        self._known: tuple[Head, HttpRequest] | None = None
        self._misses = 0
        self._last_request: HttpRequest | None = None
        self._upgrade = False
        self._keep_alive = True
        self._http10 = False
        self._method = ""
        self._split_target = b""
        self._split = ("", "")
        self.on_message_begin()
        self.phase = BETWEEN
        self._fresh = False
        self._parser = httptools.HttpRequestParser(self)

    @property
    def step(self) -> int:
        """How many bytes may be fed at once without parsing too far ahead."""
        return self._left or PIECE

    def feed(self, data: bytes | memoryview) -> None:
        """Parse more, delivering every request that is complete.

        Raises Refused; a reader that has refused must not be fed again.
        """
        if self.upgrading:
            self.rest += data
            return
        at_start = self.phase == BETWEEN and not self.last
        if at_start and self._known is not None and self._again(data, *self._known):
            return
        rest: bytes | memoryview = data
        while rest and not self.last:
            rest = self._parse(rest)
            if self.upgrading:
                self.rest = bytes(rest)
                break
        if self._fresh:
            self._fresh = False
            self._fed = 0
            if at_start and self._misses < MISSES:
                self._remember(data)
            self._last_request = None
            return
        self._fed += len(data)
        if self._fed > self._limits.header_bytes:
            raise Refused(431, "The request's headers are too large.")

    def _again(self, data: bytes | memoryview, head: Head, like: HttpRequest) -> bool:
        """Deliver a request whose head has been parsed before, but for its length."""
        found = head.body(data) if isinstance(data, bytes) else None
        if found is None:
            self._misses += 1
            return False
        digits, start = found
        if len(data) - start > self._limits.body_bytes:
            return False
        self._misses = 0
        headers = like.headers
        if headers[b"content-length"] != digits:
            headers = {**headers, b"content-length": digits}
        request = HttpRequest(
            method=like.method,
            path=like.path,
            query=like.query,
            headers=headers,
            repeated=like.repeated,
            body=bytes(data[start:]),
            peer=self._peer,
            scheme=self._scheme,
        )
        self._deliver(request, keep_alive=True, http10=False)
        return True

    def _remember(self, data: bytes | memoryview) -> None:
        """Keep the head of a request that came whole, for the ones that follow it."""
        request = self._last_request
        if request is None or not isinstance(data, bytes) or self.phase != BETWEEN:
            return
        ordinary = self._keep_alive and not self._http10 and not self.upgrading
        if ordinary and not {b"expect", b"upgrade"} & request.headers.keys():
            head = remember(data)
            if head is not None and head.body(data) is not None:
                self._known = head, request.replace(body=b"")

    def release(self) -> None:
        """Let go of parser and receiver, which refer back here; nothing may be fed any more."""
        del self._parser, self._deliver

    def _parse(self, data: bytes | memoryview) -> bytes | memoryview:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as pause:
            self._decline_upgrade()
            return data[pause.args[0] :]
        except httptools.HttpParserError as error:
            if not self.last:
                raise parser_refusal(error, bytes(data)) from None
        return b""

    def _decline_upgrade(self) -> None:
        """Go on as if Upgrade had not been asked for (RFC 9110 section 7.8 allows that).

        The parser gives such a request up after its head, so a new one gets a head of ours with the
        same framing, and reads the body. Some ordinary clients ask for h2c on every request. What
        may become a WebSocket is the last request of its connection: nothing behind it is parsed.
        """
        self.upgrading = self._may_upgrade()
        if self.upgrading:
            self._keep_alive = False
        if b"transfer-encoding" in self._headers:
            framing = b"transfer-encoding: chunked"
        else:
            framing = b"content-length: %d" % self._left
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % framing)

    def _may_upgrade(self) -> bool:
        headers = self._headers
        return (
            self._method == "GET"
            and not self._http10
            and not self._left
            and b"transfer-encoding" not in headers
            and headers[b"upgrade"].lower() == b"websocket"
        )

    # What follows is called by the parser, in this order.

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._upgrade:
            return
        self.phase = HEAD
        self.wants_continue = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._repeated = _NONE
        self._count = self._size = 0
        self._body: bytes | bytearray = b""
        self._left = 0
        self._fresh = True

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        if self.phase != HEAD:
            return
        target = self._target + url
        if len(target) > self._limits.target_bytes:
            raise Refused(414, f"The request target is longer than {self._limits.target_bytes}.")
        self._target = target

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or after the body a trailer line, which is only counted."""
        self._count += 1
        self._size += len(name) + len(value) + 4
        limits = self._limits
        if self._size > limits.header_bytes or self._count > limits.header_count:
            raise Refused(431, "The request's headers are too large or too many.")
        if self.phase != HEAD:
            return
        headers = self._headers
        name = name.lower()
        value = value.rstrip()
        if name in headers:
            self._repeated |= {name}
            value = headers[name] + b", " + value
        headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is complete: whatever can be refused is refused before the body is read."""
        if self._upgrade:
            self._upgrade = False
            return
        parser = self._parser
        headers = self._headers
        self._method = method = parser.get_method().decode()
        version = parser.get_http_version()
        check_line(method, version)
        self._http10 = version == "1.0"
        if self._target != self._split_target or method == "OPTIONS":
            self._split = split_target(self._target, method)
            self._split_target = self._target
        check_host(headers, self._repeated, version)
        self._left, chunked = body_length(headers, version, self._limits.body_bytes)
        expect = headers.get(b"expect")
        if expect is not None and not self._http10:
            if expect.lower() != b"100-continue":
                raise Refused(417, "The only expectation served here is 100-continue.")
            self.wants_continue = chunked or self._left > 0
        self._keep_alive = parser.should_keep_alive()
        self._upgrade = b"upgrade" in headers and parser.should_upgrade()
        self.phase = BODY

    def on_body(self, chunk: bytes) -> None:
        """A part of the body."""
        body = self._body
        if not body:
            body = chunk
        else:
            if isinstance(body, bytes):
                body = bytearray(body)
            body += chunk
        if len(body) > self._limits.body_bytes:
            limit = self._limits.body_bytes
            raise Refused(413, f"The request body is larger than {limit} bytes.")
        self._body = body
        if self._left:
            self._left -= len(chunk)
        self.wants_continue = False
        self._fresh = True

    def on_message_complete(self) -> None:
        """The request is complete."""
        if self._upgrade:
            return
        self.phase = BETWEEN
        self._left = 0
        self.last = not (self._keep_alive or self.upgrading)
        path, query = self._split
        body = self._body
        request = HttpRequest(
            method=self._method,
            path=path,
            query=query,
            headers=self._headers,
            repeated=self._repeated,
            body=body if isinstance(body, bytes) else bytes(body),
            peer=self._peer,
            scheme=self._scheme,
        )
        self._body = b""
        self._last_request = request
        self._deliver(request, keep_alive=self._keep_alive, http10=self._http10)
