"""Whose results are, how long, and what they bring with them when they are read or passed on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.config.access import AccessSettings
from lockgate.context.body import NOTE
from lockgate.core.flowing import Answered
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Reply, Result, Target
from lockgate.core.policy import Decision
from lockgate.core.raw import Raw
from lockgate.core.sight import Everything
from lockgate.core.store import StoreGone
from lockgate.core.targets import Things
from lockgate.gateway.lending import Lending, Loan, Surroundings, Terms
from lockgate.gateway.result_reader import ResultReader
from lockgate.kit.deposits import Deposits
from lockgate.policies.flows import Flow, Flows
from lockgate.stores.memory import MemoryStore
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing import ManualClock
from lockgate.wire.seal import KeyRing
from tests.fronts.served import run
from tests.gateway.reloading import changing, child
from tests.gateway.test_results_budget import (
    LONG,
    ON,
    RESULTS,
    ROWS,
    lent,
    page,
    peer,
    result,
    said,
)
from tests.security.world import Json, before, gateway

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
SERVERS = ("a", "b", "c")


class Desk:
    """Lending in front of servers that answer with what they are told to."""

    def __init__(self, *flows: Flow, store: Any = None, keys: KeyRing | None = None) -> None:
        self.clock = ManualClock()
        self.seen: list[Json] = []
        self.decided: list[Decision] = []
        self.answers: dict[str, str] = {}
        self.shown = set(SERVERS)
        loan = Loan(budget=100, preview=50)
        terms = Terms(
            loans={(path, server): loan for path in ("/mcp", "/two") for server in SERVERS},
            endpoints={"/mcp": loan, "/two": loan},
            default="/mcp",
            minutes=1,
            arguments=1 << 20,
        )
        deposits = Deposits(
            store or MemoryStore(self.clock), keys or KeyRing.generate(), ttl=60, clock=self.clock
        )
        self.flows = Flows(flows, Answered(self.clock))
        self.lending = Lending(
            terms,
            deposits,
            [self.flows] if flows else [],
            lambda _, decision: self.decided.append(decision),
        )
        self.lending.look_into(
            Surroundings(
                owner=lambda call: f"{call.facts['endpoint']}\0{call.principal.id}",
                sight=lambda _: Everything(servers=tuple(self.shown)),
                definition=lambda *_: None,
                tool=lambda _: "read_result",
            )
        )
        self.reader = ResultReader(self.lending)

    async def _inner(self, call: Call) -> Reply:
        refused = self.flows.enter(call)
        if isinstance(refused, Failure):
            return refused
        self.seen.append(dict(call.params.get("arguments") or {}))
        target = call.target
        assert target is not None
        text = self.answers.get(target.server, "done")
        reply = Result(Raw.of({"content": [{"type": "text", "text": text}]}))
        self.flows.left(call, None, reply)
        return reply

    async def call(
        self, server: str, arguments: Any = None, who: str = "me", path: str = "/mcp"
    ) -> Reply:
        return await self.lending.around(server)["tools/call"](self._inner)(
            Call(
                method="tools/call",
                client=CLIENT,
                params=Raw.of({"name": "tool", "arguments": arguments or {}}),
                target=Target(server, "tool", "tool"),
                principal=Principal(id=who),
                facts={"endpoint": path},
            )
        )

    async def keep(self, server: str = "a", text: str = LONG, **more: Any) -> str:
        self.answers[server] = text
        reply = await self.call(server, **more)
        assert isinstance(reply, Result)
        return reply.raw["_meta"][NOTE]["id"]

    def asking(self, who: str, path: str, params: Json) -> Call:
        return Call(
            method="tools/call",
            client=CLIENT,
            params=Raw.of(params),
            principal=Principal(id=who),
            facts={"endpoint": path},
        )

    async def read(self, which: str, who: str = "me", path: str = "/mcp") -> str | Failure:
        """What the tool says, or "" where there is nothing for this caller."""
        call = self.asking(who, path, {"name": "read_result", "arguments": {"id": which}})
        reply = await self.reader.call(call)
        if isinstance(reply, Failure):
            return reply
        text = reply.raw["content"][0]["text"]
        uri = f"gw-result://{which}"
        by_uri = await self.reader.read(call.replace(method="resources/read"), uri)
        assert (by_uri is None) == (reply.raw.get("isError") is True)
        return "" if by_uri is None else text.partition("\n")[2]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=30)
@given(NAMES, NAMES, st.sampled_from(["/mcp", "/two"]), st.text(min_size=1, max_size=30))
def test_no_principal_reads_anothers(owner: str, other: str, path: str, guess: str) -> None:
    async def main() -> None:
        desk = Desk()
        which = await desk.keep(who=owner)
        same = owner == other and path == "/mcp"
        assert bool(await desk.read(which, other, path)) == same
        referred = await desk.call("b", {"x": {"$result": which}}, who=other, path=path)
        if same:
            assert desk.seen[-1] == {"x": ROWS}
        else:
            assert isinstance(referred, Failure)
            assert referred.reason == "reference-gone"
        assert not await desk.read(guess, owner)

    asyncio.run(main())


def test_a_result_goes_when_its_time_is_over() -> None:
    async def main() -> None:
        desk = Desk()
        which = await desk.keep()
        desk.clock.advance(59)
        assert await desk.read(which)
        desk.clock.advance(1)
        assert not await desk.read(which)
        refused = await desk.call("b", {"x": f"$result:{which}"})
        assert isinstance(refused, Failure)
        assert refused.reason == "reference-gone"
        assert desk.decided[-1].verdict == "refused"

    asyncio.run(main())


def test_who_may_no_longer_see_a_tool_reads_its_results_no_more() -> None:
    async def main() -> None:
        desk = Desk()
        which = await desk.keep("a")
        passed = await desk.keep("b", arguments={"x": {"$result": which}})
        desk.shown.remove("a")
        assert not await desk.read(which)
        # Nor what was made of them.
        assert not await desk.read(passed)
        assert isinstance(await desk.call("c", {"x": {"$result": passed}}), Failure)

    asyncio.run(main())


def test_what_is_passed_on_is_known_to_flows_however_often_and_however_late() -> None:
    flow = Flow("one", (Things(["a"]),), "deny", Things(["c"]), within=30)

    async def main() -> None:
        desk = Desk(flow)
        which = await desk.keep("a")
        desk.clock.advance(20)
        passed = await desk.keep("b", arguments={"x": {"$result": which, "path": "/0"}})
        desk.clock.advance(31)
        # What was read long ago is forgotten; what is carried along is not.
        assert isinstance(await desk.call("c"), Result)
        refused = await desk.call("c", {"x": {"$result": passed, "path": "/0"}})
        assert isinstance(refused, Failure)
        assert refused.reason == "flow-denied"
        assert isinstance(await desk.call("c"), Failure)

    asyncio.run(main())


def test_reading_counts_for_flows_as_calling_does() -> None:
    private = Flow("two", (Things(["b"]),), "deny", Things(["a"]), within=300)
    reading = Flow("one", (Things(["a"]),), "deny", Things(["c"]), within=30)

    async def main() -> None:
        desk = Desk(reading, private)
        which = await desk.keep("a")
        desk.clock.advance(31)
        assert isinstance(await desk.call("c"), Result)
        assert await desk.read(which)
        assert isinstance(await desk.call("c"), Failure)
        # What must not be called now is not read by way of its handle either.
        assert isinstance(await desk.call("b"), Result)
        refused = await desk.read(which)
        assert isinstance(refused, Failure)
        assert refused.reason == "flow-denied"

    asyncio.run(main())


def test_where_nothing_can_be_kept_nothing_is_lost() -> None:
    class Away(MemoryStore):
        async def put(self, *_: Any) -> None:
            raise StoreGone("away")

    async def main() -> None:
        desk = Desk(store=Away())
        desk.answers["a"] = LONG
        reply = await desk.call("a")
        assert isinstance(reply, Result)
        assert reply.raw["content"] == [{"type": "text", "text": LONG}]
        assert desk.decided[-1].verdict == "flagged"

    asyncio.run(main())


def test_a_store_that_is_away_is_told_from_a_result_that_is_gone() -> None:
    class Going(MemoryStore):
        away = False

        async def get(self, key: str, /) -> bytes | None:
            if self.away:
                raise StoreGone("away")
            return await super().get(key)

    async def main() -> None:
        store = Going()
        desk = Desk(store=store)
        which = await desk.keep()
        store.away = True
        refused = await desk.call("b", {"x": {"$result": which}})
        assert isinstance(refused, Failure)
        assert refused.reason == "reference-store"

    asyncio.run(main())


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["$result", "$result:"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["$result", "path", "x"]), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_what_is_no_reference_passes_as_it_is(value: Any) -> None:
    async def main() -> None:
        desk = Desk()
        assert isinstance(await desk.call("a", {"given": value}), Result)
        assert desk.seen == [{"given": value}]

    asyncio.run(main())


def test_what_is_put_in_place_is_not_looked_through_again() -> None:
    async def main() -> None:
        desk = Desk()
        first = await desk.keep("a")
        which = await desk.keep("b", json.dumps({"x": {"$result": first}, "pad": "y " * 500}))
        assert isinstance(await desk.call("c", {"x": f"$result:{which}/x"}), Result)
        assert desk.seen[-1] == {"x": {"$result": first}}

    asyncio.run(main())


def test_replicas_that_share_a_store_lend_each_others_results(tmp_path: Path) -> None:
    async def main() -> None:
        keys = KeyRing.generate()
        stores = [SqliteStore(tmp_path / "shared.db") for _ in range(2)]
        one, other = (Desk(store=store, keys=keys) for store in stores)
        # Both clocks are the wall's there.
        one.clock.advance(1)
        which = await one.keep()
        assert await other.read(which)
        assert not await other.read(which, "you")
        stranger = Desk(store=stores[1])
        assert not await stranger.read(which)
        for store in stores:
            await store.close()

    asyncio.run(main())


# In a running gateway.


def test_what_is_kept_is_what_the_client_would_have_been_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "ghp_" + "A1b2" * 9
    rows = [*ROWS, {"id": -1, "name": secret, "note": ""}]
    monkeypatch.setitem(RESULTS, "rows", said(json.dumps(rows)))

    async def play() -> None:
        async with before(peer(), results=ON, guard={"results": {"secrets": "redact"}}) as w:
            which = await lent(w, "rows")
            _, last = await page(w, id=which, path="/400")
            assert secret not in last
            assert "redacted" in last.lower()

    run(play())


def test_results_outlive_a_reload_and_end_with_their_permission() -> None:
    async def play() -> None:
        async with changing(results={**ON, "budget": 100}) as w:
            long = child("long", "x" * 400)
            await w.reload(child=long)
            client = await w.client("M")
            text = "many words " * 200
            which = (await client.call("new__echo", a=text)).result["_meta"][NOTE]["id"]
            await w.reload(child=child("two"))
            got = (await client.call("read_result", id=which)).result
            assert "isError" not in got
            w.settings["access"] = {"rules": [{"allow": "child"}, {"allow": "old"}]}
            await w.reload()
            gone = (await client.call("read_result", id=which)).result
            assert gone["isError"] is True

    run(play())


def rules(*more: Json) -> Json:
    return {"rules": [{"allow": "data"}, *more]}


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        ({"deny": "data/rows"}, True),
        ({"deny": "data/rows", "args": {"which": "x*"}}, True),
        ({"deny": "data/rows", "args": {"which": "y*"}}, False),
        ({"hide": "data/rows"}, True),
        ({"approve": "data/rows"}, False),
    ],
)
def test_who_may_no_longer_make_a_call_reads_no_more_what_came_of_it(
    more: Json, gone: bool
) -> None:
    denied_after(rules(), more, gone)


@pytest.mark.parametrize(
    ("first", "more", "gone"),
    [
        (None, {"deny": "data/rows"}, True),
        (None, {"hide": "data/rows"}, True),
        # What was asked is not known any more, so rules about it cannot tell.
        (None, {"deny": "data/rows", "args": {"which": "x*"}}, False),
        ({"allow": "data/rows", "args": {"which": "x*"}}, {"allow": "data/log"}, False),
    ],
)
def test_rules_without_arguments_hold_where_arguments_were_too_long_to_be_kept(
    first: Json | None, more: Json, gone: bool
) -> None:
    begin = rules() if first is None else {"rules": [{"allow": "data/take"}, first]}
    denied_after(begin, more, gone, "x" * 5000)


def denied_after(begin: Json, more: Json, gone: bool, which: str = "x1") -> None:
    asked = which

    async def play() -> None:
        async with before(peer(), results=ON, access=begin) as w:
            which = (await result(w, "rows", which=asked))["_meta"][NOTE]["id"]
            config = w.gateway._config  # pyright: ignore[reportPrivateUsage] - to change one key
            changed = {"rules": [*begin["rules"], more]}
            access = AccessSettings.model_validate(changed)
            await w.gateway.reload(config.with_settings(access=access))
            told = (await w.call("read_result", id=which)).json
            assert ("error" in told or told["result"].get("isError") is True) == gone
            referred = (await w.call("take", rows={"$result": which})).json
            assert ("error" in referred or referred["result"].get("isError") is True) == gone

    run(play())


def test_what_is_passed_on_is_judged_by_rules_about_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "ghp_" + "A1b2" * 9
    monkeypatch.setitem(RESULTS, "log", said(f"{'fine ' * 3000}\n{secret}"))
    limit = {"deny": "data/take", "args": {"text": "fine*"}}

    async def play() -> None:
        one = peer()
        async with before(one, results=ON, access=rules(limit), guard={"secrets": "block"}) as w:
            which = await lent(w, "log")
            refused = (await w.call("take", text=f"$result:{which}")).error
            assert refused["data"]["reason"] == "access-denied"
        let_pass = {"secrets": "block", "results": {"secrets": "off"}}
        async with before(one, results=ON, guard=let_pass) as w:
            which = await lent(w, "log")
            told = (await w.call("take", text={"$result": which})).json
            assert "error" in told or told["result"]["isError"]
            assert one.called() == ["log", "log"]

    run(play())


def test_two_gateways_with_one_store_and_one_key(tmp_path: Path) -> None:
    key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    shared: Json = {"store": f"sqlite:{tmp_path}/s.db", "session": {"keys": [key]}, "results": ON}

    async def play() -> None:
        one = peer()
        async with before(one, **shared) as first:
            which = await lent(first, "rows")
            entry: Json = {"data": {"url": one.url, "era": "modern"}}
            async with gateway(entry, **shared) as second:
                assert (await page(second, id=which, path="/3/id"))[1] == "3"
                taken = await result(second, "take", rows={"$result": which})
                assert taken["structuredContent"] == {"rows": 400}

    run(play())


@pytest.mark.parametrize("era", ["H", "M"])
def test_anonymous_callers_need_the_id(era: str) -> None:
    async def play() -> None:
        async with changing(results={**ON, "budget": 100}) as w:
            client, other = await w.client(era), await w.client(era)
            which = (await client.call("new__echo", a="many words " * 200)).result["_meta"][NOTE]
            assert (await other.call("read_result", id=which["id"])).result
            wrong = which["id"][:-1] + ("a" if which["id"][-1] != "a" else "b")
            assert (await other.call("read_result", id=wrong)).result["isError"] is True

    run(play())
