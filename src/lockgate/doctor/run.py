"""A whole diagnosis: the steps in their order, within a time, whatever the server does.

Must not know: what any step looks at.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Final

from lockgate.config.secrets import secret_name
from lockgate.doctor.blacken import Blackener
from lockgate.doctor.checks import (
    auth,
    call,
    cancel,
    changes,
    endpoint,
    era,
    errors,
    headers,
    latency,
    lists,
    older,
    origins,
    process,
    reach,
    sessions,
    socket,
    streams,
)
from lockgate.doctor.heard import Heard
from lockgate.doctor.http import HttpLine, pool_for
from lockgate.doctor.http_voices import (
    HandshakeHttp,
    ModernHttp,
    initialize_params,
    modern_headers,
    modern_params,
)
from lockgate.doctor.kinds import ORDER
from lockgate.doctor.report import Looked, Outcome, Report, Status
from lockgate.doctor.stdio import Process, StdioVoice, starting
from lockgate.doctor.steps import NAMES, STEPS, Transport
from lockgate.doctor.visit import (
    HttpSubject,
    Patience,
    SocketSubject,
    StdioSubject,
    Subject,
    Visit,
    Voice,
)
from lockgate.upstreams.spec import StdioSpec
from lockgate.wire.url import BadUrl, Url, parse_url

_log: Final = logging.getLogger("lockgate.doctor")
Told = Callable[[Looked], None]
Work = Callable[[], Awaitable[None] | None]


async def examine(
    subject: Subject,
    *,
    patience: Patience | None = None,
    black: Blackener | None = None,
    told: Told | None = None,
) -> Report:
    """Look at a server from all sides.

    Args:
        subject: the server.
        patience: how long things may take.
        black: knows the secrets of this diagnosis.
        told: hears of each step as it is done.

    Returns:
        What was seen and found. Nothing a server does raises.
    """
    patience = patience or Patience()
    black = black or Blackener()
    _learn(black, subject)
    visit = Visit(subject, patience, black)
    round_ = _Round(visit, told or (lambda _: None))
    began = perf_counter()
    if isinstance(subject, HttpSubject):
        await _over_http(round_, subject)
    elif isinstance(subject, SocketSubject):
        await _over_socket(round_, subject)
    else:
        await _over_stdio(round_, subject)
    return Report(
        black.text(subject.name),
        _TRANSPORTS[type(subject)],
        _outcome(visit, round_.done),
        tuple(round_.done),
        perf_counter() - began,
    )


_TRANSPORTS: Final[dict[type[Subject], Transport]] = {
    HttpSubject: "http",
    SocketSubject: "websocket",
    StdioSubject: "stdio",
}


def _learn(black: Blackener, subject: Subject) -> None:
    """Values that may be secret. Short ones are only if they are named so: `DEBUG=true` is not."""
    if not isinstance(subject, StdioSubject):
        for name, value in subject.headers:
            if name.lower() not in _PUBLIC:
                black.learn(value, value.partition(" ")[2])
    else:
        for name, value in subject.spec.env.items():
            if len(value) >= _LONG or secret_name(name):
                black.learn(value)


_PUBLIC: Final = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_LONG: Final = 8


def _outcome(visit: Visit, done: list[Looked]) -> Outcome:
    if any(one.status == "error" for one in done):
        return "broken" if visit.reached or visit.guarded else "unreachable"
    return "guarded" if visit.guarded else "healthy"


class _Round:
    """Goes from step to step."""

    def __init__(self, visit: Visit, told: Told) -> None:
        self.visit = visit
        self.done: list[Looked] = []
        self._told = told

    async def step(self, name: str, work: Work) -> None:
        """One step, if the way is not barred and there is time."""
        visit = self.visit
        began = perf_counter()
        if visit.barred is not None and not NAMES[name].always:
            visit.skip(f"not looked at: {visit.barred}")
        elif visit.left <= 0 and not NAMES[name].always:
            visit.skip("not looked at: the time was over")
        else:
            await self._within(work, visit.left if not NAMES[name].always else _LAST)
        skipped, saw, found, exchanges = visit.taken()
        status: Status = "skipped" if skipped is not None and not found else "ok"
        for one in ORDER:
            if any(finding.severity == one for finding in found):
                status = one
        looked = Looked(
            name, status, skipped or saw, tuple(found), tuple(exchanges), perf_counter() - began
        )
        self.done.append(looked)
        self._told(looked)

    async def _within(self, work: Work, seconds: float) -> None:
        visit = self.visit
        try:
            async with asyncio.timeout(seconds):
                awaited = work()
                if awaited is not None:
                    await awaited
        except TimeoutError:
            visit.find("time-up", f"after {visit.patience.total:g} s")
        except Exception as error:
            # One step that cannot deal with what came does not cost the others.
            _log.debug("a step of a diagnosis failed", exc_info=True)
            visit.find("check-failed", f"{type(error).__name__}: {error}")


_LAST: Final = 10.0
"""Seconds for the steps that are done whatever the time: a process has to be ended."""


async def _reached(round_: _Round, address: str) -> Url:
    """The steps up to TLS; the URL."""
    visit = round_.visit
    try:
        url = parse_url(address)
    except BadUrl as error:
        why = str(error)

        def bad() -> None:
            visit.find("url-invalid", why)
            visit.bar("the URL cannot be used")

        await round_.step("name", bad)
        return Url.parse("http://invalid.invalid/")
    addresses: list[str] = []

    async def look_up() -> None:
        addresses.extend(await reach.name(visit, url))

    await round_.step("name", look_up)
    await round_.step("tcp", lambda: reach.tcp(visit, url, addresses))
    await round_.step("tls", lambda: reach.tls(visit, url))
    return url


async def _over_http(round_: _Round, subject: HttpSubject) -> None:
    visit = round_.visit
    url = await _reached(round_, subject.url)
    pool = pool_for(visit.patience)
    try:
        await _HttpRound(round_, HttpLine(visit, pool, url, subject.headers), subject).go()
    finally:
        await pool.close()


class _HttpRound:
    """The steps of an HTTP server once it can be connected to."""

    def __init__(self, round_: _Round, line: HttpLine, subject: HttpSubject) -> None:
        self._round = round_
        self._visit = round_.visit
        self._line = line
        self._subject = subject
        self._first: Heard | None = None
        self._opened: list[Process] = []

    async def go(self) -> None:
        """All of them."""
        visit, line = self._visit, self._line
        works: Mapping[str, Work] = {
            "name": lambda: None,
            "tcp": lambda: None,
            "tls": lambda: None,
            "http": self._http,
            "auth": self._auth,
            "era": self._era,
            "versions": self._versions,
            "capabilities": lambda: era.capabilities(visit),
            "lists": lambda: lists.lists(visit),
            "call": lambda: call.call(visit),
            "sessions": lambda: self._newer(lambda: sessions.sessions(visit, line)),
            "streaming": lambda: self._newer(lambda: streams.streaming(visit, line)),
            "changes": lambda: changes.changes(visit, None if visit.older else line),
            "cancellation": lambda: cancel.cancellation(visit),
            "headers": lambda: self._newer(lambda: headers.headers(visit, line)),
            "origin": lambda: self._newer(lambda: origins.origin(visit, line)),
            "errors": lambda: errors.errors(visit, None if visit.older else line),
            "latency": lambda: latency.latency(visit),
        }
        done = {one.id for one in self._round.done}
        for step in STEPS:
            if "http" in step.over and step.id not in done:
                await self._round.step(step.id, works[step.id])
        voice = visit.voices.get("handshake")
        if isinstance(voice, HandshakeHttp) and voice.session is not None and visit.left > 0:
            await voice.end(visit.patience.stream)
        for one in self._opened:
            one.child.abort()

    def _newer(self, work: Work) -> Awaitable[None] | None:
        """A step that means nothing over the older transport."""
        if self._visit.older:
            self._visit.skip(older.OTHER)
            return None
        return work()

    async def _http(self) -> None:
        self._first = await endpoint.http(self._visit, self._line)
        self._visit.reached = self._first is not None

    async def _auth(self) -> None:
        if self._visit.older:
            self._visit.saw("the stream is given")
        elif self._first is not None:
            credential = any(secret_name(name) for name, _ in self._subject.headers)
            await auth.auth(self._visit, self._line, self._first, credential=credential)

    async def _era(self) -> None:
        visit = self._visit
        if visit.older:
            self._opened += await older.introduce(visit, self._line)
            return
        if self._first is not None:
            era.discovered(visit, self._first, ModernHttp(self._line))
        voice = await sessions.open_session(visit, self._line)
        if "handshake" in visit.voices:
            await era.initialized(visit, voice)
        era.eras(visit)

    async def _versions(self) -> None:
        visit = self._visit
        modern: Heard | None = None
        voice = visit.voices.get("modern")
        if isinstance(voice, ModernHttp):
            params = modern_params({}, era.NEVER)
            pairs = modern_headers("server/discover", params)
            pairs = [one for one in pairs if one[0] != "mcp-protocol-version"]
            pairs.append(("mcp-protocol-version", era.NEVER))
            modern = await voice.post("server/discover", params, pairs)
        unknown: Heard | None = None
        if visit.older:
            unknown = await older.unknown(visit, self._line, self._opened)
        elif "handshake" in visit.voices:
            other = HandshakeHttp(self._line)
            unknown = await other.ask("initialize", initialize_params(era.NEVER))
            other.session = unknown.headers.get("mcp-session-id")
            if other.session:
                visit.black.learn(other.session)
                await other.end()
        await era.versions(visit, modern, unknown)


async def _over_socket(round_: _Round, subject: SocketSubject) -> None:
    visit = round_.visit
    await _reached(round_, subject.url)
    pool = pool_for(visit.patience)
    sockets = socket.Sockets(visit, subject, pool)

    async def versions() -> None:
        await era.versions(visit, *await sockets.unknown())

    works: Mapping[str, Work] = {
        "tcp": lambda: None,
        "tls": lambda: None,
        "upgrade": sockets.upgrade,
        "era": sockets.eras,
        "versions": versions,
        **_anywhere(visit),
        "frames": sockets.frames,
    }
    try:
        await _go_through(round_, "websocket", works)
    finally:
        sockets.close()
        await pool.close()


def _anywhere(visit: Visit) -> Mapping[str, Work]:
    """What is looked at where there is one stream of messages each way."""
    return {
        "capabilities": lambda: era.capabilities(visit),
        "lists": lambda: lists.lists(visit),
        "call": lambda: call.call(visit),
        "changes": lambda: changes.changes(visit, None),
        "cancellation": lambda: cancel.cancellation(visit),
        "errors": lambda: errors.errors(visit, None),
        "latency": lambda: latency.latency(visit),
    }


async def _go_through(round_: _Round, over: Transport, works: Mapping[str, Work]) -> None:
    visit = round_.visit
    done = {one.id for one in round_.done}
    for step in STEPS:
        if over in step.over and step.id not in done:
            await round_.step(step.id, works[step.id])
            if visit.barred is None and any(_has_ended(one) for one in visit.voices.values()):
                visit.bar("it has ended")


async def _over_stdio(round_: _Round, subject: StdioSubject) -> None:
    visit = round_.visit
    started: list[Process] = []

    async def start() -> None:
        started.extend(await process.start(visit, subject))

    async def versions() -> None:
        await era.versions(visit, *await _unknown(visit, subject, started))

    works: Mapping[str, Work] = {
        "sandbox": lambda: process.sandbox(visit, subject),
        "command": lambda: process.command(visit, subject, dict(os.environ)),
        "start": start,
        "era": lambda: era.eras(visit),
        "versions": versions,
        **_anywhere(visit),
        "stdout": lambda: process.stdout(visit, started),
        "stderr": lambda: process.stderr(visit, started),
        "exit": lambda: process.leave(visit, started),
    }
    try:
        await _go_through(round_, "stdio", works)
    finally:
        for one in started:
            one.child.abort()


def _has_ended(voice: Voice) -> bool:
    return isinstance(voice, StdioVoice) and voice.process.ended is not None


async def _unknown(
    visit: Visit, subject: StdioSubject, started: list[Process]
) -> tuple[Heard | None, Heard | None]:
    """What becomes of a revision that never was, in each era."""
    modern: Heard | None = None
    voice = visit.voices.get("modern")
    if isinstance(voice, StdioVoice):
        params = modern_params({}, era.NEVER)
        modern = await voice.process.ask("server/discover", params, visit.patience.answer)
    if "handshake" not in visit.voices:
        return modern, None
    # The handshake is done once in the life of a process.
    other = Process(visit, starting(subject))
    started.append(other)
    await other.start()
    asked = initialize_params(era.NEVER)
    return modern, await other.ask("initialize", asked, visit.patience.start)


def command_subject(words: list[str], env: Mapping[str, str]) -> StdioSubject:
    """A server that is started by a command line."""
    spec = StdioSpec(command=words[0], args=tuple(words[1:]), env=env, allow_unsafe_env=True)
    return StdioSubject(name=words[0], spec=spec)
