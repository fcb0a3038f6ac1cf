"""`python -m bench sessions`: one gateway, thousands of clients that stay.

Must not know: how the gateway keeps them. Each stage is measured by what it adds: memory after a
full garbage collection, time, processor time while nothing is said, and what it does to calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvloop

from bench import wrk
from bench.cells import Era
from bench.ears import Caller, Ear, Roll, written
from bench.messages import SCENARIOS, WrongAnswer, close_session, headers_of, modern, open_session
from bench.processes import usage
from bench.targets import CannotStart, Place, gateway, origin

Say = Callable[[str], None]
OPENERS: Final = 16
PATIENCE: Final = 60.0
SPARE: Final = 200  # descriptors of a process for everything that is no stream
_CALL: Final = SCENARIOS[0]
_VERSION: Final = "2025-11-25"


@dataclass(frozen=True)
class Plan:
    """How many of what, and behind the gateway a server of which era.

    seconds  how long calls are measured each time.
    rounds   how often each kind of event is sent.
    idle     how long nothing is said while processor time is measured.
    settle   how long what goes on in the background is given to come to its end.
    """

    sessions: int
    gets: int
    listens: int
    server: Era
    python: str
    seconds: int
    idle: int
    rounds: int
    settle: float = 1.0

    @property
    def streams(self) -> int:
        """Streams in all."""
        return self.gets + self.listens


@dataclass(frozen=True)
class Stage:
    """Opening `count` of something: seconds for all, bytes and collected objects for each."""

    name: str
    count: int
    seconds: float
    each: float
    objects: float

    def __str__(self) -> str:
        return (
            f"{self.count:>7,} {self.name:<24} {self.each / 1024:6.1f} KiB each  "
            f"{self.objects:6.1f} objects each  opened in {self.seconds:6.2f} s"
        )


@dataclass(frozen=True)
class FanOut:
    """One event to every stream. Seconds until the first, the median and the last had it."""

    name: str
    wanted: int
    heard: int
    again: int
    first: float
    middle: float
    last: float

    def __str__(self) -> str:
        again = f"; {self.again:,} heard it again" if self.again else ""
        return (
            f"{self.name:<16} reached {self.heard:,} of {self.wanted:,} streams: "
            f"first {self.first * 1e3:6.1f} ms, median {self.middle * 1e3:6.1f} ms, "
            f"last {self.last * 1e3:6.1f} ms{again}"
        )


@dataclass(frozen=True)
class Calls:
    """Small calls on one connection. Times in microseconds."""

    name: str
    rps: float
    p50: float
    p99: float
    errors: int

    def __str__(self) -> str:
        return (
            f"tools/call, c=1, {self.name:<20} {self.rps:8,.0f} req/s  p50 {self.p50:7,.0f} us  "
            f"p99 {self.p99:7,.0f} us  {self.errors} errors"
        )


@dataclass
class Found:
    """Everything that was measured."""

    server: str
    settings: list[str] = field(default_factory=list[str])
    stages: list[Stage] = field(default_factory=list[Stage])
    fan_outs: list[FanOut] = field(default_factory=list[FanOut])
    calls: list[Calls] = field(default_factory=list[Calls])
    idle_percent: float = 0.0
    rss: int = 0
    lost: int = 0

    @property
    def good(self) -> bool:
        """Every event reached every stream once, no stream broke, no call failed."""
        heard = all(one.wanted == one.heard for one in self.fan_outs)
        return heard and not self.lost and not any(one.errors for one in self.calls)

    def __str__(self) -> str:
        lines = [f"server of the {self.server} era; {'; '.join(self.settings) or 'all defaults'}"]
        lines += map(str, self.stages)
        lines.append(f"idle: {self.idle_percent:.2f} % of one core; {self.rss / 2**20:.1f} MiB RSS")
        lines += map(str, self.fan_outs)
        lines += map(str, self.calls)
        lines.append(f"streams lost: {self.lost}")
        return "\n".join(lines)


def run(plan: Plan, say: Say) -> Found:
    """Measure.

    Raises:
        CannotStart: this machine does not allow so many open files, or something did not start.
        WrongAnswer: a session or stream could not be opened.
    """
    raise_limit(plan)
    found = Found(plan.server)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lockgate-bench-")))
        server = stack.enter_context(origin("bench.newsroom", plan.server))
        settings, limits = _settings(plan, found.settings)
        collected = folder / "collected.json"
        place = stack.enter_context(
            gateway(
                folder,
                "lockgate",
                {"origin": server.port},
                plan.python,
                module="bench.collecting",
                settings=settings,
                limits=limits,
                variables={"BENCH_COLLECTED": str(collected)},
            )
        )
        uvloop.run(_Crowd(plan, place, server, collected, found, say).measure())
    return found


def raise_limit(plan: Plan) -> None:
    """Have as many descriptors as one may; raises CannotStart when they do not suffice.

    The gateway raises its own. It needs one for each stream, and one more for each stream that a
    server of the handshake era has for each session.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = plan.streams + SPARE
    if plan.server == "handshake":
        needed += plan.gets + plan.listens
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CannotStart(
            f"{needed:,} open files are needed and the hard limit is {hard:,} (ulimit -Hn): raise "
            "it as root, or ask for less with --gets and --listens."
        )


