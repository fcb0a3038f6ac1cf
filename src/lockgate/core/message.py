"""What travels through the engine: a Call on its way in, a Reply on its way out.

Must not know: HTTP, JSON-RPC framing, the shape of any protocol revision on the wire.

There is one canonical form, that of the newest revision (2026-07-28): requests stand alone, each
with the facts of its client; a server that needs input answers `input_required`; what a client
listens to is one long `subscriptions/listen` call. Fronts and upstreams translate older revisions
into this form and back.

Envelope facts are lifted out of `params`: the reserved protocol keys of `_meta`
(`io.modelcontextprotocol/protocolVersion`, `/clientInfo`, `/clientCapabilities`, `/logLevel`) live
in `Call.client`, and `progressToken` in `Call.wants_progress`. What remains in `params["_meta"]` is
what the client wants carried to the server: trace context and members nobody here knows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from lockgate.core.raw import EMPTY, Raw
from lockgate.core.secret import Secret

__all__ = [
    "ANONYMOUS",
    "LISTEN",
    "Ask",
    "Call",
    "ClientFacts",
    "Emit",
    "Era",
    "Failure",
    "Kind",
    "Notification",
    "Origin",
    "Principal",
    "Reply",
    "RequestId",
    "Result",
    "Target",
    "drop",
]

LISTEN: Final = "subscriptions/listen"
"""The one request that lasts until somebody ends it: what a client listens to."""

RequestId = int | str
Era = Literal["handshake", "modern"]
Kind = Literal["tool", "resource", "template", "prompt", "task"]
Origin = Literal["client", "policy", "gateway", "upstream"]
NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


class Principal(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """Who is calling, as whoever authenticated it says.

    id       stable and unique over all issuers; never a credential. What is private is kept by it.
    issuer   who vouches for it: a token issuer, or how else it was recognised.
    client   the OAuth client (or the name of the API key) it calls by.
    scopes   what it was granted.
    groups   what it belongs to.
    claims   everything else that is known of it, for rules to read.
    expires  when it has to authenticate anew, on the wall clock; None: never.
    subject  the token it came with, for exchange with the token's issuer (RFC 8693) and nothing
             else: it is never sent to a server.
    """

    id: str
    issuer: str = ""
    client: str | None = None
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = NO_FACTS
    expires: float | None = None
    subject: Secret | None = None


ANONYMOUS: Final = Principal(id="anonymous")


class ClientFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the calling client said about itself. Never grounds for a security decision.

    `capabilities_key` is a short digest of the capability set: callers with equal keys may share
    what depends on capabilities only.
    """

    era: Era
    protocol_version: str
    name: str = "unknown"
    info: Raw = EMPTY
    capabilities: Raw = EMPTY
    capabilities_key: str = ""
    log_level: str | None = None


class Target(msgspec.Struct, frozen=True):
    """What a call is about: a server and the name or URI in that server's own words."""

    server: str
    kind: Kind
    name: str


class Notification(msgspec.Struct, frozen=True):
    """A message without an answer: progress, a log line, a change on a listened subject.

    Progress travels without its `progressToken`, and what belongs to a listen stream without its
    `subscriptionId`: each side of the gateway has its own.
    """

    method: str
    params: Raw = EMPTY


Emit = Callable[[Notification], None]
"""Takes a notification that belongs to one call. Never blocks, never raises."""


Ask = Callable[[str, Raw], Awaitable["Reply"]]
"""Puts a server's own request (method, params) to the client, outside of any call, and awaits the
answer. Only clients that keep a session can be asked so."""


def drop(_: Notification, /) -> None:
    """The `Emit` of a caller that listens to nothing."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One client request or notification in canonical form. Frozen: change it with `replace`.

    id              None for a notification.
    target          set by the router before the upstream chain runs.
    deadline        on the monotonic clock, seconds; None: no limit.
    emit            takes what belongs to this call while it runs.
    wants_progress  the client sent a progress token.
    affinity        callers with the same value share state a server keeps per session; None when
                    the client keeps no session.
    ask             set on a `subscriptions/listen` call by fronts whose client can be asked
                    outside of a call; None otherwise.
    facts           the one sanctioned leak of the transport: header allow-list, trace context,
                    peer address, endpoint.
    """

    method: str
    client: ClientFacts
    params: Raw = EMPTY
    id: RequestId | None = None
    target: Target | None = None
    principal: Principal = ANONYMOUS
    deadline: float | None = None
    emit: Emit = drop
    wants_progress: bool = False
    affinity: str | None = None
    ask: Ask | None = None
    facts: Mapping[str, Any] = NO_FACTS

    def replace(self, **changes: Any) -> Call:
        """A copy with these fields changed."""
        return replace(self, **changes)


class Result(msgspec.Struct, frozen=True):
    """A successful answer. `raw` is the result object without the envelope of any revision.

    kind  complete, input_required (a multi round-trip result: `inputRequests`, `requestState`), or
          task (the tasks extension answered with a task handle).
    """

    raw: Raw
    kind: Literal["complete", "input_required", "task"] = "complete"


class Failure(msgspec.Struct, frozen=True):
    """A refusal or an error, as a value.

    code     JSON-RPC error code in the newest revision's meaning.
    message  what happened, in words the caller may read.
    origin   whose fault: client, policy, gateway or upstream.
    reason   a stable slug, e.g. `server-unavailable`: what tests, logs and metrics compare.
    policy   the policy that refused, if one did.
    data     the JSON-RPC error's `data`, passed on as it is.
    remedy   the next step for whoever reads it.
    detail   for logs here only; never leaves the process.
    rule     the rule of that policy which refused, for the record alone; never leaves the process.
    """

    code: int
    message: str
    origin: Origin
    reason: str = "error"
    policy: str | None = None
    data: Any = None
    remedy: str | None = None
    detail: str | None = None
    rule: str | None = None


Reply = Result | Failure
