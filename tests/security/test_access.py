"""The rules of access over real connections: both eras on both sides, wherever a client can ask."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.model import Config
from lockgate.gateway.app import Gateway
from lockgate.identity.keys import new_key, write_keys
from tests.bridge.clients import Begun, Client
from tests.bridge.scripts import ELICIT, URI
from tests.fronts.served import run
from tests.security.musts import must
from tests.security.tenants import CELLS, NewCounting, OldCounting, Tenants, identify, tenants

each_cell = pytest.mark.parametrize("cell", CELLS)
ANN = {"id": "*#ann"}
RULES: list[Any] = [
    {"name": "basics", "allow": {"tools": ["one/echo", "one/ask", "one/value", "one/meta"]}},
    {"name": "ann", "allow": "one", "who": ANN},
    {"name": "seen only", "allow": "one/who"},
    {"name": "not for all", "deny": "one/who", "unless": ANN},
    {"name": "gone", "hide": "one/fail"},
    {"name": "own tags", "allow": "one/talk", "args": {"tag": "bob-*"}},
    {"name": "ask", "approve": ["one/value", "one/ask"]},
]
ENTRY = {"tools": {"meta": {"scopes": ["meta:read", "meta:all"]}}}


def play(test: Callable[[Tenants], Awaitable[None]], cell: str, rules: Any = RULES) -> None:
    async def bounded() -> None:
        async with tenants(cell, entry=ENTRY, access={"rules": rules}) as w:
            await test(w)

    run(bounded())


async def names(client: Client, method: str, member: str, key: str = "name") -> set[str]:
    return {one[key] for one in (await client.begin(method)).result[member]}


def same(one: Begun, other: Begun, *differ: tuple[str, str]) -> None:
    """Two errors say the same, but for the names that were asked for."""
    said = repr((one.status, one.error))
    for mine, theirs in differ:
        said = said.replace(mine, theirs)
    assert said == repr((other.status, other.error))


@each_cell
def test_everybody_is_listed_what_is_theirs(cell: str) -> None:
    async def test(w: Tenants) -> None:
        mine = await names(w.bob, "tools/list", "tools")
        assert mine == {"echo", "ask", "value", "meta", "who", "talk"}
        assert await names(w.bob, "prompts/list", "prompts") == set()
        assert await names(w.bob, "resources/list", "resources", "uri") == set()
        templates = ("resources/templates/list", "resourceTemplates", "uriTemplate")
        assert await names(w.bob, *templates) == set()
        anns = await names(w.ann, "tools/list", "tools")
        assert anns > mine
        assert "fail" not in anns
        assert await names(w.ann, "prompts/list", "prompts") == {"greet", "asking"}
        assert URI in await names(w.ann, "resources/list", "resources", "uri")
        assert await names(w.ann, *templates) == {"notes://{day}"}

    play(test, cell)


@each_cell
def test_what_is_hidden_answers_as_what_does_not_exist(cell: str) -> None:
    async def test(w: Tenants) -> None:
        before = len(w.server.received)
        argument = {"argument": {"name": "a", "value": ""}}
        for method, hidden, absent in (
            ("tools/call", {"name": "wait"}, {"name": "gait"}),
            ("tools/call", {"name": "fail"}, {"name": "fall"}),
            ("prompts/get", {"name": "greet"}, {"name": "grett"}),
            ("resources/read", {"uri": "notes://today"}, {"uri": "notes://toddy"}),
            (
                "completion/complete",
                {"ref": {"type": "ref/prompt", "name": "greet"}, **argument},
                {"ref": {"type": "ref/prompt", "name": "grett"}, **argument},
            ),
            (
                "completion/complete",
                {"ref": {"type": "ref/resource", "uri": "notes://{day}"}, **argument},
                {"ref": {"type": "ref/resource", "uri": "notes://{way}"}, **argument},
            ),
        ):
            same(
                await w.bob.begin(method, hidden),
                await w.bob.begin(method, absent),
                ("wait", "gait"),
                ("fail", "fall"),
                ("greet", "grett"),
                ("today", "toddy"),
                ("{day}", "{way}"),
            )
        asked = {method for method, *_ in w.server.received[before:]}
        assert not asked & {
            "tools/call",
            "prompts/get",
            "resources/read",
            "completion/complete",
        }
        assert (await w.ann.begin("prompts/get", {"name": "greet"})).result["messages"]
        assert (await w.ann.begin("resources/read", {"uri": URI})).result["contents"]

    play(test, cell)


@each_cell
def test_nobody_hears_of_what_is_hidden_from_them(cell: str) -> None:
    async def test(w: Tenants) -> None:
        if w.era == "M":
            stream = await w.bob.listen(uris=(URI,), resourcesListChanged=True)
            assert URI not in stream.headers["acknowledged"]
            theirs = await w.ann.listen(uris=(URI,))
            assert URI in theirs.headers["acknowledged"]
        else:
            hidden = await w.bob.begin("resources/subscribe", {"uri": URI})
            absent = await w.bob.begin("resources/subscribe", {"uri": "notes://toddy"})
            same(hidden, absent, (URI, "notes://toddy"))
            assert (await w.ann.begin("resources/subscribe", {"uri": URI})).response is not None
        assert not [one for one in w.server.seen("resources/subscribe") if one.get("uri") != URI]

    play(test, cell)


@each_cell
def test_what_is_denied_is_refused_in_words_and_never_sent(cell: str) -> None:
    async def test(w: Tenants) -> None:
        refused = await w.bob.call("who")
        assert "do not let this caller use who" in refused.error["message"]
        assert refused.status == (403 if w.era == "M" else 200)
        assert "not for all" not in repr(refused.response)
        assert (await w.ann.call("who")).result
        assert len(w.server.seen("tools/call")) == 1

    play(test, cell)


@each_cell
def test_arguments_decide_and_are_forwarded_as_they_were_judged(cell: str) -> None:
    async def test(w: Tenants) -> None:
        assert (await w.bob.call("talk", tag="bob-1")).said == {"tag": "bob-1"}
        assert "with these arguments" in (await w.bob.call("talk", tag="ann-1")).error["message"]
        assert "with these arguments" in (await w.bob.call("talk")).error["message"]
        assert (await w.ann.call("talk", tag="anything")).said == {"tag": "anything"}

    play(test, cell)


@must("insufficient-scope")
@each_cell
def test_a_call_that_lacks_scopes_is_told_all_of_them(cell: str) -> None:
    async def test(w: Tenants) -> None:
        refused = await w.bob.call("meta")
        assert refused.error["data"]["scopes"] == ["meta:all", "meta:read"]
        some = await w.client("bob:meta:read")
        # One word is one scope; what the token has is not asked for any less.
        assert (await some.call("meta")).error["data"]["scopes"] == ["meta:all", "meta:read"]
        able = await w.client("bob:meta:read meta:all")
        assert (await able.call("meta")).result
        assert len(w.server.seen("tools/call")) == 1

    play(test, cell)


@each_cell
def test_a_person_is_asked_and_a_yes_goes_on_once(cell: str) -> None:
    async def test(w: Tenants) -> None:
        begun = await w.bob.call("value", value={"n": 5})
        [question] = begun.asked.values()
        assert question["method"] == "elicitation/create"
        assert question["params"]["message"] == (
            'Is the tool value of the server one to be used? With these arguments:\nvalue: {"n":5}'
        )
        assert w.server.seen("tools/call") == []
        state, asked = begun.state, dict(begun.asked)
        assert (await w.bob.answer(begun)).said == {"n": 5}
        assert len(w.server.seen("tools/call")) == 1
        if w.era == "M":
            begun.asked, begun.response, begun.state = asked, None, state
            again = await w.bob.answer(begun)
            assert again.response is None, "an old yes is asked about anew"
            assert len(w.server.seen("tools/call")) == 1

    play(test, cell)


@each_cell
def test_a_no_is_a_refusal(cell: str) -> None:
    async def test(w: Tenants) -> None:
        for action in ("decline", "cancel"):
            w.bob.answers["elicitation/create"] = {"action": action}
            begun = await w.bob.answer(await w.bob.call("value", value=5))
            assert "did not say yes" in begun.error["message"]
        assert w.server.seen("tools/call") == []

    play(test, cell)


@each_cell
def test_a_yes_is_not_anothers(cell: str) -> None:
    async def test(w: Tenants) -> None:
        begun = await w.ann.call("value", value=5)
        if w.era == "M":
            stolen = await w.bob.answer(begun)
            assert stolen.response is None or "error" in stolen.response
        else:
            for request in begun.asked.values():
                await w.bob.deliver({"id": request["id"], "result": {"action": "accept"}})
        assert w.server.seen("tools/call") == []

    play(test, cell)


@each_cell
def test_who_cannot_be_asked_is_told_so(cell: str) -> None:
    async def test(w: Tenants) -> None:
        mute = await w.client("bob", capabilities={"sampling": {}})
        refused = await mute.call("value", value=5)
        assert "needs the approval of a person" in refused.error["message"]
        assert w.server.seen("tools/call") == []

    play(test, cell)


@each_cell
def test_a_server_that_asks_itself_is_asked_about_once(cell: str) -> None:
    async def test(w: Tenants) -> None:
        begun = await w.bob.ask(
            "tools/call",
            {"name": "ask", "arguments": {"rounds": [{"a": ELICIT}, {"b": ELICIT}], "tag": "t"}},
        )
        assert begun.said["tag"] == "t"
        assert len(begun.said["answers"]) == 2
        messages = [one["params"]["message"] for one in begun.every]
        assert len(messages) == 3
        assert messages[0].startswith("Is the tool ask of the server one to be used?")
        assert messages[1:] == ["Your name?", "Your name?"]

    play(test, cell)


def test_rules_of_a_new_configuration_hold_from_the_next_call_on() -> None:
    async def test(w: Tenants) -> None:
        assert (await w.bob.call("echo", a=1)).said == {"a": 1}
        now = w.gateway._config.model_dump(mode="json", exclude_unset=True)
        now["lockgate"]["access"] = {"rules": [{"allow": "one", "who": ANN}]}
        await w.gateway.reload(Config.model_validate(now))
        identify(w.gateway)
        assert "Unknown tool" in (await w.bob.call("echo", a=1)).error["message"]
        assert await names(w.bob, "tools/list", "tools") == set()
        assert (await w.ann.call("echo", a=2)).said == {"a": 2}

    play(test, "MM")


def test_annotations_decide_as_they_are_listed_now() -> None:
    async def test(w: Tenants) -> None:
        w.server.extra_tools = [
            {"name": "echo2", "inputSchema": {"type": "object"}},
        ]
        assert await names(w.bob, "tools/list", "tools") == {"tick"}
        assert (await w.bob.call("tick")).said == {"ran": 1}
        assert "Unknown tool" in (await w.bob.call("echo")).error["message"]

    async def bounded() -> None:
        class Hinting(NewCounting):
            def listed(self, params: Any, key: str, entries: list[Any]) -> Any:
                for one in entries:
                    if one["name"] == "tick":
                        one["annotations"] = {"readOnlyHint": True}
                return super().listed(params, key, entries)

        rules = [{"allow": "one", "annotations": {"readOnlyHint": True}}]
        async with tenants("MM", Hinting("one"), access={"rules": rules}) as w:
            await test(w)

    run(bounded())


KEY_RULES = [
    {"name": "ops", "allow": "one", "who": {"group": "ops"}},
    {"name": "all", "allow": {"tools": ["one/echo", "one/meta"]}, "who": {"authenticated": True}},
    {"name": "one key", "deny": "one/echo", "who": {"id": "key:poor"}},
]


@must("insufficient-scope")
@pytest.mark.parametrize("cell", ["LL", "MM"])
def test_rules_know_api_keys_and_ask_for_scopes_in_a_challenge(cell: str, tmp_path: Path) -> None:
    async def bounded() -> None:
        made = {
            name: new_key(name, groups=groups, scopes=scopes, now=time.time())
            for name, groups, scopes in (
                ("rich", ["ops"], ["meta:read", "meta:all"]),
                ("poor", [], ["meta:read"]),
            )
        }
        file = tmp_path / "keys.json"
        file.write_bytes(write_keys(key for _, key in made.values()))
        server = OldCounting("one") if cell == "LL" else NewCounting("one")
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(server.serving())
            settings = {
                "naming": "bare",
                "public_url": "http://127.0.0.1",
                "auth": {"keys_file": str(file)},
                "access": {"rules": KEY_RULES},
            }
            servers = {"one": {"url": server.url, **ENTRY}}
            gateway = Gateway(Config.model_validate({"servers": servers, "lockgate": settings}))
            stack.push_async_callback(gateway.stop, 0.1)
            await gateway.start()
            assert await gateway.settled(60)
            [(_, port)] = await gateway.serve_http("127.0.0.1", 0)
            clients = {
                name: await Client(port, cell[0], token=text).open()
                for name, (text, _) in made.items()
            }
            for client in clients.values():
                stack.callback(client.close)
            rich, poor = clients["rich"], clients["poor"]
            assert await names(poor, "tools/list", "tools") == {"echo", "meta"}
            assert "who" in await names(rich, "tools/list", "tools")
            assert (await rich.call("meta")).result
            assert "do not let" in (await poor.call("echo")).error["message"]
            refused = await poor.call("meta")
            assert refused.error["data"]["scopes"] == ["meta:all", "meta:read"]
            assert refused.stream is not None
            challenge = refused.stream.headers["www-authenticate"]
            assert refused.status == 403
            assert 'error="insufficient_scope"' in challenge
            assert 'scope="meta:all meta:read"' in challenge
            assert len(server.seen("tools/call")) == 1

    run(bounded())
