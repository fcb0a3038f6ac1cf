"""Calls that cross from one era to the other, against links that say what they are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from lockgate.core.message import Call, ClientFacts, Failure, Notification, Reply, Result, Target
from lockgate.core.policy import Decision
from lockgate.core.raw import Raw
from lockgate.upstreams.bridging import TASK_STATE, ToHandshake, ToModern
from lockgate.wire.bridge import TASKS

MODERN = ClientFacts(
    era="modern",
    protocol_version="2026-07-28",
    capabilities=Raw.of({"elicitation": {"form": {}, "url": {}}, "extensions": {TASKS: {}}}),
    capabilities_key="rich",
)
HANDSHAKE = ClientFacts(
    era="handshake",
    protocol_version="2025-11-25",
    capabilities=Raw.of({"elicitation": {}, "tasks": {"list": {}}}),
    capabilities_key="rich",
)


class Scripted:
    """A link that answers from a list and notes what it was asked."""

    def __init__(self, *answers: Reply | Callable[[Call], Reply]) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    async def send(self, call: Call, /) -> Reply:
        self.calls.append(call)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, Result | Failure) else answer(call)


def call(client: ClientFacts, method: str = "tools/call", **params: Any) -> Call:
    return Call(
        method=method,
        client=client,
        params=Raw.of({"name": "t", **params}),
        target=Target("s", "tool", "t"),
    )


def value(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply, Result), reply
    return json.loads(reply.raw.encode())


def run(work: Awaitable[Reply]) -> Reply:
    async def bounded() -> Reply:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(bounded())


DONE = Result(Raw.of({"content": []}))


# A stateless client, a server of the handshake era.


def test_a_stateless_client_is_introduced_without_extensions() -> None:
    link = Scripted(DONE)
    run(ToHandshake(link).send(call(MODERN)))
    facts = link.calls[0].client
    assert (facts.era, facts.protocol_version) == ("handshake", "2025-11-25")
    assert dict(facts.capabilities) == {"elicitation": {"form": {}, "url": {}}}
    assert facts.capabilities_key != MODERN.capabilities_key


def test_a_missing_resource_has_the_new_code_and_names_its_uri() -> None:
    link = Scripted(Failure(code=-32002, message="gone", origin="upstream"))
    reply = run(ToHandshake(link).send(call(MODERN, "resources/read", uri="x://y")))
    assert isinstance(reply, Failure)
    assert (reply.code, reply.data, reply.message) == (-32602, {"uri": "x://y"}, "gone")


def test_other_errors_pass_as_they_are() -> None:
    failure = Failure(code=-32002, message="odd", origin="upstream", data=[1])
    assert run(ToHandshake(Scripted(failure)).send(call(MODERN))) is failure


def test_what_only_the_old_era_has_is_left_out() -> None:
    tools = {"tools": [{"name": "t", "execution": {"taskSupport": "optional"}, "x": 1}]}
    reply = run(ToHandshake(Scripted(Result(Raw.of(tools)))).send(call(MODERN, "tools/list")))
    assert value(reply) == {"tools": [{"name": "t", "x": 1}]}
    said = {"capabilities": {"tasks": {}, "tools": {}}, "supportedVersions": ["2025-11-25"]}
    reply = run(ToHandshake(Scripted(Result(Raw.of(said)))).send(call(MODERN, "server/discover")))
    assert value(reply)["capabilities"] == {"tools": {}}
    asked = {
        "inputRequests": {
            "k": {"method": "elicitation/create", "params": {"mode": "url", "elicitationId": "1"}}
        },
        "requestState": "s",
    }
    reply = run(ToHandshake(Scripted(Result(Raw.of(asked), "input_required"))).send(call(MODERN)))
    assert value(reply)["inputRequests"]["k"]["params"] == {"mode": "url"}
    assert value(reply)["requestState"] == "s"


def asks(*methods: str) -> Result:
    requests = {f"k{i}": {"method": method, "params": {}} for i, method in enumerate(methods)}
    return Result(Raw.of({"inputRequests": requests, "requestState": "s"}), "input_required")


def test_what_a_client_has_not_declared_is_answered_in_its_place() -> None:
    link = Scripted(asks("sampling/createMessage"), DONE)
    assert run(ToHandshake(link).send(call(MODERN))) is DONE
    answers = link.calls[1].params["inputResponses"]["k0"]
    assert answers["_lockgate/error"]["code"] == -32601
    assert link.calls[1].params["requestState"] == "s"


def test_a_server_that_cannot_do_without_is_a_missing_capability() -> None:
    failed = Result(Raw.of({"isError": True, "content": []}))
    for outcome in (failed, Failure(code=-1, message="no", origin="upstream")):
        link = Scripted(asks("sampling/createMessage", "roots/list"), outcome)
        reply = run(ToHandshake(link).send(call(MODERN)))
        assert isinstance(reply, Failure)
        assert reply.code == -32021
        assert reply.data == {"requiredCapabilities": {"sampling": {}, "roots": {}}}


def test_what_a_client_has_declared_is_asked_of_it_alone() -> None:
    link = Scripted(
        asks("sampling/createMessage", "elicitation/create"), asks("elicitation/create")
    )
    reply = run(ToHandshake(link).send(call(MODERN)))
    assert isinstance(reply, Result)
    assert reply.kind == "input_required"
    assert set(link.calls[1].params["inputResponses"]) == {"k0"}


def test_a_page_to_visit_first_becomes_a_question_and_the_retry_the_call_made_again() -> None:
    required = Failure(
        code=-32042,
        message="visit",
        origin="upstream",
        data={"elicitations": [{"elicitationId": "7", "url": "https://a", "message": "m"}]},
    )
    link = Scripted(required, DONE)
    bridge = ToHandshake(link)
    reply = run(bridge.send(call(MODERN)))
    assert isinstance(reply, Result)
    assert reply.kind == "input_required"
    (key,) = value(reply)["inputRequests"]
    assert value(reply)["inputRequests"][key] == {
        "method": "elicitation/create",
        "params": {"mode": "url", "url": "https://a", "message": "m"},
    }
    accepted = call(MODERN, inputResponses={key: {"action": "accept"}})
    assert run(bridge.send(accepted)) is DONE
    declined = run(bridge.send(call(MODERN, inputResponses={key: {"action": "decline"}})))
    assert isinstance(declined, Failure)
    assert declined.reason == "elicitation-declined"
    assert len(link.calls) == 2


def test_an_error_that_only_looks_like_pages_to_visit_passes() -> None:
    for data in (None, {}, {"elicitations": []}, {"elicitations": [1]}, {"elicitations": "x"}):
        failure = Failure(code=-32042, message="visit", origin="upstream", data=data)
        assert run(ToHandshake(Scripted(failure)).send(call(MODERN))) is failure


def test_every_translation_is_recorded() -> None:
    seen: list[tuple[str, str | None]] = []

    def observe(_: Call, decision: Decision) -> None:
        seen.append((decision.policy, decision.reason))

    run(ToHandshake(Scripted(DONE), observe).send(call(MODERN)))
    run(ToModern(Scripted(DONE), observe).send(call(HANDSHAKE)))
    assert seen == [
        ("bridge", "modern client, handshake server"),
        ("bridge", "handshake client, modern server"),
    ]


# A client of the handshake era, a stateless server.


def test_what_a_session_holds_is_stamped_on_every_request() -> None:
    link = Scripted(DONE, DONE)
    bridge = ToModern(link)
    run(bridge.send(call(HANDSHAKE)))
    facts = link.calls[0].client
    assert (facts.era, facts.protocol_version, facts.log_level) == (
        "modern",
        "2026-07-28",
        "info",
    )
    assert dict(facts.capabilities) == {"elicitation": {}}


def test_session_methods_are_done_without_the_server() -> None:
    link = Scripted()
    for method in ("logging/setLevel", "notifications/roots/list_changed"):
        assert isinstance(run(ToModern(link).send(call(HANDSHAKE, method))), Result)
    assert link.calls == []


def test_structured_content_that_is_no_object_leaves_its_text() -> None:
    said = {"content": [{"type": "text", "text": "[1]"}], "structuredContent": [1]}
    reply = run(ToModern(Scripted(Result(Raw.of(said)))).send(call(HANDSHAKE)))
    assert value(reply) == {"content": said["content"]}
    said["structuredContent"] = {"a": 1}  # pyright: ignore[reportArgumentType] - any JSON
    kept = Result(Raw.of(said))
    assert run(ToModern(Scripted(kept)).send(call(HANDSHAKE))) is kept


def test_output_schemas_that_are_no_object_are_left_out_of_lists() -> None:
    tools = {
        "tools": [
            {"name": "a", "outputSchema": {"type": "array"}},
            {"name": "b", "outputSchema": {"type": "object"}},
        ]
    }
    reply = run(ToModern(Scripted(Result(Raw.of(tools)))).send(call(HANDSHAKE, "tools/list")))
    assert value(reply)["tools"] == [{"name": "a"}, tools["tools"][1]]


def test_pages_to_visit_get_a_name_and_their_completion_is_told() -> None:
    asked = {
        "inputRequests": {"k": {"method": "elicitation/create", "params": {"mode": "url"}}},
        "requestState": "s",
    }
    link = Scripted(Result(Raw.of(asked), "input_required"), DONE)
    bridge = ToModern(link)
    first = value(run(bridge.send(call(HANDSHAKE))))
    name = first["inputRequests"]["k"]["params"]["elicitationId"]
    heard: list[Notification] = []
    retry = call(HANDSHAKE, requestState="s", inputResponses={"k": {"action": "accept"}})
    assert run(bridge.send(retry.replace(emit=heard.append))) is DONE
    assert [(n.method, dict(n.params)) for n in heard] == [
        ("notifications/elicitation/complete", {"elicitationId": name})
    ]


def task(status: str, kind: str = "complete", **more: Any) -> Result:
    raw = {"taskId": "7", "status": status, "pollIntervalMs": 10, "resultType": kind, **more}
    return Result(Raw.of(raw), "task" if kind == "task" else "complete")


NEEDS_TASKS = Failure(
    code=-32021,
    message="tasks only",
    origin="upstream",
    data={"requiredCapabilities": {"extensions": {TASKS: {}}}},
)


def test_a_task_is_a_call_that_waits() -> None:
    link = Scripted(
        NEEDS_TASKS,
        task("working", "task"),
        task("working", statusMessage="half"),
        task("completed", result={"content": [{"type": "text", "text": "done"}]}),
    )
    heard: list[Notification] = []
    reply = run(
        ToModern(link).send(call(HANDSHAKE).replace(emit=heard.append, wants_progress=True))
    )
    assert value(reply)["content"][0]["text"] == "done"
    assert [one.method for one in link.calls] == [
        "tools/call",
        "tools/call",
        "tasks/get",
        "tasks/get",
    ]
    assert TASKS in link.calls[1].client.capabilities["extensions"]
    assert link.calls[2].target == Target("s", "task", "7")
    assert [dict(n.params) for n in heard] == [{"progress": 1, "message": "half"}]


def test_a_task_that_fails_is_a_call_that_fails() -> None:
    link = Scripted(task("working", "task"), task("failed", error={"code": -5, "message": "no"}))
    reply = run(ToModern(link).send(call(HANDSHAKE)))
    assert isinstance(reply, Failure)
    assert (reply.code, reply.message) == (-5, "no")


def test_a_task_that_asks_is_answered_and_waited_for() -> None:
    question = {"k": {"method": "elicitation/create", "params": {"message": "?"}}}
    link = Scripted(
        task("working", "task"),
        task("input_required", inputRequests=question),
        Result(Raw()),
        task("completed", result={"content": []}),
    )
    bridge = ToModern(link)
    asked = run(bridge.send(call(HANDSHAKE)))
    assert isinstance(asked, Result)
    assert asked.kind == "input_required"
    assert value(asked) == {"inputRequests": question, "requestState": f"{TASK_STATE}7"}
    answers = {"k": {"action": "accept", "content": {}}}
    retry = call(HANDSHAKE, requestState=f"{TASK_STATE}7", inputResponses=answers)
    assert value(run(bridge.send(retry))) == {"content": []}
    assert link.calls[2].method == "tasks/update"
    assert dict(link.calls[2].params) == {"taskId": "7", "inputResponses": answers}


def test_a_cancelled_wait_cancels_the_task() -> None:
    async def test() -> None:
        waiting = asyncio.Event()

        def slow(_: Call) -> Reply:
            waiting.set()
            return task("working", pollIntervalMs=60_000)

        link = Scripted(task("working", "task"), slow, Result(Raw()))
        running = asyncio.ensure_future(ToModern(link).send(call(HANDSHAKE)))
        await waiting.wait()
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert link.calls[-1].method == "tasks/cancel"

    asyncio.run(test())
