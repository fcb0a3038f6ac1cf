"""Where each method goes, under which names, and what happens to what goes nowhere."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result, Target
from lockgate.core.names import Naming
from lockgate.core.raw import Raw
from lockgate.gateway.resources import matches
from lockgate.testing import ScriptedServer
from tests.gateway.test_catalog import DOWN, run
from tests.gateway.world import HANDSHAKE, MODERN, World, tool
from tests.support.waiting import until


def value(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply, Result), reply
    return json.loads(reply.raw.encode())


def failure(reply: Reply) -> Failure:
    assert isinstance(reply, Failure), reply
    return reply


def two(naming: Naming = "prefix") -> World:
    return World(
        [
            ScriptedServer(
                "a",
                tools=[tool("t"), tool("only.a")],
                prompts=[{"name": "p"}],
                resources=[{"uri": "file:///a"}, {"uri": "file:///both"}],
                templates=[{"uriTemplate": "db://{table}/row", "name": "row"}],
            ),
            ScriptedServer(
                "b",
                tools=[tool("t")],
                prompts=[{"name": "p"}],
                resources=[{"uri": "file:///b"}, {"uri": "file:///both"}],
                templates=[{"uriTemplate": "log://{+path}", "name": "log"}],
            ),
        ],
        naming,
    )


@pytest.mark.parametrize(
    ("method", "params", "server", "sent"),
    [
        ("tools/call", {"name": "a__t", "arguments": {"x": 1}}, "a", {"name": "t"}),
        ("tools/call", {"name": "b__t"}, "b", {"name": "t"}),
        ("tools/call", {"name": "a__only_a"}, "a", {"name": "only.a"}),
        ("prompts/get", {"name": "b__p", "arguments": {}}, "b", {"name": "p"}),
        ("resources/read", {"uri": "file:///b"}, "b", {"uri": "file:///b"}),
        ("resources/read", {"uri": "lockgate://b/file:///both"}, "b", {"uri": "file:///both"}),
        ("resources/read", {"uri": "db://users/row"}, "a", {"uri": "db://users/row"}),
        ("resources/read", {"uri": "log://x/y/z"}, "b", {"uri": "log://x/y/z"}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "b__p"}, "argument": {}},
            "b",
            {"ref": {"type": "ref/prompt", "name": "p"}},
        ),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "log://{+path}"}, "argument": {}},
            "b",
            {"ref": {"type": "ref/resource", "uri": "log://{+path}"}},
        ),
        ("tasks/get", {"taskId": "b.7"}, "b", {"taskId": "7"}),
    ],
)
def test_calls_reach_their_server_in_its_own_words(
    method: str, params: dict[str, Any], server: str, sent: dict[str, Any]
) -> None:
    async def test() -> None:
        reply = value(await two().ask(method, **params, unknown={"kept": True}))
        assert reply["from"] == server
        assert reply["params"] == {**params, **sent, "unknown": {"kept": True}}

    run(test)


@pytest.mark.parametrize(
    ("method", "params", "reason", "hint"),
    [
        ("tools/call", {"name": "a__tt"}, "unknown-tool", "a__t"),
        ("tools/call", {"name": "t"}, "unknown-tool", ""),
        ("tools/call", {}, "invalid-params", ""),
        ("tools/call", {"name": 5}, "invalid-params", ""),
        ("prompts/get", {"name": "zz"}, "unknown-prompt", "prompts/list"),
        ("resources/read", {"uri": "file:///both"}, "name-collision", "lockgate://b/file:///both"),
        ("resources/read", {}, "invalid-params", ""),
        ("completion/complete", {"ref": {"type": "ref/other"}}, "invalid-params", ""),
        ("tasks/get", {"taskId": "c.7"}, "invalid-params", ""),
        ("tasks/get", {}, "invalid-params", ""),
    ],
)
def test_what_leads_nowhere_is_refused_with_a_way_on(
    method: str, params: dict[str, Any], reason: str, hint: str
) -> None:
    async def test() -> None:
        world = two()
        refused = failure(await world.ask(method, **params))
        assert refused.code == -32602
        assert refused.reason == reason
        assert hint in str(refused.remedy)
        assert all(method not in {c.method for c in server.calls} for server in world.servers)

    run(test)


def test_a_name_that_collides_is_refused_at_the_call_too() -> None:
    async def test() -> None:
        world = two("bare")
        refused = failure(await world.ask("tools/call", name="t"))
        assert refused.reason == "name-collision"
        assert not world.servers[0].asked("tools/call")

    run(test)


def test_one_bare_server_hears_names_it_does_not_list() -> None:
    async def test() -> None:
        world = World([ScriptedServer("a", tools=[tool("x")])], "bare")
        assert value(await world.ask("tools/call", name="unlisted"))["from"] == "a"

    run(test)


def test_an_unlisted_uri_is_asked_for_in_order_until_one_has_it() -> None:
    async def test() -> None:
        missing = Failure(code=-32602, message="Resource not found", origin="upstream")
        a = ScriptedServer("a", answers={"resources/read": missing})
        b = ScriptedServer("b")
        assert value(await World([a, b]).ask("resources/read", uri="x://new"))["from"] == "b"
        assert len(a.asked("resources/read")) == 1
        b.answers["resources/read"] = missing
        refused = failure(await World([a, b]).ask("resources/read", uri="x://new"))
        assert refused is missing

    run(test)


def test_a_dead_server_costs_its_own_callers_only() -> None:
    async def test() -> None:
        world = two()
        await world.ask("tools/list")
        world.servers[0].down = DOWN
        assert failure(await world.ask("tools/call", name="a__t")) is DOWN
        assert value(await world.ask("tools/call", name="b__t"))["from"] == "b"
        world.catalog.changed("a", "state")
        # Its list is gone too, and still the name says whose it is.
        assert failure(await world.ask("tools/call", name="a__t")) is DOWN
        gone = failure(await world.ask("tools/call", name="t"))
        assert gone.reason == "unknown-tool"
        assert "Not available now: a" in str(gone.remedy)

    run(test)


def test_one_server_introduces_itself_and_several_are_introduced() -> None:
    async def test() -> None:
        one = {"capabilities": {"tools": {}, "x": {}}, "instructions": "Hi.", "vendor": 1}
        alone = value(
            await World([ScriptedServer("a", discover=one)], "bare").ask("server/discover")
        )
        assert alone["instructions"] == "Hi."
        assert alone["vendor"] == 1
        assert alone["capabilities"] == {"tools": {"listChanged": True}, "x": {}}
        both = value(
            await World(
                [
                    ScriptedServer("a", discover=one),
                    ScriptedServer(
                        "b",
                        discover={
                            "capabilities": {"resources": {"subscribe": True}},
                            "instructions": "Ho.",
                        },
                    ),
                ]
            ).ask("server/discover")
        )
        assert both["instructions"] == "## a\n\nHi.\n\n## b\n\nHo."
        assert both["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
        assert both["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "lockgate"
        assert both["supportedVersions"][0] == "2026-07-28"

    run(test)


def test_discover_leaves_out_who_is_down_and_fails_when_all_are() -> None:
    async def test() -> None:
        a = ScriptedServer("a", discover={"capabilities": {"tools": {}}})
        b = ScriptedServer("b", discover={"capabilities": {"prompts": {}}})
        a.down = DOWN
        assert value(await World([a, b]).ask("server/discover"))["capabilities"] == {
            "prompts": {"listChanged": True}
        }
        b.down = DOWN
        assert failure(await World([a, b]).ask("server/discover")).reason == "server-unavailable"

    run(test)


def test_session_wide_methods_reach_every_server() -> None:
    async def test() -> None:
        world = two()
        world.servers[1].answers["logging/setLevel"] = Failure(
            code=-32601, message="no logging", origin="upstream"
        )
        call = world.call("logging/setLevel", HANDSHAKE, affinity="s", level="info")
        assert isinstance(await world.router(call), Result)
        assert [len(server.asked("logging/setLevel")) for server in world.servers] == [1, 1]

    run(test)


def test_task_ids_of_several_servers_are_kept_apart() -> None:
    async def test() -> None:
        world = two()
        world.servers[0].answers["tools/call"] = Result(
            Raw.of({"taskId": "7", "status": "working"}), "task"
        )
        assert value(await world.ask("tools/call", name="a__t"))["taskId"] == "a.7"
        world.servers[0].answers["tasks/list"] = Result(Raw.of({"tasks": [{"taskId": "1"}]}))
        world.servers[1].answers["tasks/list"] = Result(Raw.of({"tasks": [{"taskId": "1"}]}))
        listed = value(await world.ask("tasks/list", HANDSHAKE))
        assert [task["taskId"] for task in listed["tasks"]] == ["a.1", "b.1"]

    run(test)


def test_a_result_that_happens_to_speak_of_tasks_is_not_touched() -> None:
    async def test() -> None:
        world = two()
        raw = Raw(b'{"content":[],"taskId":"not ours","structuredContent":{"taskId":"x"}}')
        world.servers[0].answers["tools/call"] = Result(raw)
        reply = await world.ask("tools/call", name="a__t")
        assert isinstance(reply, Result)
        assert reply.raw is raw

    run(test)


@pytest.mark.parametrize(
    ("template", "uri", "fits"),
    [
        ("file:///{path}", "file:///a", True),
        ("file:///{path}", "file:///a/b", False),
        ("file:///{+path}", "file:///a/b", True),
        ("x://{a}/y{?q,r}", "x://1/y?q=2", True),
        ("x://{a}/y{?q,r}", "x://1/y", True),
        ("x://{a}/y", "x://1/z", False),
        ("plain://no.expression", "plain://noXexpression", False),
        ("t://{a}{.ext}", "t://name.txt", True),
        ("t://{" + "a" * 3000 + "}", "t://x", False),
    ],
)
def test_templates(template: str, uri: str, fits: bool) -> None:
    assert matches(template, uri) is fits


def test_a_listen_stream_over_two_servers() -> None:
    async def test() -> None:
        world = two()
        heard: list[Any] = []
        call = world.call(
            "subscriptions/listen",
            MODERN,
            heard=heard,
            notifications={
                "toolsListChanged": True,
                "resourceSubscriptions": ["file:///a", "lockgate://b/file:///both", "file:///both"],
            },
        )
        listening = asyncio.ensure_future(world.router(call))
        await until(lambda: heard)
        assert heard[0].method == "notifications/subscriptions/acknowledged"
        assert heard[0].params["notifications"] == {
            "toolsListChanged": True,
            "resourceSubscriptions": ["file:///a", "lockgate://b/file:///both"],
        }
        world.servers[1].tell("notifications/resources/updated", uri="file:///both")
        assert heard[-1].params["uri"] == "lockgate://b/file:///both"
        world.catalog.changed("a", "prompts")
        world.catalog.changed("a", "tools")
        assert [n.method for n in heard[2:]] == ["notifications/tools/list_changed"]
        assert len(world.subscriptions) == 1
        world.subscriptions.close()
        assert isinstance(await listening, Result)
        assert len(world.subscriptions) == 0
        assert not any(server.listeners for server in world.servers)

    run(test)


def test_a_session_listens_to_every_server_and_hears_each_change_once() -> None:
    async def test() -> None:
        world = two()
        heard: list[Any] = []
        call = world.call(
            "subscriptions/listen",
            HANDSHAKE,
            affinity="s1",
            heard=heard,
            notifications={"toolsListChanged": True},
        )
        listening = asyncio.ensure_future(world.router(call))
        await until(lambda: heard)
        world.servers[0].tell("notifications/tools/list_changed")
        world.catalog.changed("a", "tools")
        world.servers[1].tell("notifications/message", level="info", data="x")
        assert [n.method for n in heard[1:]] == [
            "notifications/tools/list_changed",
            "notifications/message",
        ]
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        assert len(world.subscriptions) == 0
        assert not any(server.listeners for server in world.servers)

    run(test)


def test_a_server_that_cannot_be_listened_to_is_left_out_of_the_acknowledgement() -> None:
    async def test() -> None:
        async def refuse(call: Call) -> Reply:
            return Failure(code=-32601, message="no", origin="upstream")

        world = two()
        world.servers[0].answers["subscriptions/listen"] = refuse
        heard: list[Any] = []
        call = world.call(
            "subscriptions/listen",
            heard=heard,
            notifications={"resourceSubscriptions": ["file:///a", "file:///b"]},
        )
        listening = asyncio.ensure_future(world.router(call))
        await until(lambda: heard)
        assert heard[0].params["notifications"] == {"resourceSubscriptions": ["file:///b"]}
        listening.cancel()

    run(test)


def test_a_client_that_leaves_before_the_acknowledgement_leaves_nothing_behind() -> None:
    async def test() -> None:
        server = ScriptedServer("a", resources=[{"uri": "x:1", "name": "x"}])
        world = World([server])
        await world.ask("resources/list")
        before = asyncio.all_tasks()
        server.gate = asyncio.Event()
        wanted = {"resourceSubscriptions": ["x:1"]}
        listening = asyncio.create_task(world.ask("subscriptions/listen", notifications=wanted))
        await until(lambda: server.asked("subscriptions/listen"))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before

    run(test)


def test_targets_are_told_to_policies() -> None:
    async def test() -> None:
        world = two()
        await world.ask("tools/call", name="a__only_a")
        assert world.servers[0].asked("tools/call")[0].target == Target("a", "tool", "only.a")

    run(test)


@pytest.mark.parametrize("era", [MODERN, HANDSHAKE])
def test_no_call_waits_for_what_another_server_lists(era: ClientFacts) -> None:
    async def play() -> None:
        world = World([ScriptedServer("a", tools=[tool("x")]), ScriptedServer("b")])
        assert isinstance(await world.ask("tools/list", era), Result)
        hung = world.servers[1]
        hung.gate = asyncio.Event()
        world.catalog.changed("b", "state")
        asked = asyncio.create_task(world.ask("tools/call", era, name="a__x"))
        assert isinstance(await asyncio.wait_for(asked, 60), Result)
        # It is asked all the same, and its tools are there once it has answered.
        hung.lists["tools/list"] = ("tools", [tool("y")])
        await until(lambda: len(hung.asked("tools/list")) == 2)
        hung.gate.set()
        hung.gate = None
        assert isinstance(await world.ask("tools/call", era, name="b__y"), Result)
        await world.catalog.close()

    asyncio.run(play())
