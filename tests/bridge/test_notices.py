"""What servers say during calls and outside of them, and who hears it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.bridge.clients import PREFIX, Begun, Client, Json, Stream, progress
from tests.bridge.requirements import requirement
from tests.bridge.scripts import URI
from tests.bridge.world import SERVERS, World, cell_world, run, world
from tests.support.waiting import until

PROGRESS = "notifications/progress"
MESSAGE = "notifications/message"
UPDATED = "notifications/resources/updated"
LISTS = {
    "toolsListChanged": ("notifications/tools/list_changed", "tools/list"),
    "promptsListChanged": ("notifications/prompts/list_changed", "prompts/list"),
    "resourcesListChanged": ("notifications/resources/list_changed", "resources/list"),
}


async def talk(client: Client, *, token: Any = None, **arguments: Any) -> Begun:
    """The tool that reports and logs."""
    more = {} if token is None else progress(token)
    return await client.ask("tools/call", {"name": "talk", "arguments": arguments, **more})


async def heard(stream: Stream, last: str) -> list[Json]:
    """Everything on a stream up to the next notification of this method."""
    messages: list[Json] = []
    while not messages or messages[-1].get("method") != last:
        message = await stream.next()
        assert message is not None
        messages.append(message)
    return messages


@requirement("progress")
@pytest.mark.parametrize("token", [7, "seven", "é"])
def test_progress_carries_the_callers_token(cell: str, token: Any) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await talk(client, token=token, progress=3, tag="t")

            said = [(one["progressToken"], one["progress"]) for one in done.notices(PROGRESS)]
            assert said == [(token, 1), (token, 2), (token, 3)]

    run(play())


@requirement("progress-unasked")
def test_no_token_no_progress(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await talk(client, progress=3)

            assert done.said == {"tag": None}
            assert not done.notices(PROGRESS)

    run(play())


@requirement("progress-rounds")
def test_progress_goes_on_after_a_question(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await talk(client, token="t", progress=2, asking=True)

            said = [one["progress"] for one in done.notices(PROGRESS)]
            assert said[:2] == [1, 2]
            assert said[-1] == 3

    run(play())


@requirement("log-level")
@pytest.mark.parametrize(
    ("level", "expected"),
    [("debug", ["debug", "info", "error"]), ("info", ["info", "error"]), ("error", ["error"])],
)
def test_messages_of_the_callers_level_and_above(
    cell: str, level: str, expected: list[str]
) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0], level=level)
            done = await talk(client, logs=["debug", "info", "error"], tag="x")

            assert [one["level"] for one in done.notices(MESSAGE)] == expected

    run(play())


@requirement("log-level", "isolation-said")
def test_each_caller_has_a_level_of_its_own(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            loud = await w.client(cell[0], level="debug")
            quiet = await w.client(cell[0], level="error", name="quiet")
            for _ in range(2):
                for client, expected in ((loud, ["debug", "error"]), (quiet, ["error"])):
                    done = await talk(client, logs=["debug", "error"])
                    assert [one["level"] for one in done.notices(MESSAGE)] == expected

    run(play())


@requirement("log-unasked")
def test_no_level_no_messages(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            other = await w.client(cell[0], level="debug")
            await talk(other, logs=["error"])
            client = await w.client(cell[0])
            done = await talk(client, logs=["debug", "error", "emergency"])

            assert not done.notices(MESSAGE)

    run(play())


@requirement("log-default")
def test_an_old_client_hears_logs_without_setting_a_level(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await talk(client, logs=["info", "error"])

            assert [one["level"] for one in done.notices(MESSAGE)] == ["info", "error"]

    run(play())


@requirement("log-invalid")
def test_a_level_that_does_not_exist(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            refused = await client.begin("logging/setLevel", {"level": "loud"})

            assert refused.error["code"] == -32602

    run(play())


@requirement("list-changed", "list-refetched", "listen-tagged")
@pytest.mark.parametrize("flag", LISTS)
def test_a_changed_list_is_told(cell: str, flag: str) -> None:
    async def play() -> None:
        async with cell_world(cell, pins="off") as w:
            method, listing = LISTS[flag]
            client = await w.client(cell[0])
            before = (await client.ask(listing)).result
            stream = await client.listen(uris=(), **{flag: True})
            await w.server.happened("listening")
            if cell[0] == "L":
                await until(lambda: listens_for(w, client))
            w.server.extra_tools.append({"name": "newcomer", "inputSchema": {"type": "object"}})
            # An old client has no sign that it is listened for, so this is said until it is heard.
            announcing = w.stack_task(again_and_again(w, method))
            [*_, told] = await heard(stream, method)
            announcing.cancel()

            if cell[0] == "M":
                assert PREFIX + "subscriptionId" in told["params"]["_meta"]
            after = (await client.ask(listing)).result
            if flag == "toolsListChanged":
                names = [tool["name"] for tool in after["tools"]]
                assert names == [tool["name"] for tool in before["tools"]] + ["newcomer"]

    run(play())


async def again_and_again(w: World, method: str) -> None:
    """Announce until cancelled."""
    while True:
        w.server.announce(method)
        await asyncio.sleep(0.05)


def listens_for(w: World, client: Client) -> bool:
    """Whether the server has somebody to tell on behalf of this client."""
    if hasattr(w.server, "listens"):
        return bool(w.server.listens)
    mine = [one for one in w.server.sessions.values() if named(one, client.name)]
    return any(one.streams for one in mine)


def named(session: Any, name: str) -> bool:
    """Whether a server's session was opened in the name of this client."""
    return session.opened["clientInfo"].get("name") == name


