"""A call whose caller has to log in first becomes a question, and then goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.message import (
    Call,
    ClientFacts,
    Failure,
    Notification,
    Principal,
    Reply,
    Result,
    Target,
    drop,
)
from lockgate.core.raw import Raw
from lockgate.policies.login import KEY, Login
from lockgate.testing.clock import ManualClock
from lockgate.wire.seal import KeyRing
from tests.security.musts import must

URL = "https://gateway.example.com/login?ticket=sealed"
NEEDED = Failure(
    code=-32603,
    message=f"You have to log in at the server 'files' before it can be used. Open {URL}",
    origin="client",
    reason="login-required",
    data={"server": "files", "url": URL},
    remedy=f"Open {URL}, then make the call again.",
)
DONE = Result(Raw.of({"content": []}))
ACCEPTED = {KEY: {"action": "accept"}}


def client(era: Any = "modern", **elicitation: Any) -> ClientFacts:
    capabilities = Raw.of({"elicitation": elicitation} if elicitation else {})
    return ClientFacts(era=era, protocol_version="x", capabilities=capabilities)


def call(facts: ClientFacts | None = None, who: str = "ann", **params: Any) -> Call:
    return Call(
        method="tools/call",
        client=facts or client(url={}),
        params=Raw.of({"name": "read", **params}),
        principal=Principal(id=who),
        target=Target("files", "tool", "read"),
    )


class Scene:
    """The policy before a server that wants a login until there is one."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.keys = KeyRing.generate()
        self.in_: set[str] = set()
        self.seen: list[Call] = []
        policy = Login("files", self.keys, self.logged_in, wait=0.0, clock=self.clock)
        self.send = compose([policy], self.server)

    async def logged_in(self, principal: Principal, since: float, within: float) -> bool:
        del since, within
        return principal.id in self.in_

    async def server(self, call: Call) -> Reply:
        self.seen.append(call)
        return DONE if call.principal.id in self.in_ else NEEDED

    def ask(self, call: Call) -> Any:
        async def run() -> Reply:
            return await self.send(call)

        return asyncio.run(run())


def test_a_client_that_can_show_pages_is_asked_and_goes_on() -> None:
    scene = Scene()
    asked = scene.ask(call(arguments={"a": 1}))
    assert asked.kind == "input_required"
    request = asked.raw["inputRequests"][KEY]
    assert request["method"] == "elicitation/create"
    assert request["params"]["mode"] == "url"
    assert request["params"]["url"] == URL
    assert "http" not in request["params"]["message"]
    state = asked.raw["requestState"]

    # Not finished yet: asked again, and nothing was executed.
    again = scene.ask(call(arguments={"a": 1}, requestState=state, inputResponses=ACCEPTED))
    assert again.kind == "input_required"
    scene.in_.add("ann")
    done = scene.ask(call(arguments={"a": 1}, requestState=state, inputResponses=ACCEPTED))

    assert done is DONE
    assert dict(scene.seen[-1].params) == {"name": "read", "arguments": {"a": 1}}


@pytest.mark.parametrize("facts", [client(), client(form={})])
def test_others_are_told(facts: ClientFacts) -> None:
    refused = Scene().ask(call(facts))

    assert isinstance(refused, Failure)
    assert refused.reason == "login-required"
    assert URL in refused.message


def test_where_there_is_no_page_everybody_is_told() -> None:
    scene = Scene()

    async def server(call: Call) -> Reply:
        return Failure(code=1, message="m", origin="client", reason="login-required", data={})

    policy = Login("files", scene.keys, scene.logged_in)
    scene.send = compose([policy], server)
    assert isinstance(scene.ask(call()), Failure)


@pytest.mark.parametrize("action", ["decline", "cancel", "anything"])
def test_no_is_an_answer(action: str) -> None:
    scene = Scene()
    state = scene.ask(call()).raw["requestState"]
    refused = scene.ask(call(requestState=state, inputResponses={KEY: {"action": action}}))

    assert refused.reason == "login-declined"
    assert len(scene.seen) == 1


@must("elicitation-bound")
def test_a_state_belongs_to_its_caller_and_its_call() -> None:
    scene = Scene()
    scene.in_.add("bob")
    state = scene.ask(call(arguments={"a": 1})).raw["requestState"]
    foreign = [
        call(who="bob", arguments={"a": 1}),
        call(arguments={"a": 2}),
        call(arguments={"a": 1}).replace(target=Target("files", "tool", "other")),
        call(arguments={"a": 1}).replace(method="prompts/get"),
    ]
    for one in foreign:
        params = one.params.replace(requestState=state, inputResponses=ACCEPTED)
        assert scene.ask(one.replace(params=params)).reason == "unknown-request-state"
    scene.clock.advance(901)
    late = call(arguments={"a": 1}, requestState=state)
    assert scene.ask(late).reason == "unknown-request-state"


@given(st.text(max_size=40))
def test_a_state_that_was_made_up_opens_nothing(text: str) -> None:
    scene = Scene()
    scene.in_.add("ann")
    refused = scene.ask(call(requestState="lockgate-login." + text))

    assert refused.reason == "unknown-request-state"
    assert not scene.seen


def test_a_round_of_the_servers_own_is_carried_over_the_login() -> None:
    scene = Scene()
    own = {"requestState": "the-servers", "inputResponses": {"q": {"action": "accept"}}}
    state = scene.ask(call(**own)).raw["requestState"]
    assert state != "the-servers"
    scene.in_.add("ann")
    scene.ask(call(requestState=state, inputResponses=ACCEPTED))

    said = dict(scene.seen[-1].params)
    assert said["requestState"] == "the-servers"
    assert said["inputResponses"] == own["inputResponses"]


def test_a_handshake_client_learns_that_it_is_complete() -> None:
    scene = Scene()
    facts = client("handshake", url={})
    asked = scene.ask(call(facts)).raw
    name = asked["inputRequests"][KEY]["params"]["elicitationId"]
    scene.in_.add("ann")
    heard: list[Notification] = []
    back = call(facts, requestState=asked["requestState"], inputResponses=ACCEPTED)
    scene.ask(back.replace(emit=heard.append))

    assert [one.method for one in heard] == ["notifications/elicitation/complete"]
    assert heard[0].params["elicitationId"] == name
    assert drop is not None
