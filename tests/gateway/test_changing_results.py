"""What a conversation is given again is told by what changed, exactly, and read back whole."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lockgate.context.body import NOTE
from lockgate.context.changes import Changes
from lockgate.context.tokens import counter
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.policies.repeats import CONVERSATION, LARGE
from tests.bridge.clients import Client
from tests.context.test_changes import patched
from tests.fronts.served import run
from tests.security.world import META, Json, Peer, World, answer, before

ROWS = [{"id": number, "state": "open", "title": f"Issue {number}"} for number in range(60)]
MANY = [{"id": number, "state": "open", "title": f"Issue {number}"} for number in range(900)]
LINES = "\n".join(f"2026-11-21 line {number}: all is well" for number in range(150))
DIFF: Json = {
    "compact": {"repeats": "diff", "results": "off"},
    "results": {"enabled": True, "budget": 4000},
}


def closed(rows: list[Json], number: int) -> list[Json]:
    return [{**one, "state": "closed"} if one["id"] == number else one for one in rows]


class Hub(Peer):
    """A server whose tool answers what it is set to."""

    def __init__(self, **tool: Any) -> None:
        self.now: Json = {}
        listed = {"name": "list", "inputSchema": {"type": "object"}}
        hints = {"annotations": {"readOnlyHint": True}}
        super().__init__("hub", self._script, tools=[{**listed, **hints, **tool}])

    async def _script(
        self, _peer: Peer, _request: HttpRequest, message: Json, responder: Responder
    ) -> None:
        answer(responder, message, self.now)

    def says(self, value: Any, **more: Any) -> str:
        """Set it; a text as it is, anything else as JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        self.now = {"content": [{"type": "text", "text": text}], **more}
        return text


Play = Callable[[Client, Hub], Awaitable[None]]


def playing(play: Play, era: str = "H", hub: Hub | None = None, **settings: Any) -> None:
    async def main() -> None:
        one = hub or Hub()
        async with before(one, **{**DIFF, **settings}) as w:
            client = await Client(w.port, era).open()
            await play(client, one)
            client.close()

    run(main())


async def asked(client: Client, **arguments: Any) -> Json:
    params: Json = {"name": "list", "arguments": arguments}
    if client.modern:
        params["_meta"] = {**META, CONVERSATION: "conversation"}
    return (await client.begin("tools/call", params)).result


def text(result: Json) -> str:
    (block,) = result["content"]
    return block["text"]


def told(result: Json) -> Changes | None:
    """What changed, if that is what a result says."""
    first, *lines, last = text(result).split("\n")
    if not first.startswith("[Changed since"):
        return None
    assert last.startswith("[All of it as it is now: read_result(id=")
    assert result["_meta"][NOTE]["since"] in first
    return Changes("lines" if first.endswith("unified diff:]") else "paths", lines)


async def whole(client: Client, which: str) -> str:
    found = (await client.call("read_result", id=which, limit=60_000)).result
    return text(found).partition("\n")[2]


ERAS = pytest.mark.parametrize("era", ["H", "M"])


@ERAS
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ROWS, closed(ROWS, 41)),
        (ROWS, [*ROWS[:7], {"id": 99}, *ROWS[8:-1]]),
        ({"rows": ROWS, "next": 1}, {"rows": ROWS, "at": 1.50}),
        (LINES, LINES.replace("line 7:", "line seven:")),
        (LINES, LINES + "\nmore\n"),
        (json.dumps(ROWS, indent=2), json.dumps(ROWS)),
    ],
)
def test_what_changed_is_told_exactly_and_all_of_it_is_kept(era: str, old: Any, new: Any) -> None:
    async def play(client: Client, hub: Hub) -> None:
        was = hub.says(old)
        assert text(await asked(client)) == was
        now = hub.says(new)
        got = await asked(client)
        found = told(got)
        assert found is not None
        after = patched(was, found)
        assert after == now if found.kind == "lines" else json.loads(after) == json.loads(now)
        assert counter()(text(got)) <= 0.3 * counter()(now)
        note = got["_meta"][NOTE]
        assert await whole(client, note["id"]) == now
        assert await whole(client, note["since"]) == was

    playing(play, era)


def test_changes_are_always_those_since_what_was_given_whole() -> None:
    async def play(client: Client, hub: Hub) -> None:
        was = hub.says(ROWS)
        await asked(client)
        rows = ROWS
        since: set[str] = set()
        for number in range(3):
            rows = closed(rows, number)
            hub.says(rows)
            got = await asked(client)
            found = told(got)
            assert found is not None
            assert json.loads(patched(was, found)) == rows
            since.add(got["_meta"][NOTE]["since"])
        assert len(since) == 1

    playing(play)


