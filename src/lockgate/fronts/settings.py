"""What the client-facing half needs from outside: the engine, and its own settings.

Must not know: how either is made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lockgate import __version__
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Failure, Principal, Reply
from lockgate.core.raw import encode
from lockgate.wire.headers import Path
from lockgate.wire.jsonrpc import DEPTH_LIMIT
from lockgate.wire.seal import KeyRing

SERVER_INFO = encode({"name": "lockgate", "title": "Lockgate", "version": __version__})


LACKING: Final = "insufficient-scope"
"""The reason of a refusal that more scopes would lift."""


class Engine(Protocol):
    """What answers calls."""

    def handle(self, call: Call, /) -> Awaitable[Reply]:
        """The reply to one call, when awaited. Cancel the awaiting task to cancel the call."""
        ...

    async def end_session(self, affinity: str, /) -> None:
        """Let go of what servers keep for this client's session."""
        ...


def no_annotations(_: str, _who: Principal, /) -> Mapping[str, Path] | None:
    """No tool repeats a parameter in a header."""
    return None


StepUp = Callable[[Failure], Sequence[tuple[bytes, bytes]]]
"""A refusal for want of scopes → the headers that tell the client how to get them."""


def no_challenge(_: Failure, /) -> Sequence[tuple[bytes, bytes]]:
    """Nobody is told how to be granted more."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """How clients are answered. Times in seconds, sizes in bytes.

    keys              seal session ids; give every replica the same.
    annotations       tool name and caller → its parameter headers, from the catalog.
    endpoint          the name calls carry in `facts`.
    step_up           a refusal for want of scopes → the headers that say how to get them.
    messages_path     where clients of revision 2024-11-05 post messages.
    sse_streams       clients of that revision connected at once.
    websockets        clients on a WebSocket at once.
    message_bytes     longest message on a WebSocket or a stdio line.
    message_seconds   how long a client may take to send one message on a WebSocket.
    unsent_bytes      what may wait for a stdio client that does not read; then it is given up.
    depth             deepest nesting of JSON a client may send.
    stream_after      a call that runs longer is answered as a stream.
    keep_alive        silence on a stream after which a comment is sent.
    listens           listen streams open at once, of stateless clients.
    get_streams       streams one session may open with GET at once.
    backlog           messages kept for a session while no such stream is open; the oldest go first.
    backlog_bytes     the same bound in bytes.
    sessions          sessions with state in memory; the longest idle ones lose theirs first.
    session_idle      idle time after which a session's state is let go (its id stays valid).
    session_ttl       age at which a session id expires.
    session_id_bytes  longest session id handed out.
    asks              requests to one client waiting for its answers at once.
    ask_seconds       how long a client may take to answer one.
    rounds            rounds of input one call may ask for.
    unsolicited       whether servers may ask a client with a session outside of any call.
    orphan_seconds    how long a call runs on for a client of the handshake era that went away.
    ack_seconds       how long opening a listen call may take.
    linger            how long a replaced listen call is heard on, so that nothing is lost.
    retry_after       what clients are told to wait when refused for load.
    replay_events     events kept of one stream, for a client that comes back to it.
    replay_stream_bytes  the same bound in bytes.
    replay_bytes      bytes kept of all streams together; the oldest stream is forgotten first.
    replay_streams    streams of which anything is kept.
    replay_seconds    how long they are kept after their end, or after their client went away.
    replay_retry      milliseconds a client should wait before it comes back to a stream.
    """

    keys: KeyRing = field(default_factory=KeyRing.generate)
    annotations: Callable[[str, Principal], Mapping[str, Path] | None] = no_annotations
    server_info: bytes = SERVER_INFO
    clock: Clock = SYSTEM
    endpoint: str = "/mcp"
    step_up: StepUp = no_challenge
    messages_path: str = "/messages"
    sse_streams: int = 1000
    websockets: int = 1000
    message_bytes: int = 4 * 1024 * 1024
    message_seconds: float = 30.0
    unsent_bytes: int = 8 * 1024 * 1024
    depth: int = DEPTH_LIMIT
    stream_after: float = 15.0
    keep_alive: float = 15.0
    listens: int = 5000
    get_streams: int = 4
    backlog: int = 256
    backlog_bytes: int = 1024 * 1024
    sessions: int = 10_000
    session_idle: float = 1800.0
    session_ttl: float = 7 * 24 * 3600.0
    session_id_bytes: int = 2048
    asks: int = 64
    ask_seconds: float = 300.0
    rounds: int = 10
    unsolicited: bool = True
    orphan_seconds: float = 300.0
    ack_seconds: float = 15.0
    linger: float = 0.5
    retry_after: int = 1
    replay_events: int = 256
    replay_stream_bytes: int = 4 * 1024 * 1024
    replay_bytes: int = 64 * 1024 * 1024
    replay_streams: int = 10_000
    replay_seconds: float = 300.0
    replay_retry: int = 1000
