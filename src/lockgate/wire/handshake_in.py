"""The handshake era (2025-03-26 to 2025-11-25) toward clients: opening, params, results, errors.

Must not know: transports, how sessions are kept, the engine.

Source: specification 2025-11-25, basic/lifecycle, basic/utilities/progress,
server/utilities/logging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lockgate.core.message import LISTEN, ClientFacts, Failure, Notification, Result
from lockgate.core.raw import Raw, encode
from lockgate.wire.envelope import (
    LOG_LEVELS,
    LOG_MESSAGE,
    PROGRESS,
    capabilities_key,
    is_heard,
    progress_token,
    split_object,
    with_token,
    without_meta,
)
from lockgate.wire.handshake_out import PRIVATE_ERROR
from lockgate.wire.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, ErrorObject, encode_notice
from lockgate.wire.revisions import (
    HANDSHAKE_VERSIONS,
    LATEST_HANDSHAKE,
    META_SERVER_INFO,
    NOT_FOUND,
)

UNKNOWN_METHODS: Final = frozenset({"server/discover", LISTEN})
"""Methods that only the stateless era has."""

ASKS: Final[Mapping[str, str]] = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
"""What a server may ask of a client → the capability the client must have declared."""

_ENVELOPE: Final = ("resultType", "ttlMs", "cacheScope")
_TRACES: Final = (b'"resultType"', b'"ttlMs"', b'"cacheScope"', META_SERVER_INFO.encode())
_COMPLETE: Final = b'{"resultType":"complete",'
_SMALL: Final = 4096
_EDGE: Final = 1024
_TASKS: Final = "io.modelcontextprotocol/tasks"


@dataclass(frozen=True, slots=True)
class Opening:
    """What a client's `initialize` says: the version it gets, and its facts."""

    version: str
    info: Raw
    capabilities: Raw


def read_initialize(params: Raw) -> Opening | Failure:
    """The params of `initialize`; a Failure when they are not usable.

    A version nobody here speaks in this era, one of the stateless era included, is answered with
    the latest of this era.
    """
    offered = params.get("protocolVersion")
    if not isinstance(offered, str):
        return invalid("initialize needs a string `protocolVersion`.")
    for member in ("capabilities", "clientInfo"):
        if (params.member(member) or b"")[:1] != b"{":
            return invalid(f"initialize needs an object `{member}`.")
    version = offered if offered in HANDSHAKE_VERSIONS else LATEST_HANDSHAKE
    return Opening(version, params.object("clientInfo"), params.object("capabilities"))


def client_facts(version: str, info: Raw, capabilities: Raw) -> ClientFacts:
    """The facts of a client, for every call of its session."""
    name = info.get("name")
    return ClientFacts(
        era="handshake",
        protocol_version=version,
        name=name if isinstance(name, str) else "unknown",
        info=Raw(info.encode()),
        capabilities=capabilities,
        capabilities_key=capabilities_key(capabilities),
    )


def initialize_result(version: str, discovered: Raw, server_info: bytes) -> bytes:
    """An InitializeResult from the answer to `server/discover`.

    Members nobody here knows stay. `server_info` stands in when no server said who it is.
    """
    meta = discovered.object("_meta")
    said = meta.member(META_SERVER_INFO)
    members = {
        "protocolVersion": encode(version),
        "capabilities": _capabilities(discovered).encode(),
        "serverInfo": server_info if said is None else said,
    }
    rest = meta.without(META_SERVER_INFO)
    bare = discovered.without("supportedVersions", "_meta", *_ENVELOPE, *members)
    if len(rest):
        members["_meta"] = rest.encode()
    return Raw(members={**members, **{key: bare.member(key) or b"null" for key in bare}}).encode()


def _capabilities(discovered: Raw) -> Raw:
    capabilities = discovered.object("capabilities")
    extensions = capabilities.object("extensions")
    if _TASKS not in extensions:
        return capabilities
    # The tasks extension is not the task support this era knows.
    left = extensions.without(_TASKS)
    if not len(left):
        return capabilities.without("extensions")
    return capabilities.with_members({"extensions": left.encode()})


def lift(params: Raw) -> tuple[Raw, bytes | None]:
    """Params without the progress token, and the token as JSON bytes."""
    if "_meta" not in params:
        return params, None
    meta = split_object(params.member("_meta"))
    if meta is None or "progressToken" not in meta:
        return params, None
    token = progress_token(meta.pop("progressToken"))
    return without_meta(params, meta), token


