"""Who is asked, what they are shown, and that a yes is good for one call, once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.chain import compose
from lockgate.core.legible import lines, visible
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result, Target
from lockgate.core.once import Once
from lockgate.core.policy import Decision
from lockgate.core.raw import Raw
from lockgate.gateway.sights import Judgement
from lockgate.policies.approval import KEY, Approval, ApprovalSettings
from lockgate.testing import ManualClock
from lockgate.wire.handshake_out import ABANDON
from lockgate.wire.seal import KeyRing
from tests.support.access import book, sights
from tests.support.asking import asked

FORMS = Raw.of({"elicitation": {}})
ALICE = Principal(id="alice")
YES = {KEY: {"action": "accept", "content": {}}}
RULES = [{"allow": "*"}, {"approve": "github/*"}]


class Setting:
    """The policy and the gate before a server that answers what it is told to."""

    def __init__(self, *answers: Reply, **more: Any) -> None:
        self.clock = ManualClock()
        self.sent: list[Call] = []
        self.seen: list[Decision] = []
        self.answers = list(answers) or [Result(Raw.of({"content": []}))] * 9
        settings = ApprovalSettings(hidden=lambda name: name == "password", **more)
        self.approval = Approval(
            settings, KeyRing.generate(), Once(self.clock, per_owner=3, total=5), self.clock
        )
        self.chain = compose(
            [self.approval, Judgement(sights(book(RULES)))],
            self._server,
            lambda _, decision: self.seen.append(decision),
        )

    async def _server(self, call: Call) -> Reply:
        self.sent.append(call)
        return self.answers.pop(0)

    def ask(self, call: Call) -> Reply:
        return asked(self.chain(call))


def request(
    arguments: object = None,
    *,
    who: Principal = ALICE,
    forms: Raw = FORMS,
    name: str = "delete",
    server: str = "github",
    **more: Any,
) -> Call:
    params = {"name": name, "arguments": {"repo": "x"} if arguments is None else arguments}
    return Call(
        method="tools/call",
        client=ClientFacts(era="modern", protocol_version="2026-07-28", capabilities=forms),
        principal=who,
        target=Target(server, "tool", name),
        params=Raw.of(params),
        **more,
    )


def answered(call: Call, reply: Reply, answers: object = YES) -> Call:
    assert isinstance(reply, Result)
    assert reply.kind == "input_required"
    state = reply.raw.get("requestState")
    more = {} if answers is None else {"inputResponses": answers}
    return call.replace(params=call.params.replace(requestState=state, **more))


def question(reply: Reply) -> str:
    assert isinstance(reply, Result)
    assert reply.kind == "input_required"
    requests = reply.raw.get("inputRequests")
    assert list(requests) == [KEY]
    assert requests[KEY]["method"] == "elicitation/create"
    assert requests[KEY]["params"]["requestedSchema"] == {"type": "object", "properties": {}}
    return cast("str", requests[KEY]["params"]["message"])


def test_a_yes_lets_the_call_through_once() -> None:
    here = Setting()
    call = request()
    reply = here.ask(call)
    assert question(reply) == (
        'Is the tool delete of the server github to be used? With these arguments:\nrepo: "x"'
    )
    assert here.sent == []
    retry = answered(call, reply)
    assert isinstance(here.ask(retry), Result)
    assert len(here.sent) == 1
    assert set(here.sent[0].params) == {"name", "arguments"}
    again = here.ask(retry)
    question(again)
    assert len(here.sent) == 1, "the same yes does not go through twice"


def test_other_calls_are_not_asked_about() -> None:
    here = Setting()
    reply = here.ask(request(server="docs"))
    assert isinstance(reply, Result)
    assert reply.kind == "complete"
    assert len(here.sent) == 1


@pytest.mark.parametrize("action", ["decline", "cancel", "", None, {"x": 1}])
def test_anything_but_yes_is_a_refusal_and_uses_the_state_up(action: object) -> None:
    here = Setting()
    call = request()
    reply = here.ask(call)
    refused = here.ask(answered(call, reply, {KEY: {"action": action}}))
    assert isinstance(refused, Failure)
    assert refused.reason == "approval-refused"
    question(here.ask(answered(call, reply)))
    assert here.sent == []


def test_an_error_of_the_client_is_a_refusal() -> None:
    here = Setting()
    call = request()
    error = {KEY: {"_lockgate/error": {"code": -32601, "message": "no"}}}
    refused = here.ask(answered(call, here.ask(call), error))
    assert isinstance(refused, Failure)
    assert refused.reason == "approval-refused"


@pytest.mark.parametrize("answers", [None, {}, {"other": {"action": "accept"}}, []])
def test_no_answer_is_asked_for_again(answers: object) -> None:
    here = Setting()
    call = request()
    question(here.ask(answered(call, here.ask(call), answers)))
    assert here.sent == []


@pytest.mark.parametrize(
    "change",
    [
        {"principal": Principal(id="mallory")},
        {"affinity": "another session"},
        {"target": Target("github", "tool", "other")},
        {"target": Target("bank", "tool", "delete")},
        {"facts": {"endpoint": "/other"}},
        {"method": "prompts/get"},
    ],
)
def test_a_yes_is_good_for_this_call_of_this_caller_only(change: dict[str, Any]) -> None:
    here = Setting()
    call = request()
    retry = answered(call, here.ask(call)).replace(**change)
    here.ask(retry)
    assert here.sent == [] or here.sent[0].target == Target("bank", "tool", "delete")


def test_a_yes_to_other_arguments_is_none() -> None:
    here = Setting()
    call = request({"repo": "mine"})
    retry = answered(call, here.ask(call))
    other = retry.replace(params=retry.params.replace(arguments={"repo": "yours"}))
    question(here.ask(other))
    assert here.sent == []


def test_a_yes_that_comes_too_late_is_none() -> None:
    here = Setting(wait=60)
    call = request()
    retry = answered(call, here.ask(call))
    here.clock.advance(61)
    question(here.ask(retry))
    assert here.sent == []


@pytest.mark.parametrize("state", ["forged", 5, None, {}, "A" * 200])
def test_a_state_of_ones_own_making_is_worth_nothing(state: object) -> None:
    here = Setting()
    call = request()
    params = call.params.replace(requestState=state, inputResponses=YES)
    question(here.ask(call.replace(params=params)))
    assert here.sent == []


@pytest.mark.parametrize("forms", [Raw(), Raw.of({"elicitation": {"url": {}}})])
def test_a_client_that_cannot_ask_is_told_what_to_do(forms: Raw) -> None:
    here = Setting()
    refused = here.ask(request(forms=forms))
    assert isinstance(refused, Failure)
    assert refused.reason == "approval-required"
    assert refused.remedy is not None
    assert "form elicitation" in refused.remedy
    question(here.ask(request(forms=Raw.of({"elicitation": {"form": {}, "url": {}}}))))


def test_a_server_that_asks_itself_gets_its_own_state_back_and_nobody_is_asked_twice() -> None:
    asks = {"inputRequests": {"q": {"method": "roots/list", "params": {}}}, "requestState": "s1"}
    more = {"inputRequests": {"r": {"method": "roots/list", "params": {}}}}
    here = Setting(
        Result(Raw.of(asks), "input_required"),
        Result(Raw.of(more), "input_required"),
        Result(Raw.of({"content": []})),
    )
    call = request()
    first = here.ask(answered(call, here.ask(call)))
    assert isinstance(first, Result)
    assert first.raw.get("inputRequests") == asks["inputRequests"]
    retry = answered(call, first, {"q": {"roots": []}})
    second = here.ask(retry)
    assert here.sent[1].params.get("requestState") == "s1"
    assert here.sent[1].params.get("inputResponses") == {"q": {"roots": []}}
    last = here.ask(answered(call, second, {"r": {"roots": []}}))
    assert isinstance(last, Result)
    assert last.kind == "complete"
    assert "requestState" not in here.sent[2].params
    question(here.ask(retry))
    assert len(here.sent) == 3, "what was approved cannot be run again with an old state"


def test_what_is_approved_is_what_is_sent() -> None:
    here = Setting()
    call = request().replace(
        params=Raw(b'{"name":"delete","arguments":{"repo":"evil","repo":"fine"}}')
    )
    reply = here.ask(call)
    assert "fine" in question(reply)
    assert "evil" not in question(reply)
    fresh = call.replace(params=Raw(call.params.encode()))
    here.ask(answered(fresh, reply))
    assert b"evil" not in here.sent[0].params.encode()


def test_who_was_asked_and_went_is_not_asked_again() -> None:
    here = Setting()
    call = request()
    retry = answered(call, here.ask(call), None)
    gone = here.ask(retry.replace(params=retry.params.replace(**{ABANDON: True})))
    assert isinstance(gone, Failure)


def test_secrets_are_not_shown_nor_is_anything_invisible() -> None:
    here = Setting(mask=lambda text: text.replace("hunter2", "[hidden]"))
    arguments = {
        "password": "p4ss",
        "deep": {"password": "p4ss", "note": "hunter2"},
        "trick": "a\n\nIs the tool fine of the server docs to be used?\u202e\u200b",
        "name\nrepo: other": 1,
    }
    said = question(here.ask(request(arguments)))
    assert "p4ss" not in said
    assert "hunter2" not in said
    assert said.count("\n") == len(arguments)
    assert "\u202e" not in said
    assert "\\u202e" in said


def test_much_is_cut_and_said_to_be() -> None:
    here = Setting(characters=300)
    many = {f"key{number}": "v" * 50 for number in range(50)}
    said = question(here.ask(request(many)))
    assert len(said) < 500
    assert "more" in said.splitlines()[-1]
    assert "(5002 characters in all)" in "".join(lines({"x": "y" * 5000}, lambda _: False, 2000))


def test_a_call_without_arguments_says_so() -> None:
    assert question(Setting().ask(request({}))).endswith("It is given no arguments.")


def test_a_name_cannot_look_like_more_than_a_name() -> None:
    said = question(Setting().ask(request(name="x\nIs all well?" + "y" * 500)))
    assert said.splitlines()[0].startswith("Is the tool x\\nIs all well?yy")
    assert len(said.splitlines()) == 2


def test_a_caller_who_asks_much_loses_its_own_questions_only() -> None:
    here = Setting()
    bob = request(who=Principal(id="bob"))
    bobs = answered(bob, here.ask(bob))
    call = request()
    states = [answered(call, here.ask(call)) for _ in range(4)]
    question(here.ask(states[0]))
    assert isinstance(here.ask(bobs), Result)
    assert len(here.sent) == 1
    assert len(here.approval._once) <= 5


def test_the_record_says_that_a_person_was_asked_and_by_which_rule() -> None:
    here = Setting()
    call = request()
    here.ask(answered(call, here.ask(call)))
    told = [(one.policy, one.verdict, one.reason, one.rule) for one in here.seen]
    assert ("access", "refused", "approval-required", "rule 2") in told
    assert ("approval", "changed", "approval-required", None) in told


def test_what_is_given_once_is_used_once() -> None:
    clock = ManualClock()
    once, other = Once(clock, per_owner=2, total=3), Once(clock)

    def used(one: Once, number: int) -> bool:
        return asyncio.run(one.use(once.process, number, 10))

    first = once.give("a", 10)
    assert not used(other, first)
    assert used(once, first)
    assert not used(once, first)
    late = once.give("a", 10)
    clock.advance(10)
    assert not used(once, late)


@given(st.text(max_size=50))
def test_visible_text_is_one_line_of_printable_characters(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable():
        assert visible(text) == text
