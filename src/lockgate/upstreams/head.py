"""The head of a request as bytes, with nothing in it that could start a second request.

Must not know: connections. Framing (`Content-Length`, `Connection` and the like) is written here
and by nobody else, so that the length a server reads is always the length that is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lockgate.upstreams.failures import BadRequest
from lockgate.wire.url import Url

_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OURS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_HOST: Final = b"host: "
_BODILESS: Final = frozenset({b"GET", b"HEAD"})

# Names that have been judged already. Callers use few; what does not fit is judged each time.
_judged: dict[bytes, bytes] = {}
_JUDGED_LIMIT: Final = 512
_JUDGED_LONGEST: Final = 64


def write_head(
    url: Url, method: bytes, headers: Sequence[tuple[bytes, bytes]], length: int
) -> bytes:
    """Request line and headers (RFC 9112 section 3), ready to be followed by `length` bytes.

    A `Host` among `headers` replaces the one of the URL.

    Raises:
        BadRequest: a name or method that is no token, a value with CR, LF or NUL, or a header that
            belongs to the framing.
    """
    before, behind = _around_length(url, method, headers)
    if length or method not in _BODILESS:
        return b"%bcontent-length: %d\r\n%b" % (before, length, behind)
    return before + behind


class KeptHeaders:
    """Headers that go out again and again, so that they are judged and written once."""

    __slots__ = ("_headers", "_parts", "_what")

    def __init__(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Nothing is judged yet."""
        self._headers = headers
        self._what: tuple[Url, bytes] | None = None
        self._parts = b"", b""

    @property
    def pairs(self) -> Sequence[tuple[bytes, bytes]]:
        """The headers, for who needs them one by one."""
        return self._headers

    def plus(self, headers: Sequence[tuple[bytes, bytes]]) -> KeptHeaders:
        """These and `headers`, which win over those of the same name."""
        names = {name for name, _ in headers}
        return KeptHeaders([*(one for one in self._headers if one[0] not in names), *headers])

    def head(self, url: Url, method: bytes, length: int) -> bytes:
        """As `write_head`. Raises what that raises."""
        what = self._what
        if what is None or what[0] is not url or what[1] != method:
            before, behind = _around_length(url, method, self._headers)
            self._parts = before + b"content-length: ", b"\r\n" + behind
            self._what = url, method
        if not length and method in _BODILESS:
            return write_head(url, method, self._headers, 0)
        return b"%b%d%b" % (self._parts[0], length, self._parts[1])


def _around_length(
    url: Url, method: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, bytes]:
    """What stands before and behind the line of `Content-Length`, judged."""
    parts = [method, b" ", url.target, b" HTTP/1.1\r\n"]
    host = url.host_header
    lines = 3
    for name, value in headers:
        start = _judged.get(name) or _judge(name)
        if start is _HOST:
            host = value
            continue
        parts += (start, value, b"\r\n")
        lines += 1
    before = b"".join(parts)
    behind = b"host: %b\r\n\r\n" % host
    # Counting the line ends of the whole is cheaper than looking into each value.
    written = before + behind
    if written.count(b"\n") != lines or written.count(b"\r") != lines or b"\0" in written:
        raise BadRequest("a header value holds a line break or a NUL")
    if not method or method.translate(None, _TOKEN):
        raise BadRequest("the request method is not a token")
    return before, behind


def _judge(name: bytes) -> bytes:
    if not name or name.translate(None, _TOKEN):
        raise BadRequest("a header name holds a character that names cannot have")
    lower = name.lower()
    if lower in _OURS:
        raise BadRequest(f"the header {lower.decode('ascii')} is written by the gateway itself")
    start = _HOST if lower == b"host" else name + b": "
    if len(_judged) < _JUDGED_LIMIT and len(name) <= _JUDGED_LONGEST:
        _judged[name] = start
    return start
