"""`subscriptions/listen`: one client stream over many servers' news.

Must not know: transports, or how a server is listened to in its era.

List changes are the gateway's own news (a server may come or go), told to every stream that asked.
Resource and task subscriptions go to the server concerned as a listen call of their own, one part
per server. A client that keeps a session listens to every server: such servers may log, ask, or
change their lists for that session alone. A server of both eras may also tell such a change on
its stream of the stateless era and nowhere else, so what is heard there is told sessions as well;
one that tells it in both places is passed on once. Resources to which it takes no subscription in
a session are listened to on that stream too.

A part that breaks is taken up again when its server is back; then every URI it covers is reported
as updated once, because what happened in between is not known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal, cast

from lockgate.core.lifecycle import Step, Table
from lockgate.core.message import Call, Era, Failure, Notification, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.core.sight import Everything, Sight
from lockgate.gateway.facts import OWN_CLIENT
from lockgate.gateway.listing import LISTS
from lockgate.gateway.sights import Sights
from lockgate.gateway.tasks import TaskIds
from lockgate.upstreams.fan import Fan

ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
UPDATED: Final = "notifications/resources/updated"
FLAGS: Final = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
SUBJECTS: Final = {entry.changed: entry.capability for entry in LISTS.values()}
BOTH_WAYS: Final = 0.1
"""Seconds within which a server of both eras has told one change in both."""
RETRY_FIRST: Final = 1.0
RETRY_MOST: Final = 60.0
MOST_NAMES: Final = 1000  # of one stream; what is over is absent from the acknowledgement
NOBODY: Final[frozenset[str]] = frozenset()
MOVED: Final = "moved"
"""Among the facts of a listen call that goes on with a stream its client has already."""
GIVE_UP: Final = frozenset({-32601, -32602})

Phase = Literal["opening", "away", "live", "broken", "refused"]
Event = Literal["acknowledged", "ended", "refused"]
Action = Literal["report every resource"]

TABLE: Final[Table[Phase, Event, Action]] = {
    ("opening", "acknowledged"): Step("live"),
    ("opening", "ended"): Step("away"),
    ("opening", "refused"): Step("refused"),
    ("away", "acknowledged"): Step("live"),
    ("away", "ended"): Step("away"),
    ("away", "refused"): Step("refused"),
    ("live", "ended"): Step("broken"),
    ("live", "refused"): Step("refused"),
    ("broken", "acknowledged"): Step("live", "report every resource"),
    ("broken", "ended"): Step("broken"),
    ("broken", "refused"): Step("refused"),
}
"""A part: what one client's stream hears from one server. ended: it is opened again after a pause.
refused: the server will never have it."""

Send = Callable[[Call], Awaitable[Reply]]
Changed = Callable[[str, str, str | None], None]


class Subscriptions:
    """Every open listen stream of one endpoint."""

    def __init__(
        self,
        servers: Mapping[str, Send],
        task_ids: TaskIds,
        changed: Changed,
        ack_wait: float = 5.0,
        sights: Sights | None = None,
    ) -> None:
        """`changed(server, subject, session)` is told of list changes that arrive on a part."""
        self._sights = sights or Sights(Everything(servers=tuple(servers)))
        self._servers = servers
        self._task_ids = task_ids
        self._changed = changed
        self._ack_wait = ack_wait
        self._streams: set[_Stream] = set()
        self._fan = Fan()
        self._closing = asyncio.Event()
        self.locate: Callable[[Call, str], Awaitable[Target | Failure]] | None = None

        self.gather = 0.0
        """Seconds for which changes of lists are gathered before streams are told of them."""
        self._changes: dict[str, set[str]] = {}
        self._heard: dict[str, set[_Stream]] = {}
        self._timer: asyncio.TimerHandle | None = None

        self.eras_of: Callable[[str], Collection[Era]] = lambda _: ()

        self.fresh: Collection[str] = NOBODY
        """Servers that a stream which is `MOVED` here has not listened to."""

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def announce(self, method: str, server: str) -> None:
        """A list has changed: tell the streams that asked and do not hear it from the server."""
        if self.gather:
            self._changes.setdefault(method, set()).add(server)
            self._wait()
        else:
            self._tell(method, {server})

    def heard_outside(self, server: str, subject: str) -> None:
        """A list has changed, as `server` told outside of sessions: they may not have heard it."""
        if not self._in_both_eras(server):
            return
        for method in (one for one, about in SUBJECTS.items() if about == subject):
            hearing = {one for one in self._streams if method in one.wanted and one.hears(server)}
            if hearing:
                self._heard.setdefault(method, set()).update(hearing)
                self._wait()

    def _in_both_eras(self, server: str) -> bool:
        return len(self.eras_of(server)) > 1

    def _tell(self, method: str, servers: Collection[str], also: Collection[_Stream] = ()) -> None:
        """`also`: streams that heard of it from their servers."""
        self._fan.out(
            [
                stream.call.emit
                for stream in self._streams
                if method in stream.wanted and (stream in also or any(map(stream.news_of, servers)))
            ],
            Notification(method),
        )

    def _wait(self) -> None:
        if self._timer is None:
            wait = self.gather or BOTH_WAYS
            self._timer = asyncio.get_running_loop().call_later(wait, self._gathered)

    def _gathered(self) -> None:
        """Tell every stream of each list that has changed, once."""
        self._timer = None
        changes, self._changes = self._changes, {}
        heard, self._heard = self._heard, {}
        for method in sorted({*changes, *heard}):
            self._tell(method, changes.get(method, ()), heard.get(method, ()))

    def close(self) -> None:
        """End every stream gracefully; each call answers its Result."""
        if self._timer is not None:
            self._timer.cancel()
        self._fan.finish()
        self._closing.set()

    async def listen(self, call: Call) -> Reply:
        """Serve one `subscriptions/listen` call until the client goes or `close` is called."""
        asked = call.params.object("notifications")
        gap = self.fresh if MOVED in call.facts else NOBODY
        sight = self._sights.of(call)
        seen = [name for name in sight.servers if name in self._servers]
        wanted = {FLAGS[flag] for flag in FLAGS if asked.get(flag) is True}
        stream = _Stream(call, wanted, gap, seen)
        for uri in _strings(asked.get("resourceSubscriptions")):
            await self._subscribe(stream, uri, sight)
        for task in _strings(asked.get("taskIds")):
            target = self._task_ids.inward(call, task)
            if target is not None and target.server in seen:
                stream.part(target.server).tasks[target.name] = task
        if call.affinity is not None:
            for server in seen:
                stream.part(server)
        return await self._serve(stream, asked)

    async def _subscribe(self, stream: _Stream, uri: str, sight: Sight) -> None:
        found = await self.locate(stream.call, uri) if self.locate else None
        if isinstance(found, Target):
            found = sight.judge(stream.call.replace(target=found)) or found
        if isinstance(found, Target):
            stream.part(found.server).uris[found.name] = uri
        elif found is not None:
            stream.refusals[uri] = found.message

    async def _serve(self, stream: _Stream, asked: Raw) -> Reply:
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._open(stream, stream.parts.values(), tasks)
            await self._open(stream, self._beside(stream), tasks)
            stream.call.emit(Notification(ACKNOWLEDGED, _acknowledgement(stream, asked)))
            self._streams.add(stream)
            stream.acknowledged = True
            stream.flush()
            await self._closing.wait()
        finally:
            self._streams.discard(stream)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return Result(Raw())

    async def _open(
        self, stream: _Stream, parts: Collection[_Part], tasks: list[asyncio.Task[None]]
    ) -> None:
        """Begin to listen, and wait a while for what comes of it."""
        loop = asyncio.get_running_loop()
        tasks += [loop.create_task(self._run(stream, part)) for part in parts]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ack_wait):
                for part in parts:
                    await part.settled.wait()

    def _beside(self, stream: _Stream) -> Collection[_Part]:
        """Parts for the resources that servers of both eras do not tell of in sessions."""
        if stream.call.affinity is not None:
            for part in stream.parts.values():
                if part.live and self._in_both_eras(part.server):
                    stream.listen_beside(part)
        return stream.beside

    async def _run(self, stream: _Stream, part: _Part) -> None:
        """Keep one part open for as long as the stream lives."""
        pause = RETRY_FIRST
        while True:
            reply = await self._servers[part.server](
                stream.call.replace(
                    params=Raw.of({"notifications": part.filter(stream)}),
                    client=OWN_CLIENT["modern"] if part.outside else stream.call.client,
                    emit=partial(self._hear, stream, part),
                    target=None,
                )
            )
            if isinstance(reply, Failure):
                part.problem = reply.message
                if reply.code in GIVE_UP:
                    part.report("refused")
                    return
            pause = RETRY_FIRST if part.live else min(pause * 2, RETRY_MOST)
            part.report("ended")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
                return

    def _hear(self, stream: _Stream, part: _Part, notification: Notification) -> None:
        method = notification.method
        if method == ACKNOWLEDGED:
            part.honoured = notification.params.object("notifications")
            if part.report("acknowledged") == "report every resource":
                for uri in part.uris.values():
                    stream.emit(Notification(UPDATED, Raw.of({"uri": uri})))
            return
        if method in SUBJECTS:
            self._changed(part.server, SUBJECTS[method], stream.call.affinity)
            if method not in stream.wanted:
                return
            if stream.acknowledged and (self.gather or self._in_both_eras(part.server)):
                self._heard.setdefault(method, set()).add(stream)
                self._wait()
                return
        elif method == UPDATED:
            uri: object = notification.params.get("uri")
            public = part.uris.get(uri) if isinstance(uri, str) else None
            if public is not None and public != uri:
                notification = Notification(method, notification.params.replace(uri=public))
        else:
            notification = self._task_ids.notification(stream.call, part.server, notification)
        stream.emit(notification)


class _Part:
    """What one stream hears from one server."""

    def __init__(self, server: str, phase: Phase, *, outside: bool = False) -> None:
        """`outside`: of the client's session, on the server's stream of the stateless era."""
        self.server = server
        self.outside = outside
        self.uris: dict[str, str] = {}
        self.tasks: dict[str, str] = {}
        self.honoured: Raw = Raw()
        self.settled = asyncio.Event()
        self.phase: Phase = phase
        self.problem: str | None = None

    def filter(self, stream: _Stream) -> dict[str, Any]:
        wanted: dict[str, Any] = {}
        if stream.call.affinity is not None and not self.outside:
            wanted |= {flag: True for flag, method in FLAGS.items() if method in stream.wanted}
        if self.uris:
            wanted["resourceSubscriptions"] = list(self.uris)
        if self.tasks:
            wanted["taskIds"] = list(self.tasks)
        return wanted

    @property
    def live(self) -> bool:
        return self.phase == "live"

    def report(self, event: Event) -> Action | None:
        """Take the step that `event` names, if there is one; what is to be done about it."""
        step = TABLE.get((self.phase, event))
        if step is None:
            return None
        self.phase = step.phase
        self.settled.set()
        return step.action

    def kept(self, member: str, names: Mapping[str, str]) -> list[str]:
        honoured = _strings(self.honoured.get(member))
        return [names[name] for name in honoured if name in names]


class _Stream:
    """One open listen call. Nothing is emitted before its acknowledgement."""

    def __init__(
        self, call: Call, wanted: set[str], gap: Collection[str], seen: Collection[str]
    ) -> None:
        """`gap`: servers whose resources are reported once they are listened to.

        `seen`: those it may hear of at all.
        """
        self._seen = frozenset(seen)
        self.call = call
        self._gap = gap
        self.wanted = wanted
        self.parts: dict[str, _Part] = {}
        self.beside: list[_Part] = []
        self.refusals: dict[str, str] = {}
        self.acknowledged = False
        self._early: list[Notification] = []

    def part(self, server: str) -> _Part:
        found = self.parts.get(server)
        if found is None:
            found = self.parts[server] = _Part(server, self._beginning(server))
        return found

    def _beginning(self, server: str) -> Phase:
        return "broken" if server in self._gap else "opening"

    def listen_beside(self, part: _Part) -> None:
        """Have the resources that `part` could not subscribe to listened to outside of it."""
        honoured = set(_strings(part.honoured.get("resourceSubscriptions")))
        missing = {name: uri for name, uri in part.uris.items() if name not in honoured}
        if missing:
            part.uris = {name: uri for name, uri in part.uris.items() if name in honoured}
            beside = _Part(part.server, self._beginning(part.server), outside=True)
            beside.uris = missing
            self.beside.append(beside)

    def sees(self, server: str) -> bool:
        """Whether news of `server` (empty: of them all) are for this stream."""
        return not server or server in self._seen

    def news_of(self, server: str) -> bool:
        """Whether it is told what becomes of the lists of `server`, and does not hear it there."""
        return self.sees(server) and not self.hears(server)

    def hears(self, server: str) -> bool:
        part = self.parts.get(server)
        return part is not None and part.live and self.call.affinity is not None

    def emit(self, notification: Notification) -> None:
        if self.acknowledged:
            self.call.emit(notification)
        elif len(self._early) < 256:
            self._early.append(notification)

    def flush(self) -> None:
        early, self._early = self._early, []
        for notification in early:
            self.call.emit(notification)


def _acknowledgement(stream: _Stream, asked: Raw) -> Raw:
    honoured: dict[str, Any] = {flag: True for flag in FLAGS if asked.get(flag) is True}
    parts = [*stream.parts.values(), *stream.beside]
    if "resourceSubscriptions" in asked:
        honoured["resourceSubscriptions"] = [
            uri for part in parts for uri in part.kept("resourceSubscriptions", part.uris)
        ]
    if "taskIds" in asked:
        honoured["taskIds"] = [task for part in parts for task in part.kept("taskIds", part.tasks)]
    return Raw.of({"notifications": honoured})


def _strings(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    return [item for item in cast("list[object]", value)[:MOST_NAMES] if isinstance(item, str)]
