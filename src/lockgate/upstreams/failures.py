"""What can go wrong between the pool and a server, as exceptions callers can tell apart.

Must not know: sockets, MCP. The one question that matters to a caller is in `sent`: may the server
have seen the request? Messages name an origin (scheme, host, port) at most; never a header, a query
or a body.
"""

from __future__ import annotations

from typing import Final, Literal

from lockgate.core.message import Failure

Phase = Literal["wait", "connect", "head", "body"]
ConnectCause = Literal[
    "name", "refused", "unreachable", "tls", "busy", "closed", "forbidden", "other"
]


class HttpFailure(Exception):
    """An exchange that gave no usable answer.

    sent  False: the server certainly has not seen the request, so that sending it again is safe.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent: Final = sent


class BadRequest(HttpFailure):
    """A request that cannot be written: a header injection, or a header the pool itself writes."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class ConnectFailed(HttpFailure):
    """No connection could be made. `cause` says which step failed."""

    def __init__(self, message: str, *, cause: ConnectCause = "other") -> None:
        super().__init__(message, sent=False)
        self.cause: Final[ConnectCause] = cause


class ConnectionLost(HttpFailure):
    """The connection ended before the answer did.

    sent      the request may have reached the server.
    reused    the connection had already served another request. With `answered` False this is
              most often a server closing an idle connection just as the request was on its way;
              a caller may then repeat a request that is safe to repeat.
    answered  at least one byte of the response had arrived.
    """

    def __init__(
        self, message: str, *, sent: bool, reused: bool = False, answered: bool = False
    ) -> None:
        super().__init__(message, sent=sent)
        self.reused: Final = reused
        self.answered: Final = answered


class TooLarge(HttpFailure):
    """The response body is over the limit its reader set."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class TimedOut(HttpFailure):
    """A step took too long.

    phase  wait: for a free connection; connect; head: from sending to the response's headers;
           body: a silence within the response's body.
    """

    def __init__(self, message: str, *, phase: Phase) -> None:
        super().__init__(message, sent=phase in ("head", "body"))
        self.phase: Final[Phase] = phase


class BadResponse(HttpFailure):
    """The server answered with something that is not HTTP/1.1, or over a limit on its headers."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class Barred(HttpFailure):
    """The server lets nobody in without a credential, and there is none; nothing was executed.

    failure  what the caller has to do about it.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, sent=False)
        self.failure: Final = failure
