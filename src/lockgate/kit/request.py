"""Who is calling, and in which request: what a block has to know to tell calls apart.

Must not know: what anybody does with it; any SDK, but for where those that are loaded keep it.

    | server        | where it comes from                                                       |
    |---------------|---------------------------------------------------------------------------|
    | FastMCP       | FastMCP's own context: nothing has to be done                             |
    | official SDK  | `MCPServer(..., middleware=[request.noted])`; who is calling: from the    |
    |               | access token that the SDK has checked, with or without that               |
    | anything else | `with request.given(caller="alice", tool="search"):`                      |
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any, Final, cast
from urllib.parse import quote

import msgspec

LONGEST: Final = 256
"""Characters of an identity or name; a longer one is its beginning and a digest of all of it."""

_PLAIN: Final = ":/@|+!$,;"
"""Beside letters and digits, what identities are written with and needs no quoting."""


class Request(msgspec.Struct, frozen=True):
    """One request; what is not known is empty.

    caller  who is calling, as a token that was checked says: issuer, subject and client.
    peer    the address the request came from, which is a proxy's behind a proxy.
    id      the request's id, as the client gave it.
    tool    what is called: a tool, a prompt, the URI of a resource.
    method  the method of the protocol.
    """

    caller: str = ""
    peer: str = ""
    id: str = ""
    tool: str = ""
    method: str = ""

    @property
    def whose(self) -> str:
        """The caller; where there is none, where it calls from."""
        return self.caller or (f"peer:{self.peer}" if self.peer else "")


NOBODY: Final = Request()
_current: Final[ContextVar[Request | None]] = ContextVar("lockgate_request", default=None)


def current() -> Request:
    """The request that this code runs for; an empty one outside of any."""
    found = _current.get() or _of_fastmcp() or NOBODY
    return found if found.caller else _with(found, caller=_token_owner())


def caller() -> str:
    """Who is calling; empty when that is not known."""
    return current().caller


@contextmanager
def given(**facts: str) -> Generator[Request]:
    """Say what the request is for what runs inside; see `Request`.

    Raises:
        TypeError: there is no such fact.
    """
    made = _with(_current.get() or NOBODY, **facts)
    token = _current.set(made)
    try:
        yield made
    finally:
        _current.reset(token)


async def noted(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """For the official SDK: `MCPServer("name", middleware=[request.noted])`."""
    token = _current.set(_of_sdk(ctx))
    try:
        return await call_next(ctx)
    finally:
        _current.reset(token)


def _with(request: Request, **facts: str) -> Request:
    unknown = facts.keys() - set(Request.__struct_fields__)
    if unknown:
        raise TypeError(f"a request has no {min(unknown)!r}")
    shortened = {name: _short(value) for name, value in facts.items()}
    return msgspec.structs.replace(request, **shortened)


def _of_sdk(context: Any) -> Request:
    """A request from the official SDK's context of it (`ServerRequestContext`)."""
    number = getattr(context, "request_id", None)
    client = getattr(getattr(context, "request", None), "client", None)
    return _with(
        NOBODY,
        caller=_token_owner(),
        peer=str(getattr(client, "host", "") or ""),
        id="" if number is None else str(number),
        tool=_about(getattr(context, "params", None)),
        method=str(getattr(context, "method", "")),
    )


def _about(params: object) -> str:
    if not isinstance(params, Mapping):
        return ""
    said = cast("Mapping[str, object]", params)
    name = said.get("name", said.get("uri", ""))
    return name if isinstance(name, str) else ""


def _of_fastmcp() -> Request | None:
    dependencies = sys.modules.get("fastmcp.server.dependencies")
    variable = getattr(dependencies, "fastmcp_request_ctx", None)
    context = None if variable is None else variable.get()
    return None if context is None else _of_sdk(getattr(context, "_srctx", context))


def _token_owner() -> str:
    """Whose access token the server has checked; empty without one."""
    for name in ("fastmcp.server.dependencies", "mcp.server.auth.middleware.auth_context"):
        ask = getattr(sys.modules.get(name), "get_access_token", None)
        token = None if ask is None else ask()
        if token is not None:
            return _owner(token)
    return ""


def _owner(token: Any) -> str:
    """A client acts for somebody, or for itself; one of them alone may mean several callers.

    Written so that no two owners are spelled alike.
    """
    claims: Mapping[str, object] = getattr(token, "claims", None) or {}
    subject = getattr(token, "subject", None) or claims.get("sub") or ""
    issuer = claims.get("iss") or ""
    client = getattr(token, "client_id", None) or ""
    parts = {"issuer": issuer, "subject": subject, "client": client}
    said = (f"{name}={quote(str(one), safe=_PLAIN)}" for name, one in parts.items() if one)
    return _short(" ".join(said))


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[: LONGEST - len(digest) - 1]}#{digest}"
