"""What is kept is listed for whom it is kept, and for nobody else."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.config.access import AccessSettings
from lockgate.context.tokens import counter
from lockgate.core.message import ANONYMOUS, Call, ClientFacts, Principal, Result
from lockgate.core.raw import Raw
from lockgate.core.targets import Things
from lockgate.gateway.recalling import GUESSED, NONE, PAGE, told, whose
from lockgate.gateway.result_reader import NAME
from lockgate.identity.keys import new_key, write_keys
from lockgate.kit.inventory import MOST, Inventory
from lockgate.kit.sealed import Sealed
from lockgate.policies.flows import Flow
from lockgate.policies.repeats import CONVERSATION
from lockgate.stores.memory import MemoryStore
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing import ManualClock
from lockgate.wire.seal import KeyRing
from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.gateway.test_lending import Desk
from tests.gateway.test_results_budget import LONG, ON, peer
from tests.security.world import META, Json, before, gateway

ERAS = ("H", "M")
NAMED = "c" * GUESSED


async def listed(desk: Desk, who: str = "me", path: str = "/mcp", **asked: Any) -> list[str]:
    """The lines of a list, and the head before them; [] where there is nothing."""
    call = desk.asking(who, path, {"name": NAME, "arguments": asked})
    reply = await desk.reader.call(call)
    assert isinstance(reply, Result)
    text = reply.raw["content"][0]["text"]
    if reply.raw.get("isError") or text == NONE:
        return []
    return text.split("\n")


def handles(lines: list[str]) -> list[str]:
    return [one.split(" ")[0] for one in lines[1:]]


def test_a_line_says_what_it_is_and_nothing_that_stands_in_it() -> None:
    async def main() -> None:
        desk = Desk()
        desk.clock.advance(5)
        which = await desk.keep("a", arguments={"month": "05", "n": 3})
        desk.clock.advance(40)
        head, line = await listed(desk)
        assert head == "[1 results, of at most 1, newest first]"
        assert line == (
            f'{which} tool {{"month":"05","n":3}} - 40 s ago, kept 20 s more; {len(LONG)} bytes, '
            f"about {line.split('about ')[1].split(' ')[0]} tokens; JSON, array of 400 objects"
        )
        assert counter()(line) < 80
        assert "note" not in line

    asyncio.run(main())


def test_the_newest_are_first_in_pages_and_what_is_over_is_gone() -> None:
    async def main() -> None:
        desk = Desk()
        made: list[str] = []
        for number in range(PAGE + 5):
            made.append(await desk.keep(text=f"{number} " + LONG))
            desk.clock.advance(1)
        lines = await listed(desk)
        assert handles(lines) == made[:4:-1]
        assert f"next: offset={PAGE}" in lines[0]
        assert handles(await listed(desk, offset=PAGE)) == made[4::-1]
        assert handles(await listed(desk, limit=2)) == made[:-3:-1]
        # The same again is the newest, once.
        await desk.keep(text="0 " + LONG)
        assert handles(await listed(desk, limit=2)) == [made[0], made[-1]]
        desk.clock.advance(60)
        assert await listed(desk) == []

    asyncio.run(main())


def test_what_made_room_for_later_ones_is_not_told_of() -> None:
    async def main() -> None:
        clock = ManualClock()
        desk = Desk(store=MemoryStore(clock, max_bytes=2 * len(LONG) + 20_000))
        made = [await desk.keep(text=f"{number} " + LONG) for number in range(4)]
        kept = handles(await listed(desk))
        # One may have lost its end, and be there by its beginning.
        readable = [which for which in made if await desk.read(which)]
        assert set(readable) <= set(kept)
        assert 0 < len(kept) < 4

    asyncio.run(main())


OWNERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=25)
@given(OWNERS, OWNERS, st.sampled_from(["/mcp", "/two"]))
def test_no_principal_is_told_of_anothers(owner: str, other: str, path: str) -> None:
    async def main() -> None:
        desk = Desk()
        which = await desk.keep(who=owner)
        same = owner == other and path == "/mcp" and owner != ANONYMOUS.id
        assert (which in handles(await listed(desk, other, path))) == same

    asyncio.run(main())


def test_what_may_no_longer_be_seen_is_not_told_of() -> None:
    async def main() -> None:
        desk = Desk()
        which = await desk.keep("a")
        passed = await desk.keep("b", arguments={"x": {"$result": which}})
        plain = await desk.keep("c")
        assert set(handles(await listed(desk))) == {which, passed, plain}
        desk.shown.remove("a")
        assert handles(await listed(desk)) == [plain]

    asyncio.run(main())


def test_a_list_is_no_reading_and_tells_no_arguments_where_flows_are_watched() -> None:
    flow = Flow("one", (Things(["a"]),), "deny", Things(["c"]), within=30)

    async def main() -> None:
        desk = Desk(flow)
        await desk.keep("a", arguments={"body": "private"})
        desk.clock.advance(31)
        assert "private" not in "".join(await listed(desk))
        assert isinstance(await desk.call("c"), Result)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ({"password": "hunter2hunter2"}, '{"password":"********"}'),
        ({"a": {"api_key": 7}}, '{"a":{"api_key":"********"}}'),
        ({"token": ["one", "two"]}, '{"token":"********"}'),
        ({"q": "configured"}, '{"q":"#"}'),
        ({"q": "x" * 90}, '{"q":"' + "x" * 40 + '…"}'),
        ({"deep": [[[[[[[1]]]]]]]}, '{"deep":[[[[["…"]]]]]}'),
        ({}, ""),
    ],
)
def test_arguments_are_told_in_short_and_without_secrets(arguments: Json, shown: str) -> None:
    data = json.dumps(arguments).encode()
    assert told(data, "x", 1, lambda text: text.replace("configured", "#"))[0] == shown


def test_secrets_are_known_by_their_form_even_where_they_would_be_cut() -> None:
    secret = "ghp_" + "A1b2" * 9
    data = json.dumps({"q": "y" * 30 + " " + secret, secret: 1}).encode()
    (asked, _, _) = told(data, "x", 1, str)
    assert "A1b2A1b2" not in asked
    assert told(b"[" * 20_000, "x", 1, str)[0] == "(20000 bytes)"
    assert told(b"not json", "x", 1, str)[0] == ""


# Callers that are not told apart.


def call(affinity: str | None = None, named: str | None = None, **facts: str) -> Call:
    meta = {} if named is None else {"_meta": {CONVERSATION: named}}
    return Call(
        method="tools/call",
        client=ClientFacts(era="modern", protocol_version="2026-07-28"),
        params=Raw.of(meta),
        affinity=affinity,
        facts=facts,
    )


def test_who_is_not_told_apart_has_a_list_only_where_nobody_can_guess_it() -> None:
    assert whose(call(), "o") is None
    assert whose(call(named="c1"), "o") is None
    lists = {
        whose(call(named=NAMED), "o"),
        whose(call(named="d" * GUESSED), "o"),
        whose(call(NAMED), "o"),
        whose(call(transport="stdio"), "o"),
        whose(call(NAMED), "p"),
        "o",
    }
    assert len(lists) == 6
    assert None not in lists
    # The constant that every process on stdio goes by is no secret.
    assert whose(call("stdio", transport="stdio"), "o") == whose(call(transport="stdio"), "o")
    me = call().replace(principal=Principal(id="me"))
    assert whose(me, "o") == "o"


@pytest.mark.parametrize("era", ERAS)
def test_anonymous_clients_are_told_of_their_own_alone(era: str) -> None:
    async def play() -> None:
        async with before(peer(), results=ON) as w:
            one, other = [await Client(w.port, era).open() for _ in range(2)]
            which = (await one.call("rows")).result["_meta"]["io.github.lockgate/result"]["id"]
            mine, theirs = [(await who.call(NAME)).result for who in (one, other)]
            if era == "H":
                assert which in mine["content"][0]["text"]
                assert theirs["content"][0]["text"] == NONE
            else:
                assert mine == theirs
                assert mine["isError"] is True
            # By its id everyone reads it, as ever.
            assert "isError" not in (await other.call(NAME, id=which)).result
            one.close()
            other.close()

    run(play())


def test_stateless_clients_name_a_conversation() -> None:
    async def play() -> None:
        async with before(peer(), results=ON) as w:

            async def asked(name: str, conversation: str) -> Json:
                meta = {**META, CONVERSATION: conversation}
                params = {"name": name, "arguments": {}, "_meta": meta}
                return (await w.post("tools/call", params)).result

            which = (await asked("rows", NAMED))["_meta"]["io.github.lockgate/result"]["id"]
            assert which in (await asked(NAME, NAMED))["content"][0]["text"]
            assert (await asked(NAME, "d" * GUESSED))["content"][0]["text"] == NONE
            assert (await asked(NAME, "short"))["isError"] is True

    run(play())


# In running gateways, by who they are.


@pytest.mark.parametrize("era", ERAS)
def test_each_caller_recovers_its_own_over_replicas_and_sessions(era: str, tmp_path: Path) -> None:
    made = {name: new_key(name, time.time()) for name in ("ada", "bob")}
    (tmp_path / "keys.json").write_bytes(write_keys(key for _, key in made.values()))
    settings: Json = {
        "store": f"sqlite:{tmp_path}/s.db",
        "session": {"keys": ["MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]},
        "results": ON,
        "auth": {"keys_file": str(tmp_path / "keys.json")},
        "public_url": "http://127.0.0.1",
        "access": {"rules": [{"allow": "data", "who": {"authenticated": True}}]},
        "endpoints": {"/mcp": {}, "/two": {}},
    }

    async def play() -> None:
        one = peer()
        async with before(one, **settings) as first:
            entry: Json = {"data": {"url": one.url, "era": "modern"}}
            async with gateway(entry, **settings) as second:

                async def texts(name: str, path: str = "/mcp") -> list[str]:
                    found: list[str] = []
                    for w in (first, second):
                        client = Client(w.port, era, token=made[name][0], path=path)
                        got = (await (await client.open()).call(NAME)).result
                        found.append(got["content"][0]["text"])
                        client.close()
                    return found

                kept: list[str] = []
                for w, tool in ((first, "rows"), (second, "log")):
                    client = await Client(w.port, era, token=made["ada"][0]).open()
                    got = (await client.call(tool, which=tool)).result
                    kept.append(got["_meta"]["io.github.lockgate/result"]["id"])
                    client.close()
                for text in await texts("ada"):
                    assert all(which in text for which in kept)
                    assert 'rows {"which":"rows"}' in text
                assert await texts("bob") == [NONE, NONE]
                assert await texts("ada", "/two") == [NONE, NONE]

    run(play())


def test_parameters_an_endpoint_does_not_show_are_not_told() -> None:
    secret = {"parameters": {"which": {"value": "tenant-7"}}}

    async def play() -> None:
        present = {"endpoints": {"/mcp": {"present": {"data/rows": secret}}}}
        async with before(peer(), results=ON, **present) as w:
            client = await Client(w.port, "H").open()
            (await client.call("rows", shown="yes")).result  # noqa: B018 - it has to be one
            text = (await client.call(NAME)).result["content"][0]["text"]
            client.close()
            assert '{"shown":"yes"}' in text
            assert "tenant-7" not in text

    run(play())


def test_rules_about_arguments_hold_for_lists_as_well() -> None:
    def rules(*more: Json) -> Json:
        return {"rules": [{"allow": "data"}, *more]}

    async def play() -> None:
        async with before(peer(), results=ON, access=rules()) as w:
            client = await Client(w.port, "H").open()
            await client.call("rows", which="x1")
            assert "rows" in (await client.call(NAME)).result["content"][0]["text"]
            config = w.gateway._config  # pyright: ignore[reportPrivateUsage] - to change one key
            denied = rules({"deny": "data/rows", "args": {"which": "x*"}})
            access = AccessSettings.model_validate(denied)
            await w.gateway.reload(config.with_settings(access=access))
            assert "rows" not in (await client.call(NAME)).result["content"][0]["text"]
            client.close()

    run(play())


def test_the_tool_costs_hardly_more_for_it() -> None:
    async def play() -> None:
        async with before(peer(), results=ON) as w:
            listed = (await w.post("tools/list")).result["tools"]
            (own,) = [one for one in listed if one["name"] == NAME]
            assert counter()(json.dumps(own, separators=(",", ":"))) <= 170

    run(play())


# What keeps it.


def test_replicas_add_to_lists_next_to_each_other(tmp_path: Path) -> None:
    async def main() -> None:
        clock, keys = ManualClock(), KeyRing.generate()
        clock.advance(100)
        stores = [SqliteStore(tmp_path / "s.db", clock) for _ in range(4)]
        each = [Inventory(Sealed(store, keys, ttl=60, clock=clock)) for store in stores]
        for number in range(12):
            await each[number % 4].note("me", f"h{number:02}")
            clock.advance(1)
        assert await each[0].handles("me") == [f"h{number:02}" for number in range(11, -1, -1)]
        assert await each[1].handles("you") == []
        clock.advance(54)
        assert await each[2].handles("me") == [f"h{number:02}" for number in range(11, 6, -1)]
        for store in stores:
            await store.close()

    asyncio.run(main())


def test_lists_are_bounded_and_lose_nothing_of_what_is_noted_at_once() -> None:
    async def main() -> None:
        clock = ManualClock()
        one = Inventory(Sealed(MemoryStore(clock), KeyRing.generate(), ttl=60, clock=clock))
        await asyncio.gather(*(one.note("me", f"h{number:03}") for number in range(MOST)))
        assert len(await one.handles("me")) == MOST
        clock.advance(1)
        await one.note("me", "last")
        found = await one.handles("me")
        assert len(found) == MOST
        assert found[0] == "last"

    asyncio.run(main())
