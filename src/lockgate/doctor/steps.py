"""The steps of a diagnosis, in order: what each looks at, and over which transports.

Must not know: how any of it is done.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Transport = Literal["http", "stdio", "websocket"]
ALL: Final[tuple[Transport, ...]] = ("http", "stdio", "websocket")


class Step(msgspec.Struct, frozen=True):
    """One step.

    looks   what it looks at, as a sentence.
    over    the transports it belongs to.
    always  it is done even when a step before it found the way barred.
    """

    id: str
    looks: str
    over: tuple[Transport, ...] = ALL
    always: bool = False


_HTTP: Final[tuple[Transport, ...]] = ("http",)
_STDIO: Final[tuple[Transport, ...]] = ("stdio",)
_SOCKET: Final[tuple[Transport, ...]] = ("websocket",)
_NET: Final[tuple[Transport, ...]] = ("http", "websocket")

STEPS: Final = (
    Step("sandbox", "Of a CONFIG: whether this machine can hold the server's sandbox.", _STDIO),
    Step("command", "Whether the command is found and may be run.", _STDIO),
    Step("name", "Whether the host name has an address (DNS).", _NET),
    Step("tcp", "Whether each address takes connections.", _NET),
    Step("tls", "Whether the certificate holds, for this name and long enough.", _NET),
    Step("upgrade", "Whether the upgrade to a WebSocket is taken, subprotocol mcp.", _SOCKET),
    Step("start", "Whether the process starts and answers.", _STDIO),
    Step("http", "Whether what answers is HTTP and an MCP endpoint.", _HTTP),
    Step("auth", "Who is let in; challenge and metadata (RFC 9728, RFC 8414).", _HTTP),
    Step("era", "Which eras are spoken: server/discover, initialize."),
    Step("versions", "Which revisions are offered, and what becomes of an unknown one."),
    Step("capabilities", "What is declared."),
    Step("lists", "Every page of every list, in each era, item by item."),
    Step("call", "One call that can do no harm, or a ping."),
    Step("sessions", "Session ids: given out, needed, unknown, ended.", _HTTP),
    Step("streaming", "Event streams: begun at once, whole, nothing but messages.", _HTTP),
    Step("changes", "list_changed and subscriptions."),
    Step("cancellation", "Whether a cancellation is taken and does no harm."),
    Step("headers", "Headers that contradict the body, are missing or encoded.", _HTTP),
    Step("origin", "Host, Origin and CORS.", _HTTP),
    Step("errors", "The shapes of errors: unknown method, tool and resource, bad JSON."),
    Step("latency", "How long the simplest request takes."),
    Step("frames", "Whether what comes is messages, and connections last.", _SOCKET, always=True),
    Step("stdout", "Whether standard output holds messages alone.", _STDIO, always=True),
    Step("stderr", "What was written to standard error.", _STDIO, always=True),
    Step("exit", "Whether the process ends when its input is closed.", _STDIO, always=True),
)
NAMES: Final = {one.id: one for one in STEPS}
