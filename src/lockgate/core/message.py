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
from typing import Any, ClassVar, Final, Literal

from lockgate.core.failure import Failure, Origin
from lockgate.core.principal import ANONYMOUS, NO_FACTS, Principal
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.value import Value

__all__ = [
    "ANONYMOUS",
    "LISTEN",
    "NO_FACTS",
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
Came = Literal["complete", "input_required", "task"]


_CLIENT_FACTS: Final = (
    "era",
    "protocol_version",
    "name",
    "info",
    "capabilities",
    "capabilities_key",
    "log_level",
)


class ClientFacts(Value):
    """What the calling client said about itself. Never grounds for a security decision.

    `capabilities_key` is a short digest of the capability set: callers with equal keys may share
    what depends on capabilities only.
    """

    __slots__ = _CLIENT_FACTS
    fields: ClassVar[tuple[str, ...]] = _CLIENT_FACTS

    def __init__(
        self,
        *,
        era: Era,
        protocol_version: str,
        name: str = "unknown",
        info: Raw = EMPTY,
        capabilities: Raw = EMPTY,
        capabilities_key: str = "",
        log_level: str | None = None,
    ) -> None:
        self.era: Final = era
        self.protocol_version: Final = protocol_version
        self.name: Final = name
        self.info: Final = info
        self.capabilities: Final = capabilities
        self.capabilities_key: Final = capabilities_key
        self.log_level: Final = log_level


_TARGET: Final = ("server", "kind", "name")


class Target(Value):
    """What a call is about: a server and the name or URI in that server's own words."""

    __slots__ = _TARGET
    fields: ClassVar[tuple[str, ...]] = _TARGET

    def __init__(self, server: str, kind: Kind, name: str) -> None:
        self.server: Final = server
        self.kind: Final = kind
        self.name: Final = name


_NOTIFICATION: Final = ("method", "params")


class Notification(Value):
    """A message without an answer: progress, a log line, a change on a listened subject.

    Progress travels without its `progressToken`, and what belongs to a listen stream without its
    `subscriptionId`: each side of the gateway has its own.
    """

    __slots__ = _NOTIFICATION
    fields: ClassVar[tuple[str, ...]] = _NOTIFICATION

    def __init__(self, method: str, params: Raw = EMPTY) -> None:
        self.method: Final = method
        self.params: Final = params


Emit = Callable[[Notification], None]
"""Takes a notification that belongs to one call. Never blocks, never raises."""


Ask = Callable[[str, Raw], Awaitable["Reply"]]
"""Puts a server's own request (method, params) to the client, outside of any call, and awaits the
answer. Only clients that keep a session can be asked so."""


def drop(_: Notification, /) -> None:
    """The `Emit` of a caller that listens to nothing."""


_CALL: Final = (
    "method",
    "client",
    "params",
    "id",
    "target",
    "principal",
    "deadline",
    "emit",
    "wants_progress",
    "affinity",
    "ask",
    "facts",
)


class Call(Value):
    """One client request or notification in canonical form. Change it with `replace`.

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

    __slots__ = _CALL
    fields: ClassVar[tuple[str, ...]] = _CALL

    def __init__(
        self,
        *,
        method: str,
        client: ClientFacts,
        params: Raw = EMPTY,
        id: RequestId | None = None,  # noqa: A002 - as the wire calls it
        target: Target | None = None,
        principal: Principal = ANONYMOUS,
        deadline: float | None = None,
        emit: Emit = drop,
        wants_progress: bool = False,
        affinity: str | None = None,
        ask: Ask | None = None,
        facts: Mapping[str, Any] = NO_FACTS,
    ) -> None:
        self.method: Final = method
        self.client: Final = client
        self.params: Final = params
        self.id: Final = id
        self.target: Final = target
        self.principal: Final = principal
        self.deadline: Final = deadline
        self.emit: Final = emit
        self.wants_progress: Final = wants_progress
        self.affinity: Final = affinity
        self.ask: Final = ask
        self.facts: Final = facts

    def toward(
        self, target: Target | None, params: Raw, deadline: float | None, emit: Emit
    ) -> Call:
        """The same call as one to a target; as `replace`, for every call needs it."""
        return Call(
            method=self.method,
            client=self.client,
            params=params,
            id=self.id,
            target=target,
            principal=self.principal,
            deadline=deadline,
            emit=emit,
            wants_progress=self.wants_progress,
            affinity=self.affinity,
            ask=self.ask,
            facts=self.facts,
        )

    def spoken_by(self, client: ClientFacts) -> Call:
        """The same call as one of another client."""
        return Call(
            method=self.method,
            client=client,
            params=self.params,
            id=self.id,
            target=self.target,
            principal=self.principal,
            deadline=self.deadline,
            emit=self.emit,
            wants_progress=self.wants_progress,
            affinity=self.affinity,
            ask=self.ask,
            facts=self.facts,
        )


_RESULT: Final = ("raw", "kind")


class Result(Value):
    """A successful answer. `raw` is the result object without the envelope of any revision.

    kind  complete, input_required (a multi round-trip result: `inputRequests`, `requestState`), or
          task (the tasks extension answered with a task handle).
    """

    __slots__ = _RESULT
    fields: ClassVar[tuple[str, ...]] = _RESULT

    def __init__(self, raw: Raw, kind: Came = "complete") -> None:
        self.raw: Final = raw
        self.kind: Final = kind


Reply = Result | Failure