def test_who_asks_once_more_for_the_same_is_told_so_and_then_sent_it() -> None:
    async def play(client: Client, hub: Hub) -> None:
        hub.says(ROWS)
        await asked(client)
        now = hub.says(closed(ROWS, 5))
        assert told(await asked(client))
        assert text(await asked(client)).startswith("Unchanged:")
        assert text(await asked(client)) == now
        # And that is what later changes are told against.
        newer = closed(closed(ROWS, 5), 6)
        hub.says(newer)
        found = told(await asked(client))
        assert found is not None
        assert json.loads(patched(now, found)) == newer

    playing(play)


def test_of_what_is_over_the_budget_the_changes_take_no_more_than_a_preview() -> None:
    async def play(client: Client, hub: Hub) -> None:
        was = hub.says(MANY)
        shown = await asked(client)
        assert "array of 900 objects" in shown["content"][0]["text"]
        hub.says(closed(MANY, 777))
        got = await asked(client)
        found = told(got)
        assert found is not None
        assert json.loads(patched(was, found)) == closed(MANY, 777)
        assert got["_meta"][NOTE]["since"] == shown["_meta"][NOTE]["id"]
        # Forty changes are far less than the result, and more than its preview.
        hub.says([{**one, "state": "x"} if one["id"] < 40 else one for one in MANY])
        assert "array of 900 objects" in (await asked(client))["content"][0]["text"]

    playing(play)


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        (ROWS, [{**one, "state": "closed"} for one in ROWS], {}),
        (LINES, "something else " * 400, {}),
        ("few words", "few other words", {}),
        (ROWS, closed(ROWS, 1), {"isError": True}),
        (ROWS, closed(ROWS, 1), {"structuredContent": {"rows": closed(ROWS, 1)}}),
    ],
)
def test_what_is_no_shorter_short_failed_or_structured_is_sent(
    old: Any, new: Any, more: Any
) -> None:
    async def play(client: Client, hub: Hub) -> None:
        hub.says(old)
        await asked(client)
        now = hub.says(new, **more)
        got = await asked(client)
        assert text(got) == now
        assert got.get("structuredContent") == more.get("structuredContent")

    assert len(json.dumps(ROWS)) > LARGE
    playing(play)


def test_a_tool_with_a_schema_keeps_its_structured_content() -> None:
    async def play(client: Client, hub: Hub) -> None:
        for rows in (ROWS, closed(ROWS, 3)):
            hub.says(rows, structuredContent={"rows": rows})
            assert (await asked(client))["structuredContent"] == {"rows": rows}

    playing(play, hub=Hub(outputSchema={"type": "object", "required": ["rows"]}))


@pytest.mark.parametrize(
    "settings",
    [
        {"compact": {"repeats": "suppress", "results": "off"}},
        {"compact": {"repeats": "send", "results": "off"}},
        {"results": {}},
        {
            "compact": {"repeats": "diff", "results": "off"},
            "endpoints": {"/mcp": {"compact": {"repeats": "send", "results": "off"}}},
        },
    ],
)
def test_nothing_is_told_so_where_it_is_not_asked_for(settings: Json) -> None:
    async def play(client: Client, hub: Hub) -> None:
        hub.says(ROWS)
        await asked(client)
        now = hub.says(closed(ROWS, 5))
        assert text(await asked(client)) == now

    playing(play, **settings)


def test_tools_that_change_things_are_left_alone() -> None:
    async def play(client: Client, hub: Hub) -> None:
        for rows in (ROWS, closed(ROWS, 3)):
            now = hub.says(rows)
            assert text(await asked(client)) == now

    playing(play, hub=Hub(annotations={"readOnlyHint": False}))


def test_other_arguments_and_other_conversations_are_sent_everything() -> None:
    async def main() -> None:
        hub = Hub()
        async with before(hub, **DIFF) as w:
            one, other = [await Client(w.port, "H").open() for _ in range(2)]
            hub.says(ROWS)
            await asked(one, page=1)
            now = hub.says(closed(ROWS, 5))
            assert text(await asked(one, page=2)) == now
            assert text(await asked(other, page=1)) == now
            assert told(await asked(one, page=1))
            assert await without_conversation(w) == [now, now]
            one.close()
            other.close()

    run(main())


async def without_conversation(w: World) -> list[str]:
    return [text((await w.call("list", page=1)).result) for _ in range(2)]