def _settings(plan: Plan, said: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What has to be configured because the defaults do not allow it, and why."""
    from lockgate.config.limits import GatewayLimits, ServerLimits  # noqa: PLC0415 - see `missing`

    bounds, server = GatewayLimits(), ServerLimits()
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    # A session's GET stream is a listen call of its own inside.
    if bounds.listen_streams < plan.streams:
        ours["listen_streams"] = plan.streams
    if bounds.connections < plan.streams + SPARE:
        ours["connections"] = plan.streams + SPARE
    if plan.server == "handshake" and server.sessions < plan.sessions + SPARE:
        theirs["sessions"] = plan.sessions + SPARE
    for where, changed in (("limits", ours), ("server limits", theirs)):
        said += [f"{where}.{name} set to {value:,}" for name, value in changed.items()]
    return ({"limits": ours} if ours else {}), theirs


class _Crowd:
    def __init__(
        self, plan: Plan, place: Place, server: Place, collected: Path, found: Found, say: Say
    ) -> None:
        self._plan = plan
        self._place = place
        self._server = server
        self._collected = collected
        self._found = found
        self._say = say
        self._roll = Roll()
        self._ears: list[Ear] = []
        self._sessions: list[str] = []

    async def measure(self) -> None:
        """Stage after stage."""
        plan = self._plan
        await self._calls("warming up")
        self._found.calls.clear()
        await self._calls("alone")
        await self._stage("sessions", plan.sessions, self._open_session)
        await self._stage("GET streams of sessions", plan.gets, self._open_get)
        await self._stage("listen streams", plan.listens, self._open_listen)
        await self._idle()
        await self._calls("everybody connected")
        for number in range(plan.rounds):
            await self._fan_out(f"list_changed {number + 1}", "notifications/tools/list_changed")
        for number in range(plan.rounds):
            uri = "bench://shared"
            await self._fan_out(f"updated {number + 1}", "notifications/resources/updated", uri)
        stop = asyncio.Event()
        talking = asyncio.get_running_loop().create_task(self._talk(stop))
        await self._calls("news once a second")
        stop.set()
        await talking
        self._found.lost = sum(ear.lost for ear in self._ears)
        for ear in self._ears:
            ear.close()
        await self._stage("sessions ended", plan.sessions, self._end_session)

    async def _stage(self, name: str, count: int, one: Callable[[Caller, int], Any]) -> None:
        self._say(f"{count:,} {name}")
        objects_before = await self._collect()
        rss_before = usage(self._place.pid).rss
        started = time.monotonic()
        numbers = iter(range(count))
        loop = asyncio.get_running_loop()

        async def work() -> None:
            _, caller = await loop.create_connection(Caller, "127.0.0.1", self._place.port)
            for number in numbers:
                await one(caller, number)
            caller.close()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(OPENERS):
                    group.create_task(work())
        except* ConnectionError as errors:
            raise WrongAnswer(f"{name}: {errors.exceptions[0]}") from None
        seconds = time.monotonic() - started
        await asyncio.sleep(self._plan.settle)  # what opens in the background is open
        objects = await self._collect()
        rss = usage(self._place.pid).rss
        each = max(count, 1)
        stage = Stage(
            name, count, seconds, (rss - rss_before) / each, (objects - objects_before) / each
        )
        self._found.stages.append(stage)

    async def _collect(self) -> int:
        """Have the gateway collect its garbage. Returns how many objects are left."""
        times = self._read().get("times", 0)
        os.kill(self._place.pid, signal.SIGUSR1)
        until = time.monotonic() + PATIENCE
        while (said := self._read()).get("times", 0) == times:
            if time.monotonic() > until:
                raise CannotStart("the gateway collects no garbage when told to")
            await asyncio.sleep(0.02)
        return said["objects"]

    def _read(self) -> dict[str, int]:
        try:
            return json.loads(self._collected.read_text())
        except OSError:
            return {}

    async def _open_session(self, caller: Caller, _number: int) -> None:
        params = {
            "protocolVersion": _VERSION,
            "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1.0.0"},
        }
        message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
        head, _ = await caller.ask(written(b"POST", headers_of(), message))
        session = _session_in(head)
        said = headers_of("handshake", session)
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await caller.ask(written(b"POST", said, ready))
        call = {"jsonrpc": "2.0", "id": 2, "method": _CALL.method, "params": _CALL.params}
        _, body = await caller.ask(written(b"POST", said, call))
        if b'"result"' not in body:
            raise WrongAnswer(f"a call in a new session failed: {body[:300]!r}")
        self._sessions.append(session)

    async def _end_session(self, caller: Caller, number: int) -> None:
        said = headers_of("handshake", self._sessions[number])
        head, _ = await caller.ask(written(b"DELETE", said))
        if not head.startswith(b"HTTP/1.1 2"):
            raise WrongAnswer(f"a session could not be ended: {head[:200]!r}")

    async def _open_get(self, _caller: Caller, number: int) -> None:
        said = {**headers_of("handshake", self._sessions[number]), "Accept": "text/event-stream"}
        del said["Content-Type"]
        await self._open(written(b"GET", said), b"\r\n\r\n")

    async def _open_listen(self, _caller: Caller, number: int) -> None:
        wanted = {"toolsListChanged": True, "resourceSubscriptions": ["bench://shared"]}
        message = modern("subscriptions/listen", {"notifications": wanted}, number)
        said = headers_of("modern", None, "subscriptions/listen")
        await self._open(written(b"POST", said, message), b"subscriptions/acknowledged")

    async def _open(self, request: bytes, sign: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, ear = await loop.create_connection(
            lambda: Ear(self._roll, request, sign), "127.0.0.1", self._place.port
        )
        async with asyncio.timeout(PATIENCE):
            await ear.ready
        self._ears.append(ear)

    async def _idle(self) -> None:
        self._say(f"idle for {self._plan.idle} s")
        before = usage(self._place.pid)
        await asyncio.sleep(self._plan.idle)
        after = usage(self._place.pid)
        self._found.idle_percent = (after.cpu - before.cpu) / self._plan.idle * 100
        self._found.rss = after.rss

    async def _fan_out(self, name: str, method: str, uri: str | None = None) -> None:
        wanted = self._plan.streams if uri is None else self._plan.listens
        self._roll.expect(method.encode() if uri is None else uri.encode(), wanted)
        started = time.perf_counter()
        await asyncio.to_thread(self._tell, method, {} if uri is None else {"uri": uri})
        await self._roll.everybody(PATIENCE)
        # An event that comes twice comes by then, and lists are quiet.
        await asyncio.sleep(1.5 * self._plan.settle)
        heard = [at - started for at in sorted(self._roll.heard)] or [0.0]
        self._found.fan_outs.append(
            FanOut(
                name,
                wanted,
                len(self._roll.heard),
                self._roll.again,
                heard[0],
                median(heard),
                heard[-1],
            )
        )

    def _tell(self, method: str, params: Mapping[str, str]) -> None:
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/news", json.dumps({"method": method, "params": params}))
            connection.getresponse().read()
        finally:
            connection.close()

    async def _talk(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.to_thread(
                self._tell, "notifications/resources/updated", {"uri": "bench://shared"}
            )
            await asyncio.sleep(1)

    async def _calls(self, name: str) -> None:
        self._say(f"calls, {name}")
        with _speaking(self._place.port, self._plan.server) as session:
            load = await asyncio.to_thread(
                wrk.run, self._place.port, _CALL, self._plan.server, session, 1, self._plan.seconds
            )
        self._found.calls.append(
            Calls(name, load.requests / load.seconds, load.p50, load.p99, load.errors)
        )


@contextmanager
def _speaking(port: int, era: Era) -> Iterator[str | None]:
    if era == "modern":
        yield None
        return
    session = open_session(port)
    yield session
    close_session(port, session)


def _session_in(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"mcp-session-id":
            return value.strip().decode()
    raise WrongAnswer(f"initialize gave no Mcp-Session-Id: {head[:200]!r}")
