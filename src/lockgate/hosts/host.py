"""A server that somebody made, as hardening it needs to know it: what it is, and its application.

Must not know: configuration, how it is served. No SDK is imported here: what a server is made with
is told by the names of its classes, so that only what is there is ever loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from lockgate.errors import HostError
from lockgate.hosts import fastmcp, sdk
from lockgate.upstreams.inprocess import AsgiApp

Kind = Literal["sdk", "fastmcp", "asgi"]
PATH: Final = "/mcp"
"""Where a server's own application has its MCP endpoint."""
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_ASGI_PARAMS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What of a configuration the application of an SDK has to be made with.

    body      bytes of the largest request.
    sessions  of the handshake era, at once.
    """

    body: int
    sessions: int


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One server.

    kind      what it is made with.
    made      the class it is of, for messages and for who the server is on record.
    name      what it calls itself; None: nothing that could serve as a name.
    path      where its application answers MCP.
    app       makes that application.
    prepare   puts right, in place, what cannot be put right around it.
    lets_in   what checks callers in the server itself; None: nothing known.
    pages     other paths that its application is known to serve.
    users     callers can be told to it in the way of the SDK.
    """

    kind: Kind
    made: str
    name: str | None
    path: str
    app: Callable[[Sizes], AsgiApp]
    prepare: Callable[[], object] = _nothing
    lets_in: str | None = None
    pages: tuple[str, ...] = ()
    users: bool = False


def recognised(server: object, path: str | None) -> Host:
    """What `server` is; `path` is where an ASGI application answers MCP, if not at /mcp.

    Raises:
        HostError: nothing that can be hardened.
    """
    names = {(one.__module__.partition(".")[0], one.__name__) for one in type(server).__mro__}
    given: Any = server
    if ("fastmcp", "FastMCP") in names:
        _no_path(path, "a FastMCP server")
        return _fastmcp(given)
    if ("mcp", "MCPServer") in names or ("mcp", "Server") in names:
        _no_path(path, "a server of the SDK")
        return _sdk(given, lowlevel=("mcp", "Server") in names)
    if _is_app(server):
        return Host(
            kind="asgi",
            made=_class(server),
            name=None,
            path=path or PATH,
            app=lambda _: cast("AsgiApp", server),
        )
    raise HostError(
        f"An object of {_class(server)} is no server that can be hardened.",
        "Give it an MCPServer or lowlevel Server of the official SDK 2.3 or later, a FastMCP "
        "server of FastMCP 4, or an ASGI application that serves MCP.",
        reason="host-unknown",
    )


def _fastmcp(server: Any) -> Host:
    fastmcp.examine(server)
    return Host(
        kind="fastmcp",
        made=_class(server),
        name=_named(server.name),
        path=PATH,
        app=lambda _: fastmcp.app(server, PATH),
        prepare=lambda: fastmcp.prepare(server),
        lets_in="its own `auth`" if server.auth is not None else None,
        pages=fastmcp.pages(server),
        users=True,
    )


def _sdk(server: Any, *, lowlevel: bool) -> Host:
    low = server if lowlevel else sdk.inner(server)
    sdk.examine(low)
    asks = not lowlevel and server.settings.auth is not None
    return Host(
        kind="sdk",
        made=_class(server),
        name=_named(low.name),
        path=PATH,
        app=lambda sizes: sdk.app(server, PATH, sizes.body, sizes.sessions),
        prepare=lambda: sdk.prepare(low, getattr(server, "_subscriptions", None)),
        lets_in="its own `auth`" if asks else None,
        pages=() if lowlevel else sdk.pages(server),
        users=True,
    )


def _is_app(server: object) -> bool:
    """Whether it can be called as ASGI 3 applications are."""
    if not callable(server) or isinstance(server, type):
        return False
    call = server if inspect.isroutine(server) else getattr(server, "__call__", server)  # noqa: B004 - its parameters are wanted, not whether it has any
    try:
        params = [
            one
            for one in inspect.signature(call).parameters.values()
            if one.default is one.empty
            and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        return False
    return len(params) == _ASGI_PARAMS


def _no_path(path: str | None, what: str) -> None:
    if path is not None:
        raise HostError(
            f"`path` is for ASGI applications; {what} has none before it is served.",
            "Leave it out; where clients find the server is `lockgate.path` of the configuration.",
            reason="host-unknown",
        )


def _class(server: object) -> str:
    made = server if inspect.isroutine(server) else type(server)
    return f"{getattr(made, '__module__', '?')}.{getattr(made, '__qualname__', '?')}"


def _named(name: str | None) -> str | None:
    """A name that may be a server's in a configuration and in names of tools."""
    if not name:
        return None
    plain = "".join(one if one in _PLAIN else "-" for one in name).strip("-")
    return plain[:64] or None