@requirement("updated", "listen-tagged")
def test_an_updated_resource_is_told(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            stream = await client.listen(uris=(URI,))
            await w.server.happened(f"resources/subscribe {URI}")
            await until(lambda: reachable(w))
            w.server.announce(UPDATED, {"uri": URI})
            [*_, told] = await heard(stream, UPDATED)

            assert told["params"]["uri"] == URI
            if cell[0] == "M":
                assert PREFIX + "subscriptionId" in told["params"]["_meta"]

    run(play())


def reachable(w: World) -> bool:
    """Whether whoever subscribed at the server has a stream there."""
    if hasattr(w.server, "listens"):
        return any(URI in str(one[1]) for one in w.server.listens)
    return any(one.streams and one.uris for one in w.server.sessions.values())


@requirement("updated-others", "isolation-told")
def test_what_nobody_asked_for_does_not_arrive(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            one = await w.client(cell[0], name="one")
            other = await w.client(cell[0], name="other")
            first = await one.listen(uris=(URI,), toolsListChanged=True)
            second = await other.listen(uris=("notes://other",), toolsListChanged=True)
            for uri in (URI, "notes://other"):
                await w.server.happened(f"resources/subscribe {uri}")
            await until(lambda: reachable(w))
            await until(lambda: streams_for(w, "notes://other"))
            w.server.announce(UPDATED, {"uri": URI})
            w.server.announce(UPDATED, {"uri": "notes://other"})
            mine = await heard_rest(w, await heard(first, UPDATED), first)
            theirs = await heard_rest(w, await heard(second, UPDATED), second)

            updates = [m["params"]["uri"] for m in mine if m["method"] == UPDATED]
            others = [m["params"]["uri"] for m in theirs if m["method"] == UPDATED]
            assert set(updates) == {URI}
            assert set(others) == {"notes://other"}

    run(play())


async def heard_rest(w: World, before: Any, stream: Stream) -> list[Json]:
    """What came before, and all up to a change of the tools announced now."""
    messages = list(before)
    w.server.announce("notifications/tools/list_changed")
    return messages + await heard(stream, "notifications/tools/list_changed")


def streams_for(w: World, uri: str) -> bool:
    """Whether the server would tell somebody of this resource."""
    if hasattr(w.server, "listens"):
        return any(uri in str(one[1]) for one in w.server.listens)
    return any(one.streams and uri in one.uris for one in w.server.sessions.values())


@requirement("isolation-said")
def test_running_calls_say_things_to_their_own_callers(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            clients = [await w.client(cell[0], name=f"c{n}", level="debug") for n in range(3)]
            tasks = [
                w.stack_task(
                    talk(
                        client,
                        token="same",
                        progress=2,
                        logs=["info"],
                        tag=client.name,
                        wait=client.name,
                    )
                )
                for client in clients
            ]
            for client in clients:
                await w.server.happened(f"at {client.name}")
            for client in reversed(clients):
                w.server.let(client.name)

            for client, task in zip(clients, tasks, strict=True):
                done = await task
                assert {one["message"] for one in done.notices(PROGRESS)} == {client.name}
                assert {one["data"] for one in done.notices(MESSAGE)} == {client.name}
                assert len(done.notices(PROGRESS)) == 2
                assert len(done.notices(MESSAGE)) == 1

    run(play())


@requirement("isolation-said", cells="ML MM")
def test_principals_hear_their_own_calls(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            ears: dict[str, list[Any]] = {"ann": [], "bob": []}
            tasks = [
                w.stack_task(
                    w.call(
                        "tools/call",
                        {"name": "talk", "arguments": {"progress": 2, "tag": name, "wait": name}},
                        principal=name,
                        heard=ear,
                    )
                )
                for name, ear in ears.items()
            ]
            for name in ears:
                await w.server.happened(f"at {name}")
            for name in ears:
                w.server.let(name)
            for task in tasks:
                await task

            for name, ear in ears.items():
                assert [one.params["message"] for one in ear] == [name] * 2

    run(play())


@requirement("unsubscribe")
def test_after_unsubscribe_nothing_is_told(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            stream = await client.listen(uris=(URI, "notes://other"))
            await until(lambda: streams_for(w, URI))
            await until(lambda: streams_for(w, "notes://other"))
            _ = (await client.begin("resources/unsubscribe", {"uri": URI})).result
            await until(lambda: not streams_for(w, URI))
            w.server.announce(UPDATED, {"uri": URI})
            w.server.announce(UPDATED, {"uri": "notes://other"})
            told = await heard(stream, UPDATED)

            assert [m["params"]["uri"] for m in told if m["method"] == UPDATED] == ["notes://other"]

    run(play())


@requirement("subscribe-unsupported")
def test_what_cannot_be_subscribed_to_is_not_acknowledged(cell: str) -> None:
    async def play() -> None:
        capabilities = {"tools": {"listChanged": True}, "resources": {"listChanged": True}}
        async with world(SERVERS[cell[1]](capabilities=capabilities)) as w:
            client = await w.client(cell[0])
            stream = await client.listen(uris=(URI,), toolsListChanged=True)

            granted = json.loads(stream.headers["acknowledged"])["notifications"]
            assert granted["toolsListChanged"] is True
            assert not granted.get("resourceSubscriptions")

    run(play())


@requirement("roots-changed")
def test_changed_roots_are_told_to_the_server(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            await client.run("echo", text="x")
            await client.tell("notifications/roots/list_changed")

            await w.server.happened("notifications/roots/list_changed")

    run(play())


@requirement("roots-changed-swallowed")
def test_changed_roots_go_nowhere(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            await client.tell("notifications/roots/list_changed")
            await client.run("echo", text="x")

            assert not w.server.seen("notifications/roots/list_changed")

    run(play())


@requirement("resume-none")
def test_a_new_clients_streams_have_no_event_ids(cell: str) -> None:
    async def play() -> None:
        async with cell_world(cell) as w:
            client = await w.client(cell[0])
            done = await talk(client, token=1, progress=2)

            assert done.stream is not None
            assert done.notices(PROGRESS)
            assert done.stream.event_ids == []

    run(play())
