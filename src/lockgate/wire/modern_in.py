"""The stateless era (2026-07-28) toward clients: requests lifted into canonical form, and back.

Must not know: connections, streams, the engine.

Source: specification 2026-07-28, basic ("_meta"), basic/transports/streamable-http ("Server
Validation"), basic/versioning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from lockgate.core.codes import FAILURES
from lockgate.core.message import ClientFacts, Failure, Principal
from lockgate.core.raw import Raw
from lockgate.wire import headers as routing
from lockgate.wire.envelope import (
    LOG_LEVELS,
    capabilities_key,
    object_or_empty,
    progress_token,
    split_object,
    without_meta,
)
from lockgate.wire.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND
from lockgate.wire.revisions import (
    HEADER_MISMATCH,
    META_CLIENT_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_VERSION,
    MISSING_CAPABILITY,
    MODERN_VERSIONS,
    UNSUPPORTED_VERSION,
)

STATUS: Final[Mapping[int, int]] = MappingProxyType(
    {
        -32700: 400,
        -32600: 400,
        -32601: 404,
        -32602: 400,
        HEADER_MISMATCH: 400,
        MISSING_CAPABILITY: 400,
        UNSUPPORTED_VERSION: 400,
    }
)
"""HTTP status of an error, by code; every other code goes out with 200."""

STATUS_BY_REASON: Final[Mapping[str, int]] = MappingProxyType(
    {one.reason: one.modern for one in FAILURES if isinstance(one.modern, int)}
)
"""HTTP status of a failure of our own, by reason; decides before the code does."""

REMOVED: Final = frozenset(
    {
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "resources/unsubscribe",
        "tasks/list",
        "tasks/result",
    }
)
"""Methods of the handshake era that this revision does not have."""

_LIFTED: Final = (
    META_VERSION,
    META_CLIENT_INFO,
    META_CLIENT_CAPABILITIES,
    META_LOG_LEVEL,
    "progressToken",
)
_MOST_CLIENTS: Final = 1024
_LARGEST_KEPT: Final = 8192
_decode: Final = msgspec.json.Decoder().decode
_K = TypeVar("_K")


class Lifted:
    """A request in canonical form: params without the envelope, and what the envelope said."""

    __slots__ = ("client", "params", "token")

    def __init__(self, client: ClientFacts, params: Raw, token: bytes | None) -> None:
        self.client: Final = client
        self.params: Final = params
        self.token: Final = token


class Refusal(Exception):
    """A request that breaks a rule of the revision; `failure` says which."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def refusal(code: int, message: str, reason: str, remedy: str, data: object = None) -> Refusal:
    """A Refusal that is the client's fault."""
    return Refusal(Failure(code, message, "client", reason, data=data, remedy=remedy))


class Lifter:
    """Takes the envelope off requests. Remembers clients, so that who calls again costs nothing."""

    __slots__ = ("_clients", "_plain")

    def __init__(self) -> None:
        self._clients: dict[tuple[bytes, ...], ClientFacts] = {}
        self._plain: dict[bytes, ClientFacts] = {}

    def lift(self, params: Raw) -> Lifted:
        """Read and remove the protocol's own keys of `_meta`.

        Raises:
            Refusal: `_meta`, or a required key in it, is missing or malformed (-32602).
        """
        data = params.member("_meta")
        if data is not None:
            known = self._plain.get(data)
            if known is not None:
                return Lifted(known, params.without("_meta"), None)
        meta = split_object(data)
        if meta is None:
            raise _bad_meta("_meta is missing or not an object")
        version, info, capabilities, level, token = [meta.pop(key, None) for key in _LIFTED]
        client = self._client(version, info, capabilities, level)
        asked = None if token is None else progress_token(token)
        if token is not None and asked is None:
            raise _bad_meta("progressToken is neither a string nor an integer")
        if not meta and token is None and data is not None:
            _remember(self._plain, data, client, len(data))
        return Lifted(client, without_meta(params, meta), asked)

    def _client(
        self,
        version: msgspec.Raw | None,
        info: msgspec.Raw | None,
        capabilities: msgspec.Raw | None,
        level: msgspec.Raw | None,
    ) -> ClientFacts:
        key = tuple(
            b"" if one is None else bytes(one) for one in (version, info, capabilities, level)
        )
        client = self._clients.get(key)
        if client is None:
            client = _facts(*key)
            _remember(self._clients, key, client, sum(map(len, key)))
        return client


