"""What previews save of the tokens of results: python -m bench.context.results FILE [--json].

Each line of FILE is a result: `texts`, and `structuredContent` or null, and the `tool` it is of.
Without FILE some of our own making are measured. The way is the gateway's own, by default with
what it does by default: JSON without needless space (`lockgate.policies.shortening`), then
previews of what is over the budget. What is counted is all that a model may be shown of a result,
its text blocks and the JSON of its link, with the tokenizer of o200k_base; saved is what that is
less than what the tools answered. Results that were cut when they were recorded save less here
than they did. How good the previews are is told as well (`bench.context.quality`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from bench.context import quality
from lockgate.context.body import NOTE, body_of
from lockgate.context.tokens import Count, Estimate, counter
from lockgate.core.message import Call, ClientFacts, Reply, Result, Target
from lockgate.core.raw import EMPTY, Raw
from lockgate.core.sight import Everything
from lockgate.gateway.lending import Lending, Loan, Surroundings, Terms
from lockgate.kit.deposits import Deposits
from lockgate.kit.pages import BUDGET, PREVIEW
from lockgate.policies.shortening import ResultShape, Shortening
from lockgate.stores.memory import MemoryStore
from lockgate.wire.seal import KeyRing

DEFAULT: Final = ResultShape()
BUDGETS: Final = (500, 1000, BUDGET, 2000, 4000)
_CLIENT: Final = ClientFacts(era="modern", protocol_version="2026-07-28")


class Recorded(NamedTuple):
    """A result, and the tool it is of."""

    raw: Raw
    tool: str = "tool"


class Figures(msgspec.Struct, frozen=True):
    """What one budget comes to.

    results, over  how many there were, and how many were over the budget.
    before, after  tokens of all of them, as they were and as they are shown.
    long           tokens of those over the budget, as they were: no preview can save more.
    largest        tokens of the largest that is shown by a preview.
    previews       tokens of all previews.
    quality        how good they are, see `bench.context.quality`.
    """

    budget: int
    results: int
    over: int
    before: int
    after: int
    long: int
    largest: int
    previews: int
    quality: dict[str, float]

    @property
    def saved(self) -> float:
        """The share of all tokens that is saved."""
        return 1 - self.after / self.before if self.before else 0.0


def read(path: Path) -> list[Recorded]:
    """The results of a file, as tools would give them."""
    found: list[Recorded] = []
    for line in filter(str.strip, path.read_text("utf-8").split("\n")):
        said: dict[str, Any] = json.loads(line)
        members: dict[str, Any] = {
            "content": [{"type": "text", "text": text} for text in said["texts"]]
        }
        if said.get("structuredContent") is not None:
            members["structuredContent"] = said["structuredContent"]
        raw = Raw(json.dumps(members, ensure_ascii=False).encode())
        found.append(Recorded(raw, said.get("tool") or "tool"))
    return found


def tokens(result: Raw, count: Count) -> int:
    """What a model may be shown of it."""
    blocks: Sequence[dict[str, Any]] = result["content"]
    return sum(count(one["text"] if one["type"] == "text" else json.dumps(one)) for one in blocks)


async def measured(
    results: Iterable[Recorded],
    budget: int = BUDGET,
    preview: int = PREVIEW,
    shape: ResultShape = DEFAULT,
    count: Count | None = None,
) -> Figures:
    """What a budget comes to, after `shape` has made of results what it makes of them.

    `count` counts what comes of it; the gateway has its own.
    """
    count = count or counter()
    around = _lending(Loan(budget=budget, preview=preview)).around("server")["tools/call"]
    lens = Shortening({"/mcp": shape}, Estimate(), lambda *_: None)
    before = after = long = largest = previews = total = 0
    goods: list[quality.Good] = []
    for one in results:
        total += 1

        async def tool(call: Call, raw: Raw = one.raw) -> Reply:
            return lens.outward(call, Result(raw))

        shown = await around(tool)(_call(one.tool))
        assert isinstance(shown, Result)
        was, now = tokens(one.raw, count), tokens(shown.raw, count)
        before, after = before + was, after + now
        if b"gw-result://" in shown.raw.encode() and NOTE in shown.raw.object("_meta"):
            long, largest, previews = long + was, max(largest, now), previews + now
            goods.append(quality.judged(body_of(one.raw).text, shown.raw["content"][0]["text"]))
    return Figures(
        budget, total, len(goods), before, after, long, largest, previews, quality.mean(goods)
    )


def _lending(loan: Loan) -> Lending:
    store = MemoryStore(max_bytes=1 << 30)
    terms = Terms({("/mcp", "server"): loan}, {"/mcp": loan}, "/mcp", 60, 1 << 22)
    deposits = Deposits(store, KeyRing.generate(), ttl=3600, per_owner=1 << 30)
    lending = Lending(terms, deposits, (), lambda *_: None)
    lending.look_into(
        Surroundings(
            owner=lambda _: "",
            sight=lambda _: Everything(servers=("server",)),
            definition=lambda *_: EMPTY,
            tool=lambda _: "read_result",
        )
    )
    return lending


def _call(tool: str) -> Call:
    return Call(
        method="tools/call",
        client=_CLIENT,
        target=Target("server", "tool", tool),
        facts={"endpoint": "/mcp"},
    )


def page_of(size: int) -> Recorded:
    """One long result: a page of prose as scrapers give it, of so many bytes."""
    paragraphs = [
        f"## Section {number}\n\nParagraph {number} says what the page says there, at some length, "
        f"with a link to https://example.com/{number} and a number or two ({number * 37}).\n\n"
        for number in range(size // 100)
    ]
    text = "".join(paragraphs)[:size]
    return _plain(text)


def _plain(text: str) -> Recorded:
    return Recorded(Raw(json.dumps({"content": [{"type": "text", "text": text}]}).encode()))


def own() -> list[Recorded]:
    """Results as tools give them, most of them short, of our own making."""
    rows = [
        {"id": number, "name": f"item {number}", "price": number * 1.5, "tags": ["new", "blue"]}
        for number in range(120)
    ]
    log = "\n".join(
        f"12:{number % 60:02} worker {number % 4} took task {number}" for number in range(300)
    )
    table = "\n".join(f"{number},city {number},{number * 911}" for number in range(300))
    short = [f"Done: task {number} was added to list {number % 3}." for number in range(30)]
    texts = [
        *short,
        json.dumps(rows, indent=2),
        log,
        f"id,city,people\n{table}",
        json.dumps(rows[:9]),
    ]
    return [*map(_plain, texts), page_of(20_000)]


async def every(results: Sequence[Recorded]) -> dict[str, Any]:
    """All figures."""
    rows = [await measured(results, budget) for budget in BUDGETS]
    alone = await measured([page_of(50_000)])
    return {
        "exact": counter().exact,
        "budgets": [{**msgspec.structs.asdict(one), "saved": round(one.saved, 4)} for one in rows],
        "50 KB page": {
            "before": alone.before,
            "after": alone.after,
            "saved": round(alone.saved, 4),
        },
    }


def main() -> None:
    """Print what a file comes to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(every(read(options.file) if options.file else own()))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print("| budget | results over it | their tokens | a preview | all tokens | as shown | saved |")
    print("|---|---|---|---|---|---|---|")
    for one in found["budgets"]:
        over = f"{one['over']} of {one['results']}"
        print(
            f"| {one['budget']:,} | {over} | {one['long']:,} | "
            f"{one['previews'] / max(one['over'], 1):.0f} | {one['before']:,} | "
            f"{one['after']:,} | {one['saved']:.1%} |"
        )
    good = next(one["quality"] for one in found["budgets"] if one["budget"] == BUDGET)
    print(
        "\nOf those previews: " + ", ".join(f"{what} {share:.0%}" for what, share in good.items())
    )
    page = found["50 KB page"]
    print(
        f"\nA page of 50 KB: {page['before']:,} tokens, shown with {page['after']:,}: "
        f"{page['saved']:.1%} saved."
    )


if __name__ == "__main__":
    main()
