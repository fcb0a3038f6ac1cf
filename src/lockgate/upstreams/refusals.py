"""The words in which a server's trouble is told to the caller.

Must not know: how calls are sent. Every Failure here names the server, says whose fault it is and
what to do next; none repeats bytes that could hold a secret. Addresses, paths and a server's own
words about its trouble are for its owner: they stay in `detail`, which goes to the log alone.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from lockgate.core.message import Failure, Origin
from lockgate.upstreams.failures import (
    BadResponse,
    Barred,
    ConnectFailed,
    ConnectionLost,
    HttpFailure,
    TimedOut,
    TooLarge,
)
from lockgate.upstreams.memory import OverMemory
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, NO_DATA, ErrorObject


def _failure(
    reason: str,
    message: str,
    remedy: str | None,
    origin: Origin = "upstream",
    detail: str | None = None,
    **data: Any,
) -> Failure:
    return Failure(
        code=INTERNAL_ERROR,
        message=message,
        origin=origin,
        reason=reason,
        data=data,
        remedy=remedy,
        detail=detail,
    )


def unavailable(server: str, state: UpstreamState, retry_after: float | None) -> Failure:
    """The server is down, starting or stopped; the caller need not wait to learn it."""
    seconds = None if retry_after is None else ceil(retry_after * 10) / 10
    when = f" The next attempt is in {seconds} s." if seconds is not None else ""
    return _failure(
        "server-unavailable",
        f"The server '{server}' is not available ({state.phase}).{when}",
        "Lockgate keeps trying by itself; if it stays so, its log says why.",
        detail=state.last_error,
        server=server,
        state=state.phase,
        retry_after=seconds,
    )


def crash_looping(server: str, state: UpstreamState, retry_after: float | None) -> Failure:
    """The server's program keeps ending by itself and is left alone for a while."""
    seconds = None if retry_after is None else round(retry_after, 1)
    return _failure(
        "crash-looping",
        f"The server '{server}' keeps ending by itself and is left alone for a while; the call "
        f"was not sent. The next attempt is in {seconds} s.",
        "Whoever runs it finds its last words in Lockgate's log.",
        detail=state.last_error,
        server=server,
        state=state.phase,
        retry_after=seconds,
    )


def unconnected(server: str, detail: str) -> Failure:
    """No connection in time, to a server that was reached before."""
    return _failure(
        "upstream-timeout",
        f"The server '{server}' could not be connected to in time. The call was not sent.",
        "Call again; if it stays so, raise the server's connect_timeout, or look at the network.",
        detail=detail,
        server=server,
        sent=False,
    )


def timed_out(server: str) -> Failure:
    """No answer in time. The call was sent and may have had its effect."""
    return _failure(
        "upstream-timeout",
        f"The server '{server}' did not answer in time; the call was cancelled.",
        "Raise the server's timeout if the call is known to take long.",
        server=server,
    )


def lost(server: str, what: str, *, sent: bool = True, detail: str | None = None) -> Failure:
    """The connection or the process went away before the answer came."""
    if isinstance(what, OverMemory):
        return _over_memory(server, what)
    effect = "The call may have had its effect." if sent else "The call was not sent."
    return _failure(
        "upstream-lost",
        f"The connection to the server '{server}' was lost ({what}). {effect}",
        "Check whether it took effect before calling again." if sent else "Call again.",
        detail=detail,
        server=server,
        sent=sent,
    )


def _over_memory(server: str, what: OverMemory) -> Failure:
    return _failure(
        "memory-ceiling",
        f"The server '{server}' was ended: {what}. The call may have had its effect.",
        "Ask for less at once; or raise the server's limits.memory_bytes if it needs so much.",
        server=server,
        limit=what.limit,
        used=what.used,
        sent=True,
    )


def invalid(server: str, what: str, detail: str | None = None) -> Failure:
    """The server answered something that no revision of the protocol allows."""
    return _failure(
        "upstream-invalid",
        f"The server '{server}' sent an invalid answer: {what}.",
        "This is a defect of the server; report it there.",
        detail=detail,
        server=server,
    )


def too_large(server: str, limit: int) -> Failure:
    """The server's message is larger than this gateway takes."""
    return _failure(
        "upstream-too-large",
        f"The server '{server}' sent a message larger than {limit} bytes.",
        "Raise the server's message limit in the configuration, or ask it for less.",
        server=server,
        limit=limit,
    )


def foreign_endpoint(server: str, shown: str) -> Failure:
    """An HTTP+SSE server wants messages posted to another origin, credentials and all."""
    return _failure(
        "upstream-foreign-endpoint",
        f"The server '{server}' wants its messages posted to another origin ({shown}).",
        "Put the URL of that origin into the configuration if it is to be trusted.",
        server=server,
    )


def library_missing(server: str) -> Failure:
    """A WebSocket server, and no library to speak with it."""
    return _failure(
        "websocket-library",
        f"The server '{server}' is reached over a WebSocket, and the library for that is missing "
        "(lockgate[websocket]).",
        "Install lockgate[websocket], or use the server's Streamable HTTP endpoint.",
        "gateway",
        server=server,
    )


