"""Calls that wait for their client while a server of the handshake era still works on them."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.core.message import Failure, Result
from lockgate.core.raw import Raw
from lockgate.upstreams.upstream import Upstream
from tests.bridge.clients import ANSWERS, Begun, Client, Json
from tests.bridge.requirements import requirement
from tests.bridge.scripts import ELICIT
from tests.bridge.world import World, cell_world, run
from tests.support.waiting import until

LONG = 24 * 3600.0
ASK = {"name": "ask", "arguments": {"rounds": [{"a": ELICIT}]}}


async def parked(w: World, cell: str, **arguments: Any) -> tuple[Client, Begun]:
    """A client and its call, which waits for an answer."""
    client = await w.client(cell[0])
    begun = await client.call("ask", rounds=[{"a": ELICIT}], **arguments)
    assert len(begun.asked) == 1
    return client, begun


def changed(state: str, at: int) -> str:
    """The state with one character changed."""
    other = "A" if state[at] != "A" else "B"
    return state[:at] + other + state[at + 1 :]


@requirement("state-tampered")
@pytest.mark.parametrize("how", ["longer", "shorter", "first", "middle", "other", "empty"])
def test_a_changed_state_is_refused(cell: str, how: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, begun = await parked(w, cell)
            state = begun.state or ""
            if cell == "MM" and how == "middle":
                # What a server puts there it has to protect itself.
                return
            states = {
                "longer": state + "-TAMPERED",
                "shorter": state[:-2],
                "first": changed(state, 0),
                "middle": changed(state, len(state) // 2),
                "other": "made up",
                "empty": "",
            }
            done = await client.answer(begun, requestState=states[how])

            assert done.error["code"] == -32602
            assert done.status == 400 or cell == "MM"
            assert w.server.runs["ask"] == 1

    run(play())


@requirement("state-replayed")
def test_a_state_is_good_for_one_time(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, begun = await parked(w, cell)
            asked, state = dict(begun.asked), begun.state
            done = await client.answer(begun)
            assert done.said["answers"] == [{"a": ANSWERS[ELICIT[0]]}]

            begun.asked, begun.state, begun.response = asked, state, None
            again = await client.answer(begun)
            assert again.error["code"] == -32602
            assert w.server.runs["ask"] == 1

    run(play())


async def asked_as(w: World, principal: str) -> tuple[str, str]:
    """The state and the key of a call of this principal, which waits."""
    reply = await w.call("tools/call", ASK, principal=principal)
    assert isinstance(reply, Result), reply
    assert reply.kind == "input_required"
    [key] = reply.raw.object("inputRequests")
    return str(reply.raw["requestState"]), key


def answered(state: str, key: str, **changes: Any) -> Json:
    """The params of the next attempt."""
    return {**ASK, "requestState": state, "inputResponses": {key: ANSWERS[ELICIT[0]]}, **changes}


@requirement("state-foreign", "isolation-answers", cells="ML")
def test_another_principal_cannot_go_on_and_spoils_nothing(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            state, key = await asked_as(w, "ann")
            refused = await w.call("tools/call", answered(state, key), principal="bob")
            assert isinstance(refused, Failure)
            assert refused.code == -32602
            assert "ann" not in refused.message

            done = await w.call("tools/call", answered(state, key), principal="ann")
            assert isinstance(done, Result), done
            assert done.raw.object("structuredContent")["answers"]

    run(play())


@requirement("state-bound")
@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("tools/call", {"arguments": {"rounds": []}}),
        ("tools/call", {"name": "echo"}),
        ("prompts/get", {"name": "asking"}),
    ],
)
def test_a_state_is_bound_to_its_request(cell: str, method: str, changes: Json) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            state, key = await asked_as(w, "ann")
            refused = await w.call(method, answered(state, key, **changes), principal="ann")

            assert isinstance(refused, Failure)
            assert refused.code == -32602

    run(play())


@requirement("state-expired")
def test_a_state_expires(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, begun = await parked(w, cell)
            w.clock.advance(LONG)
            done = await client.answer(begun)

            assert done.error["code"] == -32602
            assert w.server.runs["ask"] == 1

    run(play())


@requirement("state-expired")
def test_the_server_of_an_expired_call_is_told(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            await parked(w, cell)
            w.clock.advance(LONG)
            for upstream in w.gateway._upstreams:
                assert isinstance(upstream, Upstream)
                handshake = upstream._connector.handshake
                assert handshake is not None
                handshake.expire()  # what a timer of real seconds does

            await w.server.happened("told to cancel")

    run(play())


@requirement("parked-limits")
def test_one_principal_cannot_take_all_the_room(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            replies = [await w.call("tools/call", ASK, principal="ann") for _ in range(300)]
            kept = [one for one in replies if isinstance(one, Result)]
            refused = [one for one in replies if isinstance(one, Failure)]

            assert refused
            assert kept
            assert {one.reason for one in refused} == {"upstream-busy"}
            # What was refused is over at the server too.
            await until(lambda: w.server.runs["ask"] >= len(replies))
            state, key = await asked_as(w, "bob")
            done = await w.call("tools/call", answered(state, key), principal="bob")
            assert isinstance(done, Result)

    run(play())


@requirement("parked-death", "ask-once", cells="LL ML")
def test_the_server_dies_while_its_client_is_asked(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, begun = await parked(w, cell)
            await w.server.die()
            done = await client.answer(begun)

            assert done.error["code"] == -32603
            assert w.server.name in done.error["message"]
            assert w.server.runs["ask"] == 1

    run(play())


@requirement("parked-death")
def test_the_server_dies_while_it_works(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            begun = Begun("tools/call", {"name": "wait", "arguments": {"gate": "g"}})
            sending = w.stack_task(client.begin(begun.method, begun.params))
            await w.server.happened("at g")
            await w.server.die()
            done = await sending

            assert done.error["code"] == -32603
            assert w.server.runs["wait"] == 1

    run(play())


@requirement("parked-death", cells="ML")
def test_the_server_forgets_the_session_while_its_client_is_asked(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, begun = await parked(w, cell)
            w.server.forget_sessions()
            done = await client.answer(begun)

            if done.response is not None:
                assert "error" in done.response
            assert w.server.runs["ask"] == 1

    run(play())


@requirement("vanish-cleanup", cells="ML")
def test_a_client_that_never_comes_back_keeps_nobody_waiting(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, _ = await parked(w, cell)
            client.close()
            other = await w.client(cell[0])
            done = await other.run("ask", rounds=[{"b": ELICIT}])

            assert done.said["answers"] == [{"b": ANSWERS[ELICIT[0]]}]

    run(play())


@requirement("cancel-not-parked")
def test_the_end_of_the_asking_stream_cancels_nothing(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client, begun = await parked(w, cell)
            assert begun.stream is not None
            begun.stream.close()
            done = await client.answer(begun)

            assert done.said["answers"] == [{"a": ANSWERS[ELICIT[0]]}]
            assert not w.server.seen("notifications/cancelled")

    run(play())


@requirement("isolation-answers")
def test_interleaved_answers_find_their_own_calls(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            clients = [await w.client(cell[0], name=f"client-{n}") for n in range(4)]
            for number, client in enumerate(clients):
                said = {"action": "accept", "content": {"name": f"n{number}"}}
                client.answers["elicitation/create"] = said
            begun = [
                await client.call("ask", rounds=[{"a": ELICIT}, {"b": ELICIT}], tag=number)
                for number, client in enumerate(clients)
            ]
            for number in (2, 0, 3, 1):
                await clients[number].answer(begun[number])
            for number in (1, 3, 0, 2):
                await clients[number].answer(begun[number])

            for number, one in enumerate(begun):
                names = [
                    next(iter(answer.values()))["content"]["name"] for answer in one.said["answers"]
                ]
                assert (one.said["tag"], names) == (number, [f"n{number}"] * 2)

    run(play())


@requirement("isolation-answers", cells="ML")
def test_two_principals_with_calls_that_wait(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            held = {name: await asked_as(w, name) for name in ("ann", "bob", "cy")}
            for name in ("cy", "ann", "bob"):
                state, key = held[name]
                said = {key: {"action": "accept", "content": {"name": name}}}
                retry = answered(state, key, inputResponses=said)
                done = await w.call("tools/call", retry, principal=name)
                assert isinstance(done, Result), done
                content = Raw(done.raw.encode()).object("structuredContent")["answers"]
                assert content == [{"a": said[key]}]

            assert len(w.server.sessions) >= 3

    run(play())
