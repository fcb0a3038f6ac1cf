"""What changes when a call crosses from one era to the other: values in, values out.

Must not know: sessions, transports, how a call is parked or repeated. Source: the two
specifications side by side; `docs/concepts/eras.md` has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final, cast

import msgspec

from lockgate.core.message import ClientFacts, Failure, Result
from lockgate.core.raw import Raw
from lockgate.wire.envelope import capabilities_key
from lockgate.wire.handshake_in import ASKS, can_answer, input_requests, input_response
from lockgate.wire.handshake_out import PRIVATE_ERROR
from lockgate.wire.jsonrpc import INVALID_PARAMS
from lockgate.wire.revisions import (
    LATEST_HANDSHAKE,
    LATEST_MODERN,
    MISSING_CAPABILITY,
    NOT_FOUND,
    URL_ELICITATION_REQUIRED,
)

TASKS: Final = "io.modelcontextprotocol/tasks"
DEFAULT_LEVEL: Final = "info"
_SESSION_ONLY: Final = ("tasks",)
_OBJECT: Final = b"{"


def handshake_client(client: ClientFacts) -> ClientFacts:
    """A stateless client as a server of the handshake era gets to know it: without extensions."""
    capabilities = client.capabilities.without("extensions")
    return client.replace(
        era="handshake",
        protocol_version=LATEST_HANDSHAKE,
        capabilities=capabilities,
        capabilities_key=capabilities_key(capabilities),
    )


def modern_client(client: ClientFacts) -> ClientFacts:
    """A handshake client as a stateless server gets to know it.

    Task support of 2025-11-25 is not the tasks extension, so it is not declared. A client that
    never set a log level hears what its server says by default; a stateless server says nothing
    unless asked, so it is asked for `info` and above.
    """
    capabilities = client.capabilities.without(*_SESSION_ONLY)
    return client.replace(
        era="modern",
        protocol_version=LATEST_MODERN,
        capabilities=capabilities,
        capabilities_key=capabilities_key(capabilities),
        log_level=client.log_level or DEFAULT_LEVEL,
    )


def with_tasks(client: ClientFacts) -> ClientFacts:
    """The client as one that can wait for tasks: the gateway waits for it."""
    extensions = client.capabilities.object("extensions").replace(**{TASKS: {}})
    return client.replace(capabilities=client.capabilities.replace(extensions=extensions))


def wants_tasks(failure: Failure) -> bool:
    """Whether a server refused because the client did not declare the tasks extension."""
    data: object = failure.data
    required = (
        cast("Mapping[str, Any]", data).get("requiredCapabilities")
        if isinstance(data, Mapping)
        else None
    )
    extensions = (
        cast("Mapping[str, Any]", required).get("extensions")
        if isinstance(required, Mapping)
        else None
    )
    return isinstance(extensions, Mapping) and TASKS in extensions


# From a server of the handshake era to a stateless client.


def modern_result(method: str, result: Result) -> Result:
    """A result of an old server without what only its era has."""
    if result.kind == "input_required":
        return Result(_without_elicitation_ids(result.raw), result.kind)
    if method == "server/discover":
        declared = result.raw.object("capabilities")
        if "tasks" in declared:
            return Result(result.raw.replace(capabilities=declared.without("tasks")))
    if method == "tools/list" and b'"execution"' in result.raw.encode():
        return Result(_each(result.raw, "tools", lambda tool: tool.without("execution")))
    return result


def modern_failure(method: str, params: Raw, failure: Failure) -> Failure | Result:
    """An error of an old server in the newest revision's terms.

    A server that says a page must be visited first becomes one that needs input: its client is
    asked, and the retry is the call made again.
    """
    if failure.code == NOT_FOUND and method == "resources/read":
        data: object = failure.data
        known: Mapping[str, Any] = (
            cast("Mapping[str, Any]", data) if isinstance(data, Mapping) else {}
        )
        uri = {"uri": params.get("uri")}
        return failure.replace(code=INVALID_PARAMS, data={**uri, **known})
    if failure.code == URL_ELICITATION_REQUIRED:
        return _visits(failure)
    return failure


class Undeclared(msgspec.Struct):
    """Questions a client cannot be asked: the answers for the server, and what it lacked."""

    answers: dict[str, bytes]
    required: dict[str, Any]


def undeclared(capabilities: Raw, raw: Raw) -> Undeclared:
    """What an old server asks that a client with `capabilities` has not declared."""
    found = Undeclared({}, {})
    for key, (method, params) in input_requests(raw).items():
        error = can_answer(capabilities, method, params)
        if error is not None:
            found.answers[key] = input_response(error)
            url = method == "elicitation/create" and params.get("mode") == "url"
            found.required[ASKS.get(method, method)] = {"url": {}} if url else {}
    return found


def missing_capability(required: Mapping[str, Any]) -> Failure:
    """The error of the newest revision for a call that needs more than its client declared."""
    return Failure(
        code=MISSING_CAPABILITY,
        message=f"This call needs a client that declares {', '.join(sorted(required))}.",
        origin="client",
        reason="missing-capability",
        data={"requiredCapabilities": dict(required)},
        remedy="Declare it in clientCapabilities, or do without this call.",
    )


def _visits(failure: Failure) -> Failure | Result:
    data: object = failure.data
    asked: object = (
        cast("Mapping[str, Any]", data).get("elicitations") if isinstance(data, Mapping) else None
    )
    if not isinstance(asked, list) or not asked:
        return failure
    requests: dict[str, Any] = {}
    for number, one in enumerate(cast("list[object]", asked), 1):
        if not isinstance(one, dict):
            return failure
        params = {k: v for k, v in cast("dict[str, Any]", one).items() if k != "elicitationId"}
        requests[f"url-{number}"] = {
            "method": "elicitation/create",
            "params": {"mode": "url", **params},
        }
    return Result(Raw.of({"inputRequests": requests}), "input_required")


def _without_elicitation_ids(raw: Raw) -> Raw:
    asked = raw.object("inputRequests")
    changed: dict[str, bytes] = {}
    for key in asked:
        request = asked.object(key)
        params = request.object("params")
        if "elicitationId" in params:
            params = params.without("elicitationId")
            changed[key] = request.with_members({"params": params.encode()}).encode()
    if not changed:
        return raw
    return raw.with_members({"inputRequests": asked.with_members(changed).encode()})


# From a stateless server to a client of the handshake era.


def handshake_result(method: str, result: Result) -> Result:
    """A result of a new server as far as the older era can carry it.

    Structured content may be any JSON value in the new era and must be an object in the old one;
    what is not is left out, its text stays. Output schemas likewise.
    """
    raw = result.raw
    if method == "tools/call" and result.kind == "complete":
        if b'"structuredContent"' in raw.encode() and not _is_object(raw, "structuredContent"):
            return Result(raw.without("structuredContent"))
    elif method == "tools/list" and b'"outputSchema"' in raw.encode():
        return Result(_each(raw, "tools", _with_object_output))
    return result


def _is_object(raw: Raw, member: str) -> bool:
    data = raw.member(member)
    return data is None or data.lstrip()[:1] == _OBJECT


def _with_object_output(tool: Raw) -> Raw:
    schema = tool.object("outputSchema")
    if "outputSchema" not in tool or schema.get("type") == "object":
        return tool
    return tool.without("outputSchema")


def refusal_in(params: Raw) -> Failure | None:
    """What a client of the old era answered with an error to, if it did so.

    The new era has no way to pass an error on as an answer, so it is the end of the call.
    """
    answers = params.object("inputResponses")
    for key in answers:
        error = answers.object(key).object(PRIVATE_ERROR)
        code: object = error.get("code")
        if isinstance(code, int):
            return Failure(
                code=code,
                message=str(error.get("message") or "The client refused to answer."),
                origin="client",
                reason="input-refused",
                data={"error": error.get("data")} if "data" in error else None,
                remedy="The server asked the client for input, and this is what it answered.",
            )
    return None


def elicitation_ids(state: object, raw: Raw) -> tuple[Raw, list[str]]:
    """What a server asks, with an id for each page to visit, and the ids given.

    The old era names such elicitations, so that their completion can be told; the new one does
    not. The name is made from the server's state and key, so that it is the same when asked again.
    """
    asked = raw.object("inputRequests")
    changed: dict[str, bytes] = {}
    given: list[str] = []
    for key in asked:
        request = asked.object(key)
        params = request.object("params")
        if params.get("mode") == "url" and "elicitationId" not in params:
            name = sha256(f"{state}\0{key}".encode()).hexdigest()[:32]
            given.append(name)
            params = params.replace(elicitationId=name)
            changed[key] = request.with_members({"params": params.encode()}).encode()
    if not changed:
        return raw, given
    return raw.with_members({"inputRequests": asked.with_members(changed).encode()}), given


# Tasks of the extension, shown as a call that waits.


class Task(msgspec.Struct):
    """A task's state, as far as whoever waits for it reads it. Times in milliseconds."""

    taskId: str  # noqa: N815 - the wire's own spelling
    status: str
    statusMessage: str | None = None  # noqa: N815 - the wire's own spelling
    pollIntervalMs: float | None = None  # noqa: N815 - the wire's own spelling


def read_task(raw: Raw) -> Task | None:
    """The task a result describes; None when it describes none."""
    try:
        return msgspec.json.decode(raw.encode(), type=Task)
    except msgspec.MsgspecError:
        return None


def task_outcome(server: str, raw: Raw) -> Result | Failure:
    """What a finished task came to: its result, or its error."""
    if "result" in raw:
        return Result(Raw(raw.object("result").encode()))
    error = raw.object("error")
    code: object = error.get("code")
    if not len(error):
        return Failure(
            code=-32603,
            message=f"The task of {server} was {raw.get('status')}.",
            origin="upstream",
            reason="task-ended",
            remedy="Whoever runs the server can say why.",
        )
    return Failure(
        code=code if isinstance(code, int) else -32603,
        message=str(error.get("message") or f"The task of {server} was {raw.get('status')}."),
        origin="upstream",
        reason="upstream-error",
        data=error.get("data"),
    )


def _each(raw: Raw, member: str, change: Callable[[Raw], Raw]) -> Raw:
    items = msgspec.json.decode(raw.member(member) or b"[]", type=list[msgspec.Raw])
    written = [change(Raw(bytes(item))).encode() for item in items]
    return raw.with_members({member: b"[" + b",".join(written) + b"]"})