def busy(server: str, what: str) -> Failure:
    """A bound on what one server may occupy is reached, and nothing of it is idle."""
    return _failure(
        "upstream-busy",
        f"The server '{server}' is busy: {what}.",
        "Try again shortly, or raise the limit in the server's configuration.",
        "gateway",
        server=server,
        retry_after=1,
    )


def unknown_state() -> Failure:
    """A `requestState` nobody here gave out, or not to this caller, or too long ago."""
    return Failure(
        code=INVALID_PARAMS,
        message="The requestState is unknown, used already, expired, or belongs to another caller.",
        origin="client",
        reason="unknown-request-state",
        remedy="Make the call again without requestState and inputResponses.",
    )


def state_elsewhere(server: str) -> Failure:
    """A `requestState` of ours whose call is kept by another process, or by one that has ended."""
    return Failure(
        code=INTERNAL_ERROR,
        message=(
            f"The call to {server} that waited for this was kept by another gateway process, "
            "or by one that has ended since; it was not made again."
        ),
        origin="gateway",
        reason="parked-elsewhere",
        data={"server": server},
        remedy="Make the call again without requestState, if it may be made twice.",
    )


def hidden_tool(server: str) -> Failure:
    """A tool that is left out of lists, as the specification asks, cannot be called by name."""
    return Failure(
        code=INVALID_PARAMS,
        message="This tool repeats its arguments in headers in a way the specification forbids.",
        origin="upstream",
        reason="invalid-tool",
        data={"server": server},
        remedy=f"Report it to the authors of {server}: its x-mcp-header annotations are invalid.",
    )


def session_lost(server: str) -> Failure:
    """The server forgot the session that this call belonged to."""
    return _failure(
        "upstream-session-lost",
        f"The server '{server}' ended the session in which this call was waiting.",
        "Make the call again.",
        server=server,
    )


def from_error(error: ErrorObject) -> Failure:
    """The server's own JSON-RPC error, verbatim."""
    return Failure(
        code=error.code,
        message=error.message,
        origin="upstream",
        reason="upstream-error",
        data=None if error.data is NO_DATA else error.data,
    )


def from_http(server: str, error: HttpFailure, limit: int) -> Failure:
    """What the HTTP pool could not do, or was not to do."""
    if isinstance(error, Barred):
        return error.failure
    if isinstance(error, TooLarge):
        return too_large(server, limit)
    if isinstance(error, TimedOut):
        return unconnected(server, str(error)) if error.phase == "connect" else timed_out(server)
    if isinstance(error, ConnectFailed) and error.cause == "busy":
        return busy(server, "too many calls wait for a connection to it")
    sent = not isinstance(error, ConnectFailed) and bool(getattr(error, "sent", True))
    return lost(server, _what(error), sent=sent, detail=str(error))


def _what(error: HttpFailure) -> str:
    """What broke, without where: the address of a server is not its clients' business."""
    if isinstance(error, ConnectFailed):
        return "no connection could be made"
    if isinstance(error, BadResponse):
        return "its answer is not HTTP as it should be"
    if isinstance(error, ConnectionLost) and error.answered:
        return "it closed the connection in the middle of its answer"
    return "it closed the connection without an answer"


def no_endpoint(server: str, status: int) -> Failure:
    """What is at the URL takes neither `initialize` nor the stream of 2024-11-05."""
    return _failure(
        "upstream-no-endpoint",
        f"The server '{server}' has no MCP endpoint at its URL (HTTP {status}).",
        "Correct the path of `url`; most servers have /mcp, older ones /sse.",
        server=server,
        status=status,
    )


def from_status(
    server: str, status: int, retry_after: bytes | None = None, kind: bytes = b""
) -> Failure:
    """An HTTP status without a JSON-RPC error in its body; `kind` is the body's content type."""
    if status in {401, 403}:
        return _failure(
            "upstream-unauthorized",
            f"The server '{server}' refused the gateway's credentials (HTTP {status}).",
            "Set the server's `auth` (`{type: oauth}` if people log in there) or its `headers`.",
            server=server,
            status=status,
        )
    if 300 <= status < 400:
        return _failure(
            "upstream-redirect",
            f"The server '{server}' answered with a redirect (HTTP {status}).",
            "Redirects are not followed; put the final URL into the configuration.",
            server=server,
            status=status,
        )
    if status < 300 and kind.startswith(b"text/html"):
        return _failure(
            "upstream-no-endpoint",
            f"The server '{server}' answered with a web page (HTTP {status}), not with MCP.",
            "Correct `url`: this is the address of a page for people, not of an MCP endpoint.",
            server=server,
            status=status,
        )
    data: dict[str, Any] = {"server": server, "status": status}
    seconds = _seconds(retry_after)
    if seconds is not None:
        data["retry_after"] = seconds
    return _failure(
        "upstream-http-error",
        f"The server '{server}' answered HTTP {status} without a JSON-RPC answer.",
        _what_next(status, seconds),
        **data,
    )


def _what_next(status: int, seconds: int | None) -> str:
    if seconds is not None:
        return f"The server asks to wait {seconds} s."
    if status >= 500:
        return "Something failed there: its own log says what."
    return "Check that `url` is that of an MCP endpoint."


def _seconds(value: bytes | None) -> int | None:
    if value is None or not value.isdigit() or len(value) > 9:
        return None
    return int(value)
