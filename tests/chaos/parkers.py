"""Clients whose calls are put on hold: a server asks them something, they think, and answer.

Must not know: the gateway's inside, schedules. What came of each call is written down, whether or
not it was asked about; `check` holds the whole book against what servers saw.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from lockgate.core.codes import ENTRIES
from tests.bridge.clients import Begun, Client
from tests.chaos.http_server import OWN_ERROR

Json = dict[str, Any]
PATIENCE = 60.0
THINKS = 0.6
LEAVES = 0.05
NONCES = count(1)


@dataclass
class Asked:
    """What one call came to.

    kind      `result`; `error`; `left`, as the client went away; `lost`, as the gateway did.
    question  what the server wanted to know, None if nothing.
    answered  the client answered.
    """

    number: int
    server: str
    nonce: str
    kind: str = "lost"
    question: str | None = None
    answered: bool = False
    body: Json = field(default_factory=dict)

    @property
    def answer(self) -> str:
        """What this client says to this question, and nobody else ever does."""
        return f"answer {self.nonce} of {self.number}"

    @property
    def reason(self) -> str:
        """The gateway's reason for an error, or `own` for one of the server's own."""
        data = self.body.get("data")
        return str(data.get("reason", "own")) if isinstance(data, dict) else "own"

    @property
    def unsent(self) -> bool:
        """The error says that the server has not seen this request."""
        data = self.body.get("data")
        return isinstance(data, dict) and data.get("sent") is False


class Parker:
    """One client of either era."""

    def __init__(self, number: int, era: str, port: int) -> None:
        self.number = number
        self.client = Client(port, era)

    async def open(self) -> Parker:
        """Shake hands, where the era has that."""
        await self.client.open()
        self._hang_up()
        return self

    async def call(self, server: str, think: float = 0.0, leave: bool = False) -> Asked:
        """One call; with `leave` the client goes away instead of answering."""
        asked = Asked(self.number, server, f"{self.number}-p{next(NONCES)}")
        params = {"name": f"{server}__ask", "arguments": {"nonce": asked.nonce}}
        begun = Begun("tools/call", params)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._go_on(begun, asked, think, leave)
        except TimeoutError:
            raise AssertionError(f"never answered: {asked}") from None
        except (OSError, EOFError):
            return asked
        finally:
            self._hang_up()
        if begun.response is not None and asked.kind != "left":
            asked.kind = "result" if "result" in begun.response else "error"
            asked.body = begun.response[asked.kind]
        return asked

    async def _go_on(self, begun: Begun, asked: Asked, think: float, leave: bool) -> None:
        client = self.client
        await client.send(begun)
        await client.read(begun)
        if not begun.asked:
            return
        [request] = begun.asked.values()
        assert request["method"] == "elicitation/create", request
        asked.question = request["params"]["message"]
        await asyncio.sleep(think)
        if leave:
            asked.kind = "left"
            return
        content = {"name": asked.answer}
        client.answers["elicitation/create"] = {"action": "accept", "content": content}
        asked.answered = True
        await client.answer(begun)
        assert not begun.asked, f"asked a second time: {begun}"

    def _hang_up(self) -> None:
        self.client.close()
        self.client.streams.clear()


class Parkers:
    """Some such clients, each with one call after the other."""

    def __init__(self, clients: Sequence[Parker], servers: Sequence[str], seed: int) -> None:
        self.clients = clients
        self.book: list[Asked] = []
        self.leaves = LEAVES
        self._servers = servers
        self._seed = seed
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._stopping.clear()
        self._tasks = [asyncio.create_task(self._work(one)) for one in self.clients]

    def raise_problems(self) -> None:
        """Raise what a client met that must not be."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """Let every client finish its call."""
        self._stopping.set()
        await asyncio.gather(*self._tasks)

    async def _work(self, parker: Parker) -> None:
        chance = Random(f"{self._seed} parker {parker.number}")  # noqa: S311 - no secret
        while not self._stopping.is_set():
            await asyncio.sleep(chance.uniform(0, 0.1))
            server, think = chance.choice(self._servers), chance.uniform(0, THINKS)
            leave = chance.random() < self.leaves
            asked = await parker.call(server, think, leave)
            self.book.append(asked)
            if asked.kind == "lost":
                await asyncio.sleep(0.05)

    async def all_work(self) -> bool:
        """Whether a client of each era gets its own answer from every server, as all is well."""
        book = [await one.call(name) for one in self.clients[:2] for name in self._servers]
        self.book += book
        return all(one.kind == "result" and one.answered for one in book)


def check(
    book: Sequence[Asked],
    runs: Counter[str],
    well: Collection[str],
    reasons: Collection[str],
    not_sent: Collection[str],
    interrupted: bool = False,
    stopped: bool = False,
) -> None:
    """What holds of parked calls in every storm.

    `reasons` are those the gateway may have for servers in trouble, `not_sent` those that promise
    that the server has not seen the request; `interrupted`: the gateway itself was; `stopped`: it
    was told to stop.
    """
    assert any(one.answered for one in book)
    for one in book:
        key = f"{one.server} {one.nonce}"
        ran, taken = runs[key], runs[f"{key} answered"]
        assert ran <= 1, f"ran more than once: {one}"
        assert taken <= one.answered, f"answered {taken} times at the server: {one}"
        assert one.question in (None, one.nonce), f"another call's question: {one}"
        if one.kind == "result":
            said = {"server": one.server, "tool": "ask", "nonce": one.nonce, "answer": one.answer}
            assert one.body["structuredContent"] == said, one
            assert ran == taken == 1, one
        elif one.kind == "error":
            _typed(one, reasons)
            # A child is asked by several at once, on one stream: it may not be told who is asked,
            # and then says so itself.
            own = one.server.endswith("child") and one.reason == "own" and not one.answered
            healthy = one.server in well and not own
            assert interrupted or stopped or not healthy, f"a healthy server's call failed: {one}"
            if one.reason in not_sent or one.unsent:
                assert not taken, f"not sent, it says, and yet it was answered: {one}"
                assert not ran or one.question is not None, f"not sent, and yet it ran: {one}"
        else:
            assert one.kind == "left" or interrupted or stopped, f"no answer: {one}"
            assert not (stopped and taken), f"taken, and yet not answered: {one}"


def _typed(one: Asked, reasons: Collection[str]) -> None:
    if one.body["code"] == OWN_ERROR:
        assert one.body["data"] == {"nonce": one.nonce}, one
        return
    data = one.body["data"]
    assert one.reason in reasons, one
    assert data["code"] == ENTRIES[one.reason].code, one
    assert data["remedy"], one


def summary(book: Sequence[Asked]) -> str:
    """For people who look into it."""
    kinds = Counter(one.kind if one.kind != "error" else one.reason for one in book)
    asked = sum(one.question is not None for one in book)
    return f"{len(book)} calls that ask, {asked} asked: {dict(kinds.most_common())}"
