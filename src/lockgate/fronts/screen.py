"""What the HTTP parser accepts and this server does not.

Must not know: sockets, how a request is put together.

A gateway must never read a message differently from whatever sits before it. So where RFC 9112
leaves a choice the strict one is taken, and forms that no MCP client sends are refused.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Final

import httptools

METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_ALNUM: Final = (string.ascii_letters + string.digits).encode()
# RFC 3986's characters of path and query, and four that browsers leave as they are in a query.
_TARGET_BYTES: Final = _ALNUM + b"-._~:/?@!$&'()*+,;=%[]^`{|}"
_HOST_BYTES: Final = _ALNUM + b"-._~:[]%"
_LENGTH_DIGITS: Final = 19


class Refused(Exception):
    """This request will not be served: `status`, and `message` for whoever sent it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def split_target(target: bytes, method: str) -> tuple[str, str]:
    """Path and query of an origin-form request target, or (`*`, empty) for `OPTIONS *`.

    Raises Refused for every other form (RFC 9112 section 3.2) and for bytes outside of RFC 3986.
    """
    if target == b"*" and method == "OPTIONS":
        return "*", ""
    if target[:1] != b"/":
        raise Refused(400, "The request target must be a path.")
    if target.translate(None, _TARGET_BYTES):
        raise Refused(400, "The request target contains characters that must be percent-encoded.")
    path, _, query = target.decode("ascii").partition("?")
    return path, query


def check_line(method: str, version: str) -> None:
    """Raises Refused for versions and methods that are not served (RFC 9110 section 15.6)."""
    if version not in {"1.1", "1.0"}:
        raise Refused(505, "Only HTTP/1.1 and HTTP/1.0 are served here.")
    if method not in METHODS:
        raise Refused(501, "This method is not served here.")


def check_host(headers: Mapping[bytes, bytes], repeated: frozenset[bytes], version: str) -> None:
    """Raises Refused unless there is one well-formed Host (RFC 9112 section 3.2)."""
    host = headers.get(b"host")
    if host is None:
        if version == "1.1":
            raise Refused(400, "The Host header is missing.")
        return
    if b"host" in repeated or host.translate(None, _HOST_BYTES):
        raise Refused(400, "The Host header must be one host name or address.")


def body_length(headers: Mapping[bytes, bytes], version: str, limit: int) -> tuple[int, bool]:
    """How long the body says it is, and whether it is chunked (RFC 9112 section 6).

    Raises Refused for a length over `limit`, and for a transfer coding other than `chunked`.
    """
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0":
            raise Refused(400, "HTTP/1.0 has no Transfer-Encoding.")
        if coding.lower() != b"chunked":
            raise Refused(501, "The only transfer coding served here is chunked.")
        return 0, True
    length = headers.get(b"content-length")
    if length is None:
        return 0, False
    if len(length) > _LENGTH_DIGITS:
        raise Refused(400, "The Content-Length is malformed.")
    if int(length) > limit:
        raise Refused(413, f"The request body is larger than {limit} bytes.")
    return int(length), False


def parser_refusal(error: httptools.HttpParserError, data: bytes) -> Refused:
    """What to answer to input the parser did not take, or that a check above refused."""
    if isinstance(error, httptools.HttpParserCallbackError):
        cause = error.__context__
        if isinstance(cause, Refused):
            return cause
        raise error
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        method, space, _ = data.lstrip(b"\r\n").partition(b" ")
        if space and method.isalpha() and method.decode() not in METHODS:
            return Refused(501, "This method is not served here.")
    if "HTTP version" in str(error) or "PRI" in str(error):
        return Refused(505, "Only HTTP/1.1 and HTTP/1.0 are served here.")
    return Refused(400, "The request is not well-formed HTTP/1.1.")
