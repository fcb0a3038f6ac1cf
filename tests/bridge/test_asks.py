"""What a server asks while it works on a call, in every cell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bridge.clients import ANSWERS, Json
from tests.bridge.modern_server import NewServer
from tests.bridge.requirements import requirement
from tests.bridge.scripted_http import Sse
from tests.bridge.scripts import ELICIT, FORM, ROOTS, SAMPLE
from tests.bridge.world import cell_world, run, world
from tests.support.waiting import until

KINDS = {"elicitation": ELICIT, "sampling": SAMPLE, "roots": ROOTS}


@requirement("ask-elicitation", "ask-sampling", "ask-roots")
@pytest.mark.parametrize("kind", KINDS)
def test_a_question_and_its_answer_cross(cell: str, kind: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            method, params = KINDS[kind]
            done = await client.run("ask", rounds=[{"one": KINDS[kind]}])

            assert [(one["method"], one.get("params", {})) for one in done.every] == [
                (method, params)
            ]
            assert done.said["answers"] == [{"one": ANSWERS[str(method)]}]

    run(play())


@requirement("ask-prompt", "ask-resource")
@pytest.mark.parametrize(
    ("method", "params"),
    [("prompts/get", {"name": "asking"}), ("resources/read", {"uri": "notes://asking"})],
)
def test_prompts_and_resources_may_ask(cell: str, method: str, params: Json) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.ask(method, params)

            assert [one["method"] for one in done.every] == ["elicitation/create"]
            said = json.dumps(done.result)
            assert "Ada" in said

    run(play())


@requirement("ask-mixed")
def test_one_after_another_in_one_call(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            rounds = [{"a": ELICIT}, {"b": SAMPLE}, {"c": ROOTS}]
            done = await client.run("ask", rounds=rounds)

            kinds = ["elicitation/create", "sampling/createMessage", "roots/list"]
            assert [one["method"] for one in done.every] == kinds
            given = [{key: ANSWERS[kind]} for key, kind in zip("abc", kinds, strict=True)]
            assert done.said["answers"] == given

    run(play())


@requirement("ask-concurrent", "ask-mixed", "ask-keys")
def test_what_is_asked_at_once_arrives_at_once(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            at_once = {"a": ELICIT, "b": SAMPLE, "c": ROOTS, "d": ELICIT}
            begun = await client.call("ask", rounds=[at_once], asks=4)

            assert len(begun.asked) == 4
            done = await client.answer(begun)
            [answers] = done.said["answers"]
            assert answers == {key: ANSWERS[str(one[0])] for key, one in at_once.items()}

    run(play())


@requirement("ask-rounds", "ask-once")
def test_ten_rounds_in_one_run(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.run("ask", rounds=[{f"r{n}": ELICIT} for n in range(10)])

            assert len(done.every) == 10
            assert len(done.said["answers"]) == 10
            assert w.server.runs["ask"] == 1

    run(play())


@requirement("ask-rounds-bounded")
def test_a_server_that_never_stops_asking(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await client.run("ask", rounds=[{f"r{n}": ELICIT} for n in range(15)])

            assert done.error["code"] == -32603
            assert "asked" in done.error["message"]

    run(play())


@requirement("ask-missing")
def test_an_answer_left_out_is_asked_for_again(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = await client.call("ask", rounds=[{"a": ELICIT, "b": SAMPLE}], asks=2)
            first = {key: one["method"] for key, one in begun.asked.items()}
            given = {key: ANSWERS[method] for key, method in first.items() if method == ELICIT[0]}
            await client.answer(begun, inputResponses=given)

            assert SAMPLE[0] in [one["method"] for one in begun.asked.values()]
            begun.asked = {**begun.asked}
            done = await client.answer(
                begun,
                inputResponses={
                    **{k: ANSWERS[m] for k, m in first.items()},
                    **{k: ANSWERS[one["method"]] for k, one in begun.asked.items()},
                },
            )
            assert done.said["answers"] == [{"a": ANSWERS[ELICIT[0]], "b": ANSWERS[SAMPLE[0]]}]

    run(play())


@requirement("ask-unknown")
def test_answers_nobody_asked_for_are_ignored(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = await client.call("ask", rounds=[{"a": ELICIT}])
            [key] = begun.asked
            strange = {key: ANSWERS[ELICIT[0]], "made-up": {"roots": []}}
            done = await client.answer(begun, inputResponses=strange)

            assert done.said["answers"] == [{"a": ANSWERS[ELICIT[0]]}]

    run(play())


@requirement("ask-stray")
def test_answers_without_a_state_begin_anew(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            params = {"name": "ask", "arguments": {"rounds": [{"a": ELICIT}]}}
            stray = {"inputResponses": {"a": ANSWERS[ELICIT[0]]}}
            begun = await client.begin("tools/call", {**params, **stray})

            assert len(begun.asked) == 1
            [sent] = [one for one in w.server.seen("tools/call") if one["name"] == "ask"]
            assert "inputResponses" not in sent
            assert "requestState" not in sent

    run(play())


@requirement("ask-state-only")
def test_a_server_that_only_wants_to_be_called_again(cell: str) -> None:
    class Shy(NewServer):
        """Answers the first two attempts with a state alone."""

        async def _result(
            self, method: str, params: Json, headers: dict[str, str], stream: Sse
        ) -> Json:
            tries = self.runs["tries"]
            if method == "tools/call" and tries < 2:
                self.runs["tries"] += 1
                return {"resultType": "input_required", "requestState": f"{tries}"}
            if method == "tools/call":
                assert params.pop("requestState") == "1"
            return await super()._result(method, params, headers, stream)

    async def play() -> None:
        async with world(Shy()) as w:
            client = await w.client(cell[0])
            done = await client.run("echo", text="x")

            assert done.said == {"text": "x"}
            assert done.every == []

    run(play())


@requirement("ask-fresh-id")
def test_every_attempt_has_an_id_of_its_own_and_the_state_as_it_was(cell: str) -> None:
    class Keeping(NewServer):
        """Remembers the ids of requests."""

        async def _answer(self, message: Json, headers: dict[str, str], stream: Sse) -> None:
            self.runs[f"id {message['id']!r}"] += 1
            await super()._answer(message, headers, stream)

    async def play() -> None:
        async with world(Keeping()) as w:
            client = await w.client(cell[0])
            done = await client.run("ask", rounds=[{"a": ELICIT}, {"b": SAMPLE}])

            assert len(done.said["answers"]) == 2
            sent = [one for one in w.server.seen("tools/call") if one["name"] == "ask"]
            states = [one.get("requestState") for one in sent]
            assert states[0] is None
            assert states[1] == "newé [] ~"
            assert len(states) == 3
            ids = [count for name, count in w.server.runs.items() if name.startswith("id ")]
            assert set(ids) == {1}

    run(play())


@requirement("ask-declined")
@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_no_is_an_answer(cell: str, action: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            client.answers["elicitation/create"] = {"action": action}
            done = await client.run("ask", rounds=[{"a": ELICIT}])

            assert done.said["answers"] == [{"a": {"action": action}}]

    run(play())


ERROR = {"error": {"code": -1, "message": "User rejected sampling", "data": {"why": [1]}}}


@requirement("ask-error")
def test_an_error_of_the_client_is_the_servers_answer(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            client.answers["sampling/createMessage"] = ERROR
            done = await client.run("ask", rounds=[{"a": SAMPLE}])

            assert done.said["answers"] == [{"a": ERROR}]

    run(play())


@requirement("ask-error-typed")
def test_an_error_of_the_client_ends_the_call(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            client.answers["sampling/createMessage"] = ERROR
            done = await client.run("ask", rounds=[{"a": SAMPLE}])

            assert done.error["code"] in (-1, -32603)
            assert len(done.every) == 1
            passed = [one.get("inputResponses", {}) for one in w.server.seen("tools/call")]
            assert not any("error" in json.dumps(one) for one in passed)

    run(play())


@requirement("ask-undeclared", "refused-typed")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_declared_is_not_asked(cell: str, kind: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0], capabilities={})
            done = await client.run("ask", rounds=[{"a": KINDS[kind]}], strict=True)

            assert done.every == []
            assert kind in json.dumps(done.error)
            if cell[0] == "M":
                assert done.error["code"] == -32021
                assert kind in done.error["data"]["requiredCapabilities"]
                assert done.status == 400

    run(play())


@requirement("ask-undeclared", cells="LL ML")
def test_a_server_that_makes_do_without_an_answer_goes_on(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0], capabilities={"roots": {}})
            arguments = {"rounds": [{"a": ELICIT, "b": ROOTS}]}
            params = {"name": "ask", "arguments": arguments}
            done = await client.ask("tools/call", params, asks=(1,))

            assert [one["method"] for one in done.every] == ["roots/list"]
            [answers] = done.said["answers"]
            assert answers["b"] == ANSWERS["roots/list"]
            assert answers["a"]["error"]["code"] == -32601

    run(play())


@requirement("ask-no-stream", "refused-typed")
def test_a_client_that_takes_no_stream_cannot_be_asked(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            params = {"name": "ask", "arguments": {"rounds": [{"a": ELICIT}]}}
            only = {"Accept": "application/json"}
            done = await client.begin("tools/call", params, headers=only)

            if done.status == 406:
                return
            assert "error" in json.dumps(done.response)

    run(play())


@requirement("ask-outside")
def test_a_question_outside_of_calls_reaches_the_get_stream(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            stream = await client.listen()
            await until(
                lambda: any(s.streams for s in w.server.sessions.values() if own(s, client))
            )
            [session] = [s for s in w.server.sessions.values() if own(s, client)]
            asking = w.server.spawn_ask(session, {"a": ("elicitation/create", FORM)})
            asked = await stream.next()
            assert asked is not None
            assert (asked["method"], asked["params"]) == ("elicitation/create", FORM)
            await client.deliver({"id": asked["id"], "result": ANSWERS["elicitation/create"]})

            assert await asking == {"a": ANSWERS["elicitation/create"]}

    run(play())


def own(session: Any, client: Any) -> bool:
    """Whether a server's session is the one for this client."""
    return session.opened["clientInfo"]["name"] == client.name


@requirement("ask-outside-refused")
def test_a_question_outside_of_calls_is_refused_to_the_server(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockgate.upstreams.questions.PATIENCE", 0.5)

    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            await client.listen(toolsListChanged=True)
            await until(lambda: any(s.streams for s in w.server.sessions.values()))
            session = next(s for s in w.server.sessions.values() if s.streams)
            answers = await w.server.spawn_ask(session, {"a": ("elicitation/create", FORM)})

            assert answers["a"]["error"]["code"] in (-32601, -32603)

    run(play())
