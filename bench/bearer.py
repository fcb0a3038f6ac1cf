"""What a token costs a call: `python -m bench.bearer`.

Must not know: sockets. The same small call goes through an endpoint with and without authentication
in turn, in one process, to an engine that answers at once. Two figures: bytecodes that are executed
(the same in every run), and processor time, since bytecodes do not count what happens inside of C;
of that, the median over rounds of the difference. A whole call costs far more than this half of its
way in; what part of it a token is, `make bench` shows (the cell `modern-token`).
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
from collections.abc import Callable
from time import process_time
from types import FrameType
from typing import Any, Final

from bench.issuer import AUDIENCE, ISSUER, Issuer
from bench.messages import SCENARIOS
from lockgate.core.clock import SYSTEM
from lockgate.core.message import Call, Reply, Result
from lockgate.core.raw import Raw
from lockgate.fronts.exchange import Exchange
from lockgate.fronts.http import Handler, Headers, HttpRequest, Passage, Tunnel
from lockgate.fronts.identified import Identified
from lockgate.identity import tokens
from lockgate.identity.authentication import Authentication
from lockgate.identity.jwks import KnownKeys
from lockgate.identity.settings import EndpointSettings, IssuerSettings

ROUNDS: Final = 25
CALLS: Final = 4000
_DONE: Final = Result(Raw(b'{"content":[{"type":"text","text":"hello"}],"resultType":"complete"}'))


class _Engine:
    async def handle(self, call: Call) -> Reply:
        del call
        return _DONE

    async def end_session(self, affinity: str) -> None:
        del affinity


class _Responder:
    """Takes an answer and keeps its status."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.status = 0
        self.started = False

    def send(self, status: int, headers: Headers, body: bytes = b"") -> None:
        del headers, body
        self.status = status

    def start(self, status: int, headers: Headers) -> None:
        self.send(status, headers)

    def write(self, chunk: bytes) -> None:
        del chunk

    def end(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def on_close(self, callback: Callable[[], None]) -> None:
        del callback

    def take_over(self, tunnel: Tunnel) -> Passage | None:
        del tunnel
        return None


def request(token: str) -> HttpRequest:
    """A small call, as the load generator of this folder sends it."""
    before, after = SCENARIOS[0].body("modern")
    said = {"host": "mcp.example.com", "authorization": f"Bearer {token}"}
    said |= SCENARIOS[0].headers("modern", None)
    headers = {name.lower().encode(): value.encode() for name, value in said.items()}
    body = f"{before}1{after}".encode()
    return HttpRequest(method="POST", path="/mcp", query="", headers=headers, body=body)


def endpoints(issuer: Issuer) -> tuple[Handler, Handler]:
    """The same endpoint without and with authentication."""
    exchange = Exchange(_Engine())
    known = tokens.Issuer(IssuerSettings(issuer=ISSUER), KnownKeys(issuer.jwks))
    told = EndpointSettings(resource=AUDIENCE, scopes=("mcp",))
    return exchange, Identified(exchange, Authentication(told, SYSTEM, issuers=[known]))


async def once(handler: Handler, asked: HttpRequest) -> None:
    """One call; it has to succeed."""
    responder = _Responder()
    responder.task = asyncio.current_task()
    await handler(asked, responder)
    assert responder.status == 200


async def timed(handler: Handler, asked: HttpRequest) -> float:
    """Microseconds of processor time of one call."""
    began = process_time()
    for _ in range(CALLS):
        await once(handler, asked)
    return (process_time() - began) / CALLS * 1e6


async def bytecodes(handler: Handler, asked: HttpRequest) -> int:
    """How many bytecodes one call executes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        await once(handler, asked)
    finally:
        sys.settrace(None)
    return count


async def measured() -> tuple[int, int, float, float]:
    """Bytecodes without and with a token, microseconds without, and the difference."""
    issuer = Issuer()
    plain, known = endpoints(issuer)
    return await compared(plain, known, request(issuer.token()))


async def compared(
    plain: Handler, other: Handler, asked: HttpRequest
) -> tuple[int, int, float, float]:
    """Bytecodes of either for one call, microseconds of the first, and the difference."""
    for handler in (plain, other) * 10:
        await once(handler, asked)
    few, many = await bytecodes(plain, asked), await bytecodes(other, asked)
    found: list[tuple[float, float]] = []
    gc.disable()
    for turn in range(ROUNDS):
        pair = (plain, other) if turn % 2 else (other, plain)
        times = {handler: await timed(handler, asked) for handler in pair}
        found.append((times[plain], times[other] - times[plain]))
    gc.enable()
    return (
        few,
        many,
        statistics.median(one for one, _ in found),
        statistics.median(more for _, more in found),
    )


def main() -> None:
    """Measure and print."""
    few, many, without, more = asyncio.run(measured())
    print(f"bytecodes   {few:6} without a token, {many - few:5} more with one")
    print(f"processor   {without:6.2f} us without a token, {more:5.2f} us more with one")


if __name__ == "__main__":
    main()