def _remember(cache: dict[_K, ClientFacts], key: _K, client: ClientFacts, size: int) -> None:
    if size > _LARGEST_KEPT:
        return
    if len(cache) >= _MOST_CLIENTS:
        del cache[next(iter(cache))]
    cache[key] = client


def _facts(version: bytes, info: bytes, capabilities: bytes, level: bytes) -> ClientFacts:
    if not version:
        raise _bad_meta(f"{META_VERSION} is missing")
    if not capabilities:
        raise _bad_meta(f"{META_CLIENT_CAPABILITIES} is missing")
    named: object = _decode(version)
    if not isinstance(named, str):
        raise _bad_meta(f"{META_VERSION} is not a string")
    if capabilities[:1] != b"{":
        raise _bad_meta(f"{META_CLIENT_CAPABILITIES} is not an object")
    if info and info[:1] != b"{":
        raise _bad_meta(f"{META_CLIENT_INFO} is not an object")
    wanted: object = _decode(level) if level else None
    if level and (not isinstance(wanted, str) or wanted not in LOG_LEVELS):
        raise _bad_meta(f"{META_LOG_LEVEL} is not one of {', '.join(LOG_LEVELS)}")
    who = object_or_empty(msgspec.Raw(info) if info else None)
    name = who.get("name")
    can = Raw(capabilities)
    return ClientFacts(
        era="modern",
        protocol_version=named,
        name=name if isinstance(name, str) else "unknown",
        info=Raw(info) if info else who,
        capabilities=Raw(capabilities),
        capabilities_key=capabilities_key(can),
        log_level=wanted if isinstance(wanted, str) else None,
    )


def _bad_meta(what: str) -> Refusal:
    return refusal(
        INVALID_PARAMS,
        f"Invalid request metadata: {what}.",
        "invalid-metadata",
        "Send protocolVersion and clientCapabilities in params._meta with every request.",
    )


def check_version(said: bytes | None, repeated: bool, client: ClientFacts) -> None:
    """The version header against the body, then whether that version is served.

    Raises:
        Refusal: -32020 when the header is missing, sent twice or differs; -32022 when the version
            is none of ours.
    """
    version = client.protocol_version
    if repeated:
        raise mismatch("The MCP-Protocol-Version header is sent more than once.")
    if said is None:
        raise mismatch("The MCP-Protocol-Version header is missing.")
    if said != version.encode():
        raise mismatch("The MCP-Protocol-Version header does not match the version in the body.")
    check_served(version)


def check_served(version: str) -> None:
    """Raises `Refusal` (-32022) for a version that is not served as a stateless one."""
    if version not in MODERN_VERSIONS:
        raise refusal(
            UNSUPPORTED_VERSION,
            "Unsupported protocol version.",
            "unsupported-version",
            "Use one of the supported versions.",
            {"supported": list(MODERN_VERSIONS), "requested": version[:64]},
        )


def check_headers(
    headers: Mapping[bytes, bytes],
    repeated: frozenset[bytes],
    method: str,
    params: Raw,
    annotations: Callable[[str, Principal], Mapping[str, routing.Path] | None],
    principal: Principal,
) -> None:
    """Method, name and parameter headers against the body; raises `Refusal` (-32020).

    `annotations` says which arguments of a tool are in headers, as this caller is shown it.
    """
    wanted = routing.NO_ANNOTATIONS
    if method == "tools/call":
        name = params.get("name")
        known = annotations(name, principal) if isinstance(name, str) else None
        wanted = known or wanted
    problem = routing.check(headers, repeated, method, params, wanted)
    if problem is not None:
        raise mismatch(problem)


def mismatch(message: str) -> Refusal:
    """A header that does not agree with the body."""
    return refusal(
        HEADER_MISMATCH,
        message,
        "header-mismatch",
        "Send headers that repeat the body; refresh tools/list if a Mcp-Param header is meant.",
    )


def check_method(method: str) -> None:
    """Raises `Refusal` (-32601) for methods that only the handshake era has."""
    if method in REMOVED:
        raise refusal(
            METHOD_NOT_FOUND,
            f"Method not found: {method}",
            "other-revision",
            "This method is not part of revision 2026-07-28.",
        )


def status_of(failure: Failure) -> int:
    """The HTTP status an error answers with."""
    status = STATUS_BY_REASON.get(failure.reason)
    return STATUS.get(failure.code, 200) if status is None else status


def claims_modern(params: Raw) -> bool:
    """Whether params carry the per-request version that only stateless requests have."""
    meta = split_object(params.member("_meta"))
    return meta is not None and META_VERSION in meta