def strip(result: Result) -> bytes:
    """A result for a client of this era: without what only the stateless era has.

    Of a large result only the beginning and the end are looked at, where those members stand in
    practice; one in the midst goes out with the rest, and clients of this era ignore it.
    """
    data = result.raw.encode()
    if len(data) > _SMALL:
        if _TRACES[0] not in data[:_EDGE] and _TRACES[0] not in data[-_EDGE:]:
            return data
    elif (
        _TRACES[0] not in data
        and _TRACES[1] not in data
        and _TRACES[2] not in data
        and _TRACES[3] not in data
    ):
        return data
    elif data.startswith(_COMPLETE) and b"\\u" not in data:
        # What stateless servers write first, nearly always, and often nothing else of their era.
        rest = data[len(_COMPLETE) :]
        if not any(trace in rest for trace in _TRACES):
            return b"{" + rest
    raw = result.raw.without(*_ENVELOPE)
    meta = raw.object("_meta")
    if META_SERVER_INFO in meta:
        kept = meta.without(META_SERVER_INFO)
        raw = raw.with_members({"_meta": kept.encode()}) if len(kept) else raw.without("_meta")
    return raw.encode()


def translate(method: str, failure: Failure) -> Failure:
    """A failure with the codes of this era."""
    if failure.code != INVALID_PARAMS or method != "resources/read":
        return failure
    data: object = failure.data
    if isinstance(data, Mapping) and "uri" in data:
        return failure.replace(code=NOT_FOUND)
    return failure


def notice(notification: Notification, level: str | None, token: bytes | None) -> bytes | None:
    """A notification for the client; None when it did not ask for it."""
    method, params = notification.method, notification.params
    if method == PROGRESS:
        return None if token is None else encode_notice(method, with_token(params, token).encode())
    if method == LOG_MESSAGE and not is_heard(params, level):
        return None
    return encode_notice(method, params.encode())


def log_level(params: Raw) -> str | Failure:
    """The level `logging/setLevel` asks for."""
    level = params.get("level")
    if isinstance(level, str) and level in LOG_LEVELS:
        return level
    return invalid(f"`level` must be one of {', '.join(LOG_LEVELS)}.")


def can_answer(capabilities: Raw, method: str, params: Raw) -> ErrorObject | None:
    """None when a client with these capabilities may be asked; else the answer a server gets."""
    wanted = ASKS.get(method)
    if wanted is None or wanted not in capabilities:
        return ErrorObject(METHOD_NOT_FOUND, f"The client does not support {method[:64]}.")
    if method == "elicitation/create" and params.get("mode") == "url":
        modes = capabilities.get("elicitation")
        if not isinstance(modes, dict) or "url" not in modes:
            return ErrorObject(INVALID_PARAMS, "The client does not support URL elicitation.")
    return None


def input_requests(raw: Raw) -> dict[str, tuple[str, Raw]]:
    """What an `input_required` result asks, by key; entries that are no request are left out."""
    found: dict[str, tuple[str, Raw]] = {}
    asked = raw.object("inputRequests")
    for key in asked:
        request = asked.object(key)
        method = request.get("method")
        if isinstance(method, str):
            found[key] = (method, request.object("params"))
    return found


def input_response(answer: bytes | ErrorObject) -> bytes:
    """One member of `inputResponses`: a result as it came, an error under our private key."""
    if isinstance(answer, bytes):
        return answer
    error: dict[str, Any] = {"code": answer.code, "message": answer.message}
    if answer.data is not msgspec.UNSET:
        error["data"] = answer.data
    return encode({PRIVATE_ERROR: error})


def retry_params(params: Raw, asked: Raw, answers: Mapping[str, bytes]) -> Raw:
    """The params of the next round: the same, with the answers and the server's state."""
    members = {"inputResponses": Raw(members=dict(answers)).encode()}
    state = asked.member("requestState")
    if state is not None:
        members["requestState"] = state
    return params.without("inputResponses", "requestState").with_members(members)


def invalid(message: str) -> Failure:
    """The client's params are wrong."""
    return Failure(
        INVALID_PARAMS,
        message,
        "client",
        "invalid-params",
        remedy="See the specification of this method.",
    )
