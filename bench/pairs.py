"""What a token costs a whole call: `python -m bench.pairs`.

Must not know: how Lockgate judges tokens.

One gateway has an endpoint that asks who calls and one that does not, so that both have everything
else in common: the process, its memory, the server behind. Rounds of the same calls go to the one
and the other in turn, over connections that stay open, and what they cost is told in two ways:

- instructions that the gateway executes outside of the kernel, counted by valgrind where there is
  one: other work on the machine changes them less than anything else. What the kernel does is the
  same with a token but for some hundred bytes that are copied, so their part of these is more than
  the token's part of all;
- processor time of the gateway, the kernel's included: the median of the differences of pairs that
  ran one right after the other, and the middle half of them, which says what it is worth.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from bench.interpreter import look
from bench.issuer import AUDIENCE, Issuer, serving, settings
from bench.messages import PATH, SCENARIOS, bearer
from bench.targets import Place, environment, gateway, origin

KNOWN: Final = "/known/mcp"
CONNECTIONS: Final = 32
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Cost(NamedTuple):
    """Of one call.

    without  what it costs.
    more     what it costs more with a token.
    between  the middle half of the differences; None: they are all alike.
    """

    without: float
    more: float
    between: tuple[float, float] | None = None

    @property
    def part(self) -> float:
        """How much more that is, in per cent."""
        return self.more / self.without * 100


class Costs(NamedTuple):
    """Both figures; None: there is no valgrind here."""

    instructions: Cost | None
    microseconds: Cost

    def __str__(self) -> str:
        lines: list[str] = []
        counted = self.instructions
        if counted is not None:
            lines.append(
                f"a token   {counted.more:8,.0f} instructions more than {counted.without:,.0f}: "
                f"{counted.part:.1f} %"
            )
        timed = self.microseconds
        low, high = timed.between or (timed.more, timed.more)
        lines.append(
            f"a token   {timed.more:8.2f} us of processor time more than {timed.without:.1f}: "
            f"{timed.part:.1f} % (middle half of the pairs: {low / timed.without * 100:.1f} to "
            f"{high / timed.without * 100:.1f} %)"
        )
        return "\n".join(lines)


class Caller:
    """Keeps connections busy, one call at a time on each, and counts exactly."""

    def __init__(self, port: int, path: str, token: str | None, connections: int) -> None:
        scenario = SCENARIOS[0]
        before, after = scenario.body("modern")
        body = f"{before}10000000{after}".encode()
        fields = {**scenario.headers("modern", None), **bearer(token)}
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self._request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        self._sockets = [
            socket.create_connection(("127.0.0.1", port), timeout=300) for _ in range(connections)
        ]

    def calls(self, times: int) -> int:
        """So many on each connection; how many that is in all."""
        for _ in range(times):
            for one in self._sockets:
                one.sendall(self._request)
            for one in self._sockets:
                _answer(one)
        return times * len(self._sockets)

    def close(self) -> None:
        """Let go of the connections."""
        for one in self._sockets:
            one.close()


def _answer(one: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(one)
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    assert head.startswith(b"HTTP/1.1 200 "), head
    assert length is not None, head
    while len(body) < int(length[1]):
        body += _some(one)
    assert b'"result"' in body, body


def _some(one: socket.socket) -> bytes:
    data = one.recv(65536)
    assert data, "the gateway has closed a connection"
    return data


@contextmanager
def _serving(python: str, connections: int, *prefix: str) -> Iterator[tuple[Place, Caller, Caller]]:
    """A gateway, and who calls it without and with a token."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lockgate-bench-")))
        behind = stack.enter_context(origin("bench.origin"))
        issuer = Issuer()
        auth = settings(stack.enter_context(serving(issuer)))["auth"]
        auth["issuers"][0]["audience"] = [AUDIENCE]
        told = {"endpoints": {KNOWN: {"auth": auth}}}
        place = stack.enter_context(
            gateway(folder, "pairs", {"origin": behind.port}, python, settings=told, prefix=prefix)
        )
        callers = (
            Caller(place.port, PATH, None, connections),
            Caller(place.port, KNOWN, issuer.token(), connections),
        )
        for one in callers:
            stack.callback(one.close)
        yield place, *callers


def timed(python: str, rounds: int, calls: int) -> Cost:
    """Microseconds of processor time."""
    with _serving(python, CONNECTIONS) as (place, plain, known):

        def cost(one: Caller) -> float:
            began = _processor(place.pid)
            made = one.calls(calls)
            return (_processor(place.pid) - began) / made / 1000

        return _paired(cost, plain, known, rounds)


def _paired(cost: Callable[[Caller], float], plain: Caller, known: Caller, rounds: int) -> Cost:
    for one in (plain, known):
        one.calls(50)
    found: list[tuple[float, float]] = []
    for turn in range(rounds):
        order = (plain, known) if turn % 2 else (known, plain)
        costs = {one: cost(one) for one in order}
        found.append((costs[plain], costs[known] - costs[plain]))
    more = [more for _, more in found]
    low, _, high = statistics.quantiles(more, n=4)
    without = statistics.median(one for one, _ in found)
    return Cost(without, statistics.median(more), (low, high))


def _processor(pid: int) -> int:
    """Nanoseconds so far, the kernel's included; the gateway has one thread that works."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def counted(python: str, calls: int) -> Cost | None:
    """Instructions outside of the kernel; None without valgrind."""
    if shutil.which("valgrind") is None:
        return None
    with TemporaryDirectory(prefix="lockgate-bench-") as folder:
        file = Path(folder) / "counts"
        prefix = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={file}"]
        # One connection: with several, how many requests are found waiting at a time, and with it
        # how often the event loop turns, would depend on what else the machine does.
        with _serving(python, 1, *prefix) as (place, plain, known):
            found: dict[Caller, list[float]] = {plain: [], known: []}
            for one in found:
                one.calls(50)
            for number, one in enumerate((plain, known, known, plain), 1):
                _control(place.pid, "-z")
                made = one.calls(calls)
                _control(place.pid, "-d")
                found[one].append(_total(Path(f"{file}.{number}")) / made)
            # What is executed now and then, such as a timer, can only add.
            without = min(found[plain])
            return Cost(without, min(found[known]) - without)


def _control(pid: int, what: str) -> None:
    command = ["callgrind_control", what, str(pid)]
    subprocess.run(command, check=True, capture_output=True)


def _total(file: Path) -> int:
    """What was executed since the last time somebody asked."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = re.search(
            r"^totals: (\d+)", file.read_text() if file.exists() else "", re.MULTILINE
        )
        if found is not None:
            return int(found[1])
        time.sleep(0.1)
    raise OSError("valgrind wrote no counts")


def measured(python: str = sys.executable, rounds: int = 60, calls: int = 100) -> Costs:
    """Both figures: of `rounds` pairs of so many calls on each connection."""
    return Costs(counted(python, 300), timed(python, rounds, calls))


def main() -> None:
    """Measure and print."""
    print(look(sys.executable, environment(sys.executable)))
    print(f"load average {os.getloadavg()[0]:.2f}")
    print(measured())


if __name__ == "__main__":
    main()
