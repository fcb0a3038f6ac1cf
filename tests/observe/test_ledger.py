"""What models are given: bytes exactly, tokens by samples, bounded, and off the path of a call."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lockgate.context.spent import definition_text, list_text, result_text
from lockgate.context.tokens import Estimate, counter
from lockgate.core.message import Call, ClientFacts, Failure, Principal, Result, Target
from lockgate.core.raw import Raw
from lockgate.observe import ledger as module
from lockgate.observe.ledger import LISTS, Ledger, ListLedger, ResultLedger

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28", name="claude-code")


def call(tool: str = "search", client: str = "claude-code", who: str = "ann") -> Call:
    facts = ClientFacts(era="modern", protocol_version="2026-07-28", name=client)
    target = Target("shop", "tool", tool)
    return Call(method="tools/call", client=facts, target=target, principal=Principal(id=who))


def result(text: str) -> Result:
    return Result(Raw.of({"content": [{"type": "text", "text": text}]}))


def given(*replies: tuple[Call, Any], make: Any = counter) -> Ledger:
    ledger = Ledger(make)

    async def play() -> None:
        lens = ResultLedger(ledger)
        for one, reply in replies:
            assert lens.inward(one) is one
            assert lens.outward(one, reply) is reply
        await ledger.settled()

    asyncio.run(play())
    return ledger


def test_bytes_are_exact_and_tokens_are_those_of_the_sample() -> None:
    reply = result("The parcel was posted on Monday. " * 50)
    ledger = given(*[(call(), reply)] * 4, (call(who="bob"), reply))
    size = len(reply.raw.encode())
    cells = {who: cell for (_, _, who), cell in ledger.cells.items()}
    assert (cells["ann"].times, cells["ann"].size) == (4, 4 * size)
    read = counter()("The parcel was posted on Monday. " * 50)
    assert round(sum(ledger.tokens().values())) == pytest.approx(5 * read, rel=0.01)
    assert ledger.exact


def test_what_counts_says_whether_it_does() -> None:
    assert given((call(), result("a")), make=Estimate).exact is False
    assert Ledger().exact is None


def test_failures_and_lists_of_others_are_no_results() -> None:
    failure = Failure(code=-32603, message="no", origin="gateway", reason="x")
    assert given((call(), failure)).cells == {}


def test_lists_are_added_up_by_client_and_identity() -> None:
    ledger = Ledger()
    listed = Result(Raw.of({"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}))
    one = Call(method="tools/list", client=CLIENT, principal=Principal(id="ann"))

    async def play() -> None:
        ListLedger(ledger).outward(one, listed)
        await ledger.settled()

    asyncio.run(play())
    ((key, tokens),) = ledger.tokens().items()
    assert key == (LISTS, "claude-code", "ann")
    assert round(tokens) == counter()('{"name":"a","inputSchema":{"type":"object"}}')


def test_large_results_are_sampled_for_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 10_000)
    # Few and dense against many and thin: sampled one by one, the first kind would be everything.
    dense, thin = result("x y z " * 2_000), result("internationalisation ")
    replies = [(call(), thin)] * 200 + [(call(), dense)] * 20
    ledger = given(*replies)
    real = sum(counter()(result_text(one.raw.encode())) for _, one in replies)
    assert sum(ledger.tokens().values()) == pytest.approx(real, rel=0.25)


def test_whoever_makes_up_names_costs_a_bounded_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 10)
    reply = result("a")
    calls = [(call(tool=f"t{at}", client="c" * at, who=f"w{at}"), reply) for at in range(300)]
    ledger = given(*calls)
    assert len(ledger.cells) <= 12
    assert len(ledger.rates) <= 12
    assert sum(cell.times for cell in ledger.cells.values()) == 300
    assert len(ledger._waiting) == 0


def test_samples_wait_in_a_bounded_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 1)
    ledger = Ledger(Estimate)

    async def play() -> None:
        lens = ResultLedger(ledger)
        ledger._counting = asyncio.get_running_loop().create_future()
        for _ in range(500):
            lens.outward(call(), result("a"))
        assert len(ledger._waiting) == module.MOST_WAITING
        ledger._counting.cancel()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]}, ""),
        ({"content": [{"type": "resource", "resource": {"uri": "x:", "text": "c"}}]}, "c"),
        (
            {"content": [{"type": "resource_link", "uri": "x:1"}]},
            '{"type":"resource_link","uri":"x:1"}',
        ),
        ({"contents": [{"uri": "x:", "text": "d"}]}, "d"),
        ({"messages": [{"role": "user", "content": {"type": "text", "text": "e"}}]}, "e"),
        ({"structuredContent": {"a": 1}}, '{"a":1}'),
        ({"content": [7, None]}, "\n"),
    ],
)
def test_what_a_model_reads_of_a_result(raw: Any, read: str) -> None:
    assert result_text(json.dumps(raw).encode()) == read


def test_what_a_model_reads_of_tools() -> None:
    tool = {"name": "a", "title": "A", "inputSchema": {}, "_meta": {}, "annotations": {}}
    assert definition_text(tool) == '{"name":"a","inputSchema":{}}'
    assert list_text(json.dumps({"tools": [tool, 7]}).encode()) == definition_text(tool)
    assert list_text(b"[") == list_text(b"7") == list_text(b'{"tools":1}') == ""
