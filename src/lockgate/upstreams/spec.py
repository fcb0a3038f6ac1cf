"""What an upstream is told about its server: plain data, whoever wrote it down.

Must not know: configuration files, or how servers are reached. `repr` shows no value that may be a
secret: environment and header values, and a URL's query and user information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from lockgate.upstreams.crashes import CrashRule
from lockgate.upstreams.sandbox.spec import SandboxSpec

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class StdioSpec:
    """A server that is started as a child process.

    command           the program, looked up on the child's own PATH; never given to a shell.
    env               what the child gets beside the small safe set.
    cwd               where it starts; None: where Lockgate runs.
    allow_unsafe_env  let `env` name variables that change what code a program runs.
    sandbox           what it may touch; None: whatever Lockgate itself may.
    """

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    allow_unsafe_env: bool = False
    sandbox: SandboxSpec | None = None

    def __repr__(self) -> str:
        """Names variables without their values, and the arguments by number: both hold secrets."""
        names = ", ".join(sorted(self.env))
        return f"StdioSpec({self.command!r}, {len(self.args)} args, env: {names or 'none'})"


@dataclass(frozen=True, kw_only=True)
class HttpSpec:
    """A server reached over HTTP. `headers` are sent to this origin only.

    kind  `streamable`; `sse`, the transport of 2024-11-05; `auto` finds out.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    kind: Literal["auto", "streamable", "sse"] = "auto"

    def __repr__(self) -> str:
        """Without header values, query and user information."""
        names = ", ".join(sorted(self.headers))
        return f"HttpSpec({plain_url(self.url)!r}, headers: {names or 'none'})"


@dataclass(frozen=True, kw_only=True)
class WebSocketSpec:
    """A server reached over a WebSocket. `headers` go with the upgrade request only.

    connect_timeout  seconds for name lookup, TCP and TLS handshake together.
    reach            to which addresses its name may lead: see `pool.PoolLimits`.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    connect_timeout: float = 5.0
    reach: Literal["any", "outside", "public"] = "any"

    def __repr__(self) -> str:
        """Without header values, query and user information."""
        names = ", ".join(sorted(self.headers))
        return f"WebSocketSpec({plain_url(self.url)!r}, headers: {names or 'none'})"


@dataclass(frozen=True, kw_only=True)
class UpstreamLimits:
    """Bounds on one server. Sizes in bytes.

    message_bytes      the largest message it may send.
    stderr_line_bytes  the longest stderr line taken whole.
    sessions           sessions kept for clients of the handshake era.
    processes          child processes at once.
    memory_bytes       what one child may hold, with all it started; None: whatever it gets.
    open_files         how many files each process of it may have open; None: as Lockgate itself.
    """

    message_bytes: int = 16 * MIB
    stderr_line_bytes: int = 8 * 1024
    sessions: int = 10_000
    processes: int = 8
    memory_bytes: int | None = None
    open_files: int | None = None


@dataclass(frozen=True, kw_only=True)
class UpstreamSpec:
    """One server. Times in seconds.

    era            the era spoken to it; `auto` finds out.
    start          `eager` connects at start, `lazy` at the first call.
    isolation      for stdio: one process for all clients, or one for each client session.
    start_timeout  how long it may take to start and introduce itself.
    stop_grace     how long a child may take to end by itself.
    idle_stop      stop a stdio server unused for so long; None: never.
    spare          keep one more process of a stdio server started for the next that is needed.
    crashes        when a stdio server that dies again and again is left alone for longer.
    """

    name: str
    transport: StdioSpec | HttpSpec | WebSocketSpec
    era: Literal["auto", "handshake", "modern"] = "auto"
    start: Literal["eager", "lazy"] = "eager"
    isolation: Literal["shared", "session"] = "shared"
    start_timeout: float = 30.0
    call_timeout: float = 300.0
    stop_grace: float = 5.0
    idle_stop: float | None = None
    spare: bool = False
    limits: UpstreamLimits = UpstreamLimits()
    crashes: CrashRule = field(default_factory=CrashRule)


def plain_url(url: str) -> str:
    """The URL without user information, query and fragment; `<unreadable URL>` if it is none."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "<unreadable URL>"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))
