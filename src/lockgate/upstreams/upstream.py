"""One server we speak to, whatever it speaks and however it is reached.

Must not know: other servers, clients' transports, policies. `send` is the whole of it: it chooses
the wire of the caller's era, and answers at once when the server is down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.credentials import Credentials
from lockgate.core.message import LISTEN, NO_FACTS, Call, Era, Failure, Reply, Result, drop
from lockgate.core.policy import Observe
from lockgate.core.raw import EMPTY
from lockgate.upstreams.bridging import ToHandshake, ToModern, ignore
from lockgate.upstreams.changes import Announcer, Changed, Watcher
from lockgate.upstreams.chores import Chores
from lockgate.upstreams.connectors import connector_for
from lockgate.upstreams.deadlines import Deadlines
from lockgate.upstreams.endings import ending_reason, ending_remedy
from lockgate.upstreams.eras import HANDSHAKE
from lockgate.upstreams.filters import LISTS
from lockgate.upstreams.guard import NEEDS_LOGIN, NOBODY, Guard
from lockgate.upstreams.identity import GATEWAY, gateway_call
from lockgate.upstreams.listening import Listening
from lockgate.upstreams.opening import Learned, Refused, Surroundings
from lockgate.upstreams.parking import Parking
from lockgate.upstreams.refusals import crash_looping, timed_out, unavailable
from lockgate.upstreams.remote import Down, Pool, Stale
from lockgate.upstreams.second_era import SecondEra
from lockgate.upstreams.spec import StdioSpec, UpstreamSpec
from lockgate.upstreams.stdio import Spawn
from lockgate.upstreams.supervisor import Backoff, Event, Supervisor, UpstreamState
from lockgate.wire.seal import KeyRing

__all__ = ["Changed", "Upstream", "UpstreamState"]

REPROBE_AFTER: Final = 5.0
"""Seconds between two looks at which era a server speaks."""
SLOW: Final = "If it only needs longer, raise its start_timeout; if not, run it by hand and look."


SILENT: Final = "It said nothing on its standard error; run it by hand and look."


class Link(Protocol):
    """The way to a server in one era."""

    def send(self, call: Call) -> Awaitable[Reply]:
        """Answer the call, when awaited; raises `Down` and `Stale`."""
        ...


class Upstream:
    """One server."""

    def __init__(
        self,
        spec: UpstreamSpec,
        *,
        pool: Pool | None = None,
        spawn: Spawn | None = None,
        keys: KeyRing | None = None,
        observe: Observe = ignore,
        clock: Clock = SYSTEM,
        backoff: Backoff | None = None,
        one_of_many: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        """Nothing is connected or started yet.

        pool     sends HTTP requests; needed for a server reached over the network.
        spawn    makes child processes for a stdio server; by default those of `processes`.
        keys     seal the states of calls that wait for their clients' answers.
        observe  is told which calls were translated between eras.
        credentials  what lets callers in there; None: what is configured is all there is.
        one_of_many  others can answer in its place: that it is gone is to be known early.
        """
        self.name = spec.name
        self._spec = spec
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._announcer = Announcer(spec.name)
        self._supervisor = Supervisor(clock, self._backoff, self._on_phase, spec.crashes)
        self._chores = Chores()
        self._observe = observe
        self._parking = Parking(clock, keys)
        self._connector = connector_for(
            spec,
            Surroundings(
                spec.name,
                self._parking,
                self._announcer.tell,
                self._chores,
                spec.start_timeout,
                self._backoff,
                self._gone if one_of_many else None,
            ),
            pool=pool,
            spawn=spawn,
            lost=self._process_ended,
            until_ready=self._until_ready,
            clock=clock,
            credentials=credentials,
        )
        self._guard = Guard(credentials) if credentials and not credentials.shared else None
        self._hub = Listening(self._send_listen, self._announcer.tell_outside, self._backoff)
        self._deadlines = Deadlines(clock)
        self._link_of: dict[Era, Link] = {}
        self._ready = asyncio.Event()
        self._attempt: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: Failure | None = None
        self._known: Era | None = None
        self._one_era = False
        self._failing = False
        self._died = False
        self._probed = 0.0
        self._ready_at = 0.0
        self._used = 0.0
        self._last: Call | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def state(self) -> UpstreamState:
        """What is known about the server now."""
        return self._supervisor.state

    @property
    def busy(self) -> int:
        """Calls that run, and calls that wait here for their clients' answers."""
        return len(self._deadlines) + len(self._parking)

    @property
    def parked(self) -> int:
        """Calls that wait here for their clients' answers."""
        return len(self._parking)

    def keeps(self, state: str) -> bool:
        """Whether the call that goes on with this `requestState` waits here."""
        return self._parking.keeps(state)

    # The way of a call.

    async def send(self, call: Call) -> Reply:
        """Answer the call, or refuse it as a value; `call.target` is in the server's own words.

        A server that is down is never waited for; one that is just being connected is, within
        `start_timeout` and the call's deadline. A call without one has the server's `timeout`.
        """
        guard = self._guard
        if guard is not None and (refusal := await guard.admit(call.principal)) is not None:
            return refusal
        link = self._link_of.get(call.client.era)
        if link is None:
            found = await self._find_link(call)
            if isinstance(found, Failure):
                return found
            link = found
        if call.method == LISTEN:
            return await self._listen(link, call)
        self._used = self._clock.monotonic()
        due = call.deadline
        if due is None:
            due = self._used + self._spec.call_timeout
        watch = self._deadlines.enter(due)
        try:
            try:
                return await link.send(call)
            except Stale as stale:
                failure = stale.failure
            return await self._look_again(call, failure)
        except Down as down:
            return self._down(down)
        except asyncio.CancelledError:
            if watch.late():
                return timed_out(self.name)
            raise
        finally:
            self._deadlines.leave(watch)

    async def _listen(self, link: Link, call: Call) -> Reply:
        """A call that lasts until it is cancelled."""
        if (
            self._guard is None
            and "modern" in self.state.eras
            and link is not self._connector.handshake
        ):
            return await self._hub.listen(call)
        try:
            return await link.send(call)
        except Down as down:
            return self._down(down)
        except Stale as stale:
            return stale.failure

    async def _find_link(self, call: Call) -> Link | Failure:
        """The link for a call when there is no ready one: connect, wait, or say why not."""
        handshake = self._connector.handshake
        if call.client.era == "handshake" and handshake is not None and handshake.has_session(call):
            # Other processes of this server may be down; the one this caller has is not.
            return handshake
        for _ in range(2):
            if self.state.phase in {"idle", "needs-login"}:
                self._begin("start", call)
            if self.state.phase == "connecting":
                await self._wait(call)
            # Where that was on behalf of somebody without a login, this caller may have one.
            if self.state.phase != "needs-login":
                break
        if self.state.phase != "ready":
            return await self._refused(call)
        link = self._link_of.get(call.client.era)
        if link is not None:
            return link
        if call.client.era == "handshake" and not self._one_era and handshake is not None:
            return SecondEra(handshake, self._proven, self._disproven)
        return self._unavailable()

    async def _wait(self, call: Call) -> None:
        """Wait for an attempt under way; later attempts at a server that stays down are not."""
        attempt = self._attempt
        if attempt is None or self._failing or self.state.attempt > 1:
            return
        # An attempt ends by itself within `start_timeout`; the rest is for it to say why.
        seconds = self._spec.start_timeout + 1.0
        if call.deadline is not None:
            seconds = min(seconds, max(0.0, call.deadline - self._clock.monotonic()))
        await asyncio.wait([attempt], timeout=seconds)

    async def _refused(self, call: Call) -> Failure:
        """Why this caller gets nowhere; what was found on another's behalf is not for its eyes."""
        barred = self._guard is not None and self.state.phase == "needs-login"
        refusal = await self._guard.admit(call.principal) if self._guard and barred else None
        return refusal or self._unavailable()

    def _unavailable(self) -> Failure:
        refusal = self._refusal
        if refusal is not None and refusal.reason == "upstream-unauthorized":
            return refusal
        away = crash_looping if self.state.phase == "crash-looping" else unavailable
        return away(self.name, self.state, self._supervisor.retry_after())

    def _proven(self) -> None:
        """The server turned out to speak the handshake era too."""
        self._supervisor.learn(eras=self.state.eras | HANDSHAKE)
        self._set_links()

    def _disproven(self) -> Link:
        """It did not, and need not be asked again: what to do instead."""
        self._one_era = True
        self._set_links()
        return self._link_of["handshake"]

    async def _look_again(self, call: Call, failure: Failure) -> Reply:
        """The server no longer speaks as expected: find out what it speaks, and try once more."""
        now = self._clock.monotonic()
        if now - self._probed >= REPROBE_AFTER:
            self._known = None
            self._begin("probe", call)
        before = self.state.eras
        if self.state.phase == "connecting" and self._attempt is not None:
            await asyncio.wait([self._attempt], timeout=self._spec.start_timeout)
        if self.state.phase != "ready":
            return self._unavailable()
        if self.state.eras == before:
            return failure
        link = await self._find_link(call)
        if isinstance(link, Failure):
            return link
        try:
            return await link.send(call)
        except Down as down:
            return self._down(down)
        except Stale as stale:
            return stale.failure

    async def _send_listen(self, call: Call) -> Reply:
        """One listen request of the gateway's own, for as long as it lasts."""
        modern = self._connector.modern
        if modern is None or self.state.phase != "ready":
            return self._unavailable()
        try:
            return await modern.send(call)
        except Down as down:
            return self._down(down)
        except Stale as stale:
            return stale.failure

    # Coming and going.

    async def start(self) -> None:
        """Begin to connect, if the server is to be up from the start. Does not wait for it."""
        if self._spec.start == "eager" and self.state.phase in {"idle", "needs-login"}:
            self._begin("start", None)

    async def settled(self) -> UpstreamState:
        """The state once the attempt under way, if any, has come to something."""
        if self._attempt is not None:
            await asyncio.wait([self._attempt])
        return self.state

    async def stop(self, grace: float) -> None:
        """End everything, for good: listen calls gracefully, processes and sessions in `grace`."""
        self._supervisor.report("stop")
        self._cancel_timer()
        for task in (self._attempt, self._watch):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self._hub.stop()
        self._connector.close()
        self._announcer.stop()
        self._deadlines.stop()
        await self._chores.finish(grace)

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` of every change; the result ends that."""
        end = self._announcer.watch(watcher)
        if self.state.phase == "ready":
            self._start_watching()
        return end

    async def end_session(self, affinity: str) -> None:
        """A client session is over, and with it what was open for it here."""
        if self._last is not None and self._last.affinity == affinity:
            self._last = None
        if self._connector.handshake is not None:
            self._connector.handshake.end_session(affinity)

    def _begin(self, event: Event, call: Call | None) -> None:
        """Start an attempt to connect, on behalf of `call` if there is one."""
        if not self._supervisor.report(event):
            return
        if call is not None:
            self._last = call.replace(
                params=EMPTY, emit=drop, ask=None, facts=NO_FACTS, target=None, deadline=None
            )
        self._attempt = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        self._refusal = None
        self._died = False
        self._probed = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._spec.start_timeout):
                if self._guard is not None:
                    # A login that is only now looked up decides whose session is opened.
                    await self._guard.admit(self._last.principal if self._last else GATEWAY)
                learned = await self._connector.connect(self._last, self._known)
        except TimeoutError:
            late = f"it was not ready within {self._spec.start_timeout:g} s"
            self._failed(late, SLOW, reason="start-slow")
        except (Refused, Stale) as refused:
            failure = refused.failure
            if failure.reason in NOBODY:
                self._supervisor.report("barred", NEEDS_LOGIN, failure.remedy, failure.reason)
                return
            self._refusal = failure
            self._failed(failure.message, failure.remedy, reason=failure.reason)
        except Down as down:
            self._failed(str(down), down.remedy, reason=down.reason)
        except Exception as error:
            what = f"connecting failed unexpectedly ({type(error).__name__})"
            self._failed(what, reason="connect-crashed")
        else:
            self._connected(learned)

    def _connected(self, learned: Learned) -> None:
        self._known = learned.first
        self._failing = False
        self._ready_at = asyncio.get_running_loop().time()
        self._one_era = learned.final
        self._supervisor.learn(eras=learned.eras, name=learned.name, version=learned.version)
        self._supervisor.running(self._connector.pid)
        self._supervisor.report("connected")
        self._set_links()
        self._used = self._clock.monotonic()
        self._rest_later()
        self._ready.set()
        self._hub.retry()
        if self._announcer:
            self._start_watching()

    def _set_links(self) -> None:
        self._link_of = {}
        if self.state.phase != "ready":
            return
        modern, handshake = self._connector.modern, self._connector.handshake
        if "modern" in self.state.eras and modern is not None:
            self._link_of["modern"] = modern
        if "handshake" in self.state.eras and handshake is not None:
            self._link_of["handshake"] = handshake
            self._link_of.setdefault("modern", ToHandshake(handshake, self._observe))
        elif modern is not None and self._one_era:
            self._link_of["handshake"] = ToModern(modern, self._observe)

    def _rest_later(self) -> None:
        """A stdio server nobody uses for long is ended, if so configured."""
        idle = self._spec.idle_stop
        if idle is not None and isinstance(self._spec.transport, StdioSpec):
            self._cancel_timer()
            self._timer = asyncio.get_running_loop().call_later(idle, self._rest, idle)

    def _rest(self, idle: float) -> None:
        busy = len(self._deadlines) or self._hub.listened_to
        if busy or self._clock.monotonic() - self._used < idle:
            self._rest_later()
        elif self._supervisor.report("rest"):
            self._connector.rest()
            self._supervisor.running(None)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _failed(self, why: str, remedy: str | None = None, *, reason: str) -> None:
        self._failing = True
        self._supervisor.report("failed", why, self._advice(remedy), reason, died=self._died)

    def _down(self, error: Down) -> Failure:
        """A ready server turned out to be gone."""
        self._supervisor.report("lost", str(error), error.remedy, error.reason)
        return self._unavailable()

    def _gone(self, error: Down, began: float) -> None:
        """The same, as an attempt showed that began then; it may have come back since."""
        if began >= self._ready_at:
            self._down(error)

    def _process_ended(self, why: str) -> None:
        self._supervisor.running(self._connector.pid)
        self._died = isinstance(self._spec.transport, StdioSpec)
        # Where each client session has a process of its own, one that a client wears out says
        # nothing about those that others would get.
        alone = self._spec.isolation == "session"
        counts = self._died and not alone
        advice = self._advice(ending_remedy(why))
        self._supervisor.report("lost", why, advice, ending_reason(why), died=counts)

    def _advice(self, remedy: str | None) -> str | None:
        """What to do, and what the server itself has said about it; for the owner's eyes."""
        said = self._connector.last_words
        told = f"It last said: {said}" if said else ""
        if not told and remedy is None and isinstance(self._spec.transport, StdioSpec):
            return SILENT
        return " ".join(filter(None, (remedy, told))) or None

    def _on_phase(self, state: UpstreamState) -> None:
        if state.phase != "ready":
            self._ready.clear()
            self._link_of = {}
        if state.next_attempt is not None:
            self._cancel_timer()
            wait = self._supervisor.retry_after() or 0.0
            self._timer = asyncio.get_running_loop().call_later(wait, self._begin, "retry", None)
        self._announcer.tell_now("state")

    def _start_watching(self) -> None:
        """Hear of changed lists. A stdio server of the handshake era tells them unasked."""
        if self._guard is None:
            self._watch_now()
        else:
            self._chores.add(self._watch_admitted(self._guard))

    async def _watch_admitted(self, guard: Guard) -> None:
        """Only where the gateway itself is let in: nobody's login is used for another's sake."""
        if await guard.opens_for(GATEWAY):
            self._watch_now()

    def _watch_now(self) -> None:
        if self._known == "modern":
            self._hub.watch()
        elif self._watch is None and not isinstance(self._spec.transport, StdioSpec):
            self._watch = asyncio.get_running_loop().create_task(self._watch_session())

    async def _watch_session(self) -> None:
        failed = 0
        while (handshake := self._connector.handshake) is not None:
            try:
                reply = await handshake.send(gateway_call(LISTEN, LISTS.params(), era="handshake"))
            except Down:
                reply = None
            except Stale:
                break
            if isinstance(reply, Result):
                break
            failed += 1
            await asyncio.sleep(self._backoff.wait(failed))
            await self._ready.wait()
        self._watch = None

    async def _until_ready(self) -> None:
        await self._ready.wait()
