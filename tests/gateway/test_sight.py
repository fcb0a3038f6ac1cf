"""What a caller does not see answers exactly as what does not exist."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import msgspec
import pytest

from lockgate.core.message import Call, Failure, Kind, Notification, Reply, Result
from lockgate.core.names import Naming
from lockgate.core.raw import Raw
from lockgate.core.sight import Sight
from lockgate.gateway.sights import OPERATOR
from lockgate.testing import ScriptedServer
from tests.gateway.world import HANDSHAKE, MODERN, World, tool
from tests.support.credentials import Apart
from tests.support.waiting import until


class Seeing(msgspec.Struct, frozen=True, kw_only=True):
    """Sees what it is told: all of `servers` but each `(kind, name)` that is hidden."""

    servers: tuple[str, ...] = ("a", "b")
    hidden: frozenset[tuple[str, str]] = frozenset()
    denied: frozenset[str] = frozenset()
    endpoint: str = ""
    naming: Naming = "prefix"
    page_size: int = 1000
    instructions: str | None = None
    whole: bool = False
    personal: bool = True

    @property
    def key(self) -> Hashable:
        return self.endpoint, self.servers, self.hidden, self.denied

    def shows(self, server: str, kind: Kind, name: str, /) -> bool:
        return server in self.servers and (kind, name) not in self.hidden

    def judge(self, call: Call, /) -> Failure | None:
        if call.target is None or call.target.name not in self.denied:
            return None
        return Failure(-32603, "Not for you.", "policy", "access-denied", remedy="Ask.")


HIDDEN = frozenset(
    {
        ("tool", "secret"),
        ("prompt", "secret"),
        ("resource", "file:///secret"),
        ("template", "vault://{name}"),
    }
)
SOME = Seeing(hidden=HIDDEN, denied=frozenset({"refused", "file:///refused"}))
ONE = Seeing(servers=("b",))


def servers() -> list[ScriptedServer]:
    async def read(call: Call) -> Reply:
        uri = call.params["uri"]
        if uri.endswith("absent") or (call.target and call.target.server == "b"):
            return Failure(-32002, f"No such thing: {uri}", "upstream", "upstream-error")
        return Result(Raw.of({"contents": [{"uri": uri, "text": "here"}]}))

    a = ScriptedServer(
        "a",
        tools=[tool("open"), tool("secret"), tool("refused")],
        prompts=[{"name": "open"}, {"name": "secret"}],
        resources=[
            {"uri": "file:///open", "name": "open"},
            {"uri": "file:///refused", "name": "refused"},
            {"uri": "file:///secret", "name": "secret"},
        ],
        templates=[
            {"uriTemplate": "vault://{name}", "name": "vault"},
            {"uriTemplate": "note://{name}", "name": "note"},
        ],
        answers={"resources/read": read},
        discover={
            "capabilities": {"tools": {}, "prompts": {}, "resources": {"subscribe": True}},
            "instructions": "Of a.",
        },
    )
    b = ScriptedServer(
        "b",
        tools=[tool("open")],
        resources=[{"uri": "file:///b", "name": "b"}],
        answers={"resources/read": read},
        discover={"capabilities": {"tools": {}}, "instructions": "Of b."},
    )
    return [a, b]


def by_principal(call: Call) -> Sight:
    sights: dict[str, Sight] = {"some": SOME, "one": ONE, "all": Seeing(whole=True)}
    return sights[call.principal.id]


def world(**more: Any) -> World:
    return World(servers(), sight_of=by_principal, **more)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def said(reply: Reply) -> dict[str, Any]:
    """All of a failure that a client gets."""
    assert isinstance(reply, Failure), reply
    return {
        "code": reply.code,
        "message": reply.message,
        "data": reply.data,
        "remedy": reply.remedy,
        "reason": reply.reason,
        "origin": reply.origin,
    }


def value(reply: Reply) -> Any:
    assert isinstance(reply, Result), reply
    return json.loads(reply.raw.encode())


LISTED = {
    "tools/list": ("tools", "name", {"a__open", "a__refused", "b__open"}),
    "prompts/list": ("prompts", "name", {"a__open"}),
    "resources/list": ("resources", "uri", {"file:///open", "file:///refused", "file:///b"}),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", {"note://{name}"}),
}


@pytest.mark.parametrize("client", [MODERN, HANDSHAKE], ids=["modern", "handshake"])
@pytest.mark.parametrize("method", LISTED)
def test_lists_hold_what_is_shown_and_are_never_called_public(method: str, client: Any) -> None:
    async def test() -> None:
        here = world()
        member, key, expected = LISTED[method]
        for one in here.servers:
            one.hints = {"ttlMs": 1000, "cacheScope": "public"}
        here.servers[0].hints["groups"] = ["secret"]
        got = value(await here.router(here.call(method, client, principal="some")))
        assert {item[key] for item in got[member]} == expected
        assert "secret" not in json.dumps(got) or method == "resources/list"
        if client is MODERN:
            assert got["cacheScope"] == "private"

    run(test)


ASKED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("tools/call", {"name": "a__secret"}, {"name": "a__sekret"}),
    ("tools/call", {"name": "a__secret"}, {"name": "secret"}),
    ("prompts/get", {"name": "a__secret"}, {"name": "a__sekret"}),
    ("resources/read", {"uri": "file:///secret"}, {"uri": "file:///absent"}),
    ("resources/read", {"uri": "lockgate://a/file:///secret"}, {"uri": "lockgate://a/absent"}),
    ("resources/read", {"uri": "vault://x"}, {"uri": "other://x.absent"}),
    (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "a__secret"}, "argument": {}},
        {"ref": {"type": "ref/prompt", "name": "a__sekret"}, "argument": {}},
    ),
]


def _anonymous(reply: Reply, params: dict[str, Any]) -> str:
    """What was said, without the name it was asked by."""
    name = params.get("name") or params.get("uri") or params["ref"].get("name")
    return json.dumps(said(reply)).replace(name, "NAME")


@pytest.mark.parametrize("client", [MODERN, HANDSHAKE], ids=["modern", "handshake"])
@pytest.mark.parametrize(("method", "hidden", "absent"), ASKED)
def test_what_is_hidden_answers_as_what_is_not_there(
    method: str, hidden: dict[str, Any], absent: dict[str, Any], client: Any
) -> None:
    async def test() -> None:
        here = world()
        one = await here.router(here.call(method, client, principal="some", **hidden))
        other = await here.router(here.call(method, client, principal="some", **absent))
        assert _anonymous(one, hidden) == _anonymous(other, absent)
        assert not [call for call in here.servers[0].asked(method) if "secret" in str(call.target)]
        shown = await here.router(here.call(method, client, principal="all", **hidden))
        assert isinstance(shown, Result), shown

    run(test)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "a__open"}),
        ("resources/read", {"uri": "file:///open"}),
        ("resources/read", {"uri": "lockgate://a/file:///open"}),
        ("tasks/get", {"taskId": "a.17"}),
        ("tools/call", {"name": "a__opem"}),
    ],
)
def test_a_server_that_is_hidden_is_named_nowhere(method: str, params: dict[str, Any]) -> None:
    async def test() -> None:
        here = world()
        here.servers[0].down = Failure(
            -32603, "a is down.", "upstream", "server-unavailable", data={"server": "a"}
        )
        reply = await here.router(here.call(method, principal="one", **params))
        asked = next(iter(params.values()))
        text = json.dumps(said(reply)).replace(asked, "NAME")
        assert not any(word in text for word in ('"a"', " a ", "a__"))
        assert not here.servers[0].calls

    run(test)


def test_an_introduction_is_of_visible_servers_only() -> None:
    async def test() -> None:
        here = world()
        got = value(await here.router(here.call("server/discover", principal="one")))
        assert got["instructions"] == "Of b."
        assert set(got["capabilities"]) == {"tools"}
        assert got["cacheScope"] == "private"
        assert not here.servers[0].calls

    run(test)


def test_an_endpoint_may_introduce_itself() -> None:
    async def test() -> None:
        here = World(servers(), sight_of=lambda _: Seeing(instructions="Read me."))
        got = value(await here.router(here.call("server/discover")))
        assert got["instructions"] == "Read me."

    run(test)


def test_what_is_denied_says_so_and_reaches_no_server() -> None:
    async def test() -> None:
        here = world()
        denied: list[tuple[str, dict[str, Any]]] = [
            ("tools/call", {"name": "a__refused"}),
            ("resources/read", {"uri": "file:///refused"}),
        ]
        for method, params in denied:
            reply = await here.router(here.call(method, principal="some", **params))
            assert said(reply)["reason"] == "access-denied"
            assert not here.servers[0].asked(method)

    run(test)


def test_news_of_hidden_servers_reach_nobody() -> None:
    async def test() -> None:
        here = world()
        heard: dict[str, list[Notification]] = {"one": [], "all": []}
        asked: dict[str, Any] = {"notifications": {"toolsListChanged": True}}
        streams = [
            asyncio.ensure_future(
                here.router(here.call("subscriptions/listen", principal=who, heard=out, **asked))
            )
            for who, out in heard.items()
        ]
        await until(lambda: all(heard.values()))
        here.catalog.changed("a", "tools")
        here.catalog.changed("b", "tools")
        await until(lambda: len(heard["all"]) == 3)
        assert len(heard["one"]) == 2  # the acknowledgement, and b's
        here.subscriptions.close()
        await asyncio.gather(*streams)

    run(test)


def test_hidden_and_denied_resources_cannot_be_listened_to() -> None:
    async def test() -> None:
        here = world()
        heard: list[Notification] = []
        uris = ["file:///open", "file:///secret", "file:///refused", "vault://x"]
        asked: dict[str, Any] = {"notifications": {"resourceSubscriptions": uris}}
        call = here.call(
            "subscriptions/listen", HANDSHAKE, principal="some", heard=heard, affinity="s", **asked
        )
        stream = asyncio.ensure_future(here.router(call))
        await until(lambda: heard)
        honoured = heard[0].params["notifications"]["resourceSubscriptions"]
        # Whether b has what nobody lists, only b knows; a, who has it, is not asked.
        assert honoured == ["file:///open", "vault://x"]
        listened = [
            uri
            for one in here.servers[0].asked("subscriptions/listen")
            for uri in one.params["notifications"].get("resourceSubscriptions", [])
        ]
        assert listened == ["file:///open"]
        here.subscriptions.close()
        await stream

    run(test)


def test_session_wide_calls_reach_visible_servers_only() -> None:
    async def test() -> None:
        here = world()
        call = here.call("logging/setLevel", HANDSHAKE, principal="one", level="debug")
        assert isinstance(await here.router(call), Result)
        assert not here.servers[0].calls
        assert here.servers[1].asked("logging/setLevel")

    run(test)


def test_equal_sights_share_lists_and_others_do_not() -> None:
    async def test() -> None:
        def of(call: Call) -> Sight:
            return SOME if call.principal.id.startswith("some") else ONE

        here = World(servers(), sight_of=of)
        for number in range(500):
            for kind in ("some", "one"):
                await here.router(here.call("tools/list", principal=f"{kind}{number}"))
                name = "b__open"
                await here.router(here.call("tools/call", principal=f"{kind}{number}", name=name))
        assert len(here.servers[0].asked("tools/list")) == 1
        assert len(here.catalog._faces) == 2

    run(test)


def test_a_cursor_of_one_endpoint_is_worth_nothing_at_another() -> None:
    async def test() -> None:
        def of(call: Call) -> Sight:
            return Seeing(endpoint=call.facts["endpoint"], page_size=1, whole=True)

        here = World(servers(), sight_of=of)
        first = value(await here.router(here.call("tools/list", endpoint="/one")))
        cursor = first["nextCursor"]
        again = await here.router(here.call("tools/list", endpoint="/one", cursor=cursor))
        assert value(again)["tools"]
        other = await here.router(here.call("tools/list", endpoint="/two", cursor=cursor))
        assert said(other)["reason"] == "invalid-cursor"

    run(test)


def asking_server() -> ScriptedServer:
    async def answer(call: Call) -> Reply:
        if call.params.get("requestState") == "own":
            return Result(Raw.of({"content": [], "got": dict(call.params["inputResponses"])}))
        asked = {"inputRequests": {}, "requestState": "own"}
        return Result(Raw.of(asked), "input_required")

    return ScriptedServer("a", tools=[tool("ask")], answers={"tools/call": answer})


@pytest.mark.parametrize("change", ["none", "principal", "endpoint", "tool", "forged", "raw"])
def test_a_request_state_is_its_callers_alone(change: str) -> None:
    async def test() -> None:
        here = World([asking_server()], sight_of=lambda _: Seeing(servers=("a",), whole=True))
        who: dict[str, Any] = {"principal": "one", "endpoint": "/one"}
        got = value(await here.router(here.call("tools/call", name="a__ask", **who)))
        state = got["requestState"]
        assert state != "own"
        name = "a__ask"
        if change == "principal":
            who["principal"] = "two"
        elif change == "endpoint":
            who["endpoint"] = "/two"
        elif change == "tool":
            name = "ask"
        elif change == "forged":
            state = state[:-4] + "AAAA"
        elif change == "raw":
            state = "own"
        params: dict[str, Any] = {"requestState": state, "inputResponses": {"x": 1}}
        reply = await here.router(here.call("tools/call", name=name, **params, **who))
        if change == "none":
            assert value(reply)["got"] == {"x": 1}
        else:
            assert said(reply)["reason"] == "unknown-request-state"

    run(test)


def test_nobodys_request_state_passes_as_it_is() -> None:
    async def test() -> None:
        here = World([asking_server()])
        got = value(await here.router(here.call("tools/call", name="a__ask")))
        assert got["requestState"] == "own"
        params: dict[str, Any] = {"requestState": "own", "inputResponses": {"x": 1}}
        reply = await here.router(here.call("tools/call", name="a__ask", **params))
        assert value(reply)["got"] == {"x": 1}

    run(test)


def task_server(name: str) -> ScriptedServer:
    async def make(call: Call) -> Reply:
        made = {"taskId": f"t-{call.principal.id}", "status": "working"}
        return Result(Raw.of(made), "task")

    tasks = {"tasks": [{"taskId": "t-one"}, {"taskId": "t-two"}], "nextCursor": "more"}
    return ScriptedServer(
        name,
        tools=[tool("slow")],
        answers={"tools/call": make, "tasks/list": Result(Raw.of(tasks))},
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_task_is_its_callers_alone(number: int) -> None:
    async def test() -> None:
        here = World([task_server(name) for name in "ab"[:number]])
        ids: dict[str, str] = {}
        for who in ("one", "two"):
            call = here.call("tools/call", name="a__slow", principal=who)
            ids[who] = value(await here.router(call))["taskId"]
        for who in ("one", "two"):
            for method in ("tasks/get", "tasks/cancel", "tasks/update"):
                reply = await here.router(here.call(method, taskId=ids["one"], principal=who))
                if who == "one":
                    assert value(reply)["params"]["taskId"] == "t-one"
                    continue
                told = json.dumps(said(reply)).replace(ids["one"], "ID")
                made_up = await here.router(here.call(method, taskId="a.x.y", principal=who))
                assert told == json.dumps(said(made_up)).replace("a.x.y", "ID")
            listed = await here.router(here.call("tasks/list", HANDSHAKE, principal=who))
            assert [task["taskId"] for task in value(listed)["tasks"]] == [ids[who]]
        assert {one.params["taskId"] for one in here.servers[0].asked("tasks/get")} == {"t-one"}

    run(test)


def test_the_operator_is_told_by_identity_and_shares_what_is_nobodys() -> None:
    assert OPERATOR.id == "anonymous"
    assert msgspec.structs.replace(OPERATOR) is not OPERATOR


def test_who_is_shown_to_a_server_as_another_is_introduced_and_listed_apart() -> None:
    async def test() -> None:
        async def about(call: Call) -> Reply:
            says = f"For {call.principal.id[0]}."
            return Result(Raw.of({"capabilities": {}, "instructions": says}))

        async def listed(call: Call) -> Reply:
            return Result(Raw.of({"tools": [tool(f"of_{call.principal.id[0]}")]}))

        own = ScriptedServer("own", answers={"server/discover": about, "tools/list": listed})
        # Of a team, which is the first letter of its members' names.
        teams = Apart(lambda one: one.id[0])
        here = World([own, ScriptedServer("all", tools=[tool("t")])], credentials={"own": teams})
        for who in ("red1", "blue1", "red2"):
            team = who[0]
            said_of = value(await here.router(here.call("server/discover", principal=who)))
            assert f"For {team}." in said_of["instructions"]
            names = value(await here.router(here.call("tools/list", principal=who)))["tools"]
            assert {one["name"] for one in names} == {f"own__of_{team}", "all__t"}
            mine = here.call("tools/call", name=f"own__of_{team}", principal=who)
            assert isinstance(await here.router(mine), Result)
            other = "b" if team == "r" else "r"
            theirs = here.call("tools/call", name=f"own__of_{other}", principal=who)
            assert said(await here.router(theirs))["reason"] == "unknown-tool"
        assert len(own.asked("tools/list")) == len(own.asked("server/discover")) == 2
        assert len(here.servers[1].asked("tools/list")) == 1

    run(test)
