"""Answers that are still fresh, without asking the server again.

Keeps: results of `resources/read` and `prompts/get` that say for how long (`ttlMs`), and results of
tools somebody said a time for. What is private is kept for one principal and session only. Costs: a
digest of the params. Does not protect from: a server that says `public` of what is not.

A store that is away, or an entry that is damaged or somebody else's, is a miss, never an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

import msgspec

from lockgate.core.cached import (
    Counts,
    Kept,
    ToolRule,
    base_of,
    cannot,
    find,
    group,
    groups_of,
    hints_of,
    judged,
    key_of,
    packed,
    served,
    uri_group,
)
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import LISTEN, Call, Notification, Principal, Reply, Result
from lockgate.core.policy import CallNext, Stage
from lockgate.core.store import Blobs

UPDATED: Final = "notifications/resources/updated"
BY_SUBJECT: Final = {"tools": "tools/call", "prompts": "prompts/get", "resources": "resources/read"}
READS: Final = frozenset({"resources/read", "prompts/get"})
MOST_KNOWN: Final = 10_000


class Cache:
    """The cache of one server."""

    name: ClassVar[str] = "cache"
    stage: ClassVar[Stage] = Stage.CACHE

    def __init__(
        self,
        server: str,
        blobs: Blobs,
        clock: Clock = SYSTEM,
        *,
        told: str = "",
        tool: Callable[[str], ToolRule | None] | None = None,
        longest: float = 3600.0,
        stale: float = 60.0,
        partition: Callable[[Principal], str] = lambda _: "",
    ) -> None:
        """Keep answers of `server` in `blobs`.

        Args:
            server: the server's name.
            blobs: where entries go.
            told: a digest of what the server is told; see `base_of`.
            clock: by wall time, since entries may outlive the process and be shared.
            tool: the rule for a tool; None: no tool has one.
            longest: seconds an entry is fresh at most.
            stale: seconds longer it may answer while the server cannot.
            partition: whose credentials the server is shown.
        """
        self._server, self._blobs = server, blobs
        self._told, self._partition = told, partition
        self._now = clock.wall
        self._tool = tool
        self._longest, self._stale = longest, stale
        self._flying: dict[str, asyncio.Future[Any]] = {}
        self._dropping: set[asyncio.Task[None]] = set()
        self._known: dict[bytes, None] = {}
        self._edition = 0
        self.counts = Counts()

    def concerns(self, method: str) -> bool:
        """Reads, prompts, tools if one has a rule, and the streams that tell of changes."""
        return method in READS or method == LISTEN or (method == "tools/call" and bool(self._tool))

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        if call.method == LISTEN:
            return await call_next(call.replace(emit=self._overhearing(call)))
        target = call.target
        rule = self._tool(target.name) if self._tool and target and target.kind == "tool" else None
        if call.method == "tools/call" and rule is None:
            return await call_next(call)
        base = base_of(call, self._told, self._partition(call.principal))
        if base is None:
            return await call_next(call)
        keys = key_of(base, call, "private"), key_of(base, call, "public")
        found = await find(self._blobs, keys, self._now())
        if found is not None and found.fresh > self._now():
            self.counts.hits += 1
            return served(found, self._now())
        asked = _Asked(call, call_next, base, keys, rule, found)
        if rule is None and base not in self._known:
            # Nobody knows yet whether it may be kept, so nobody waits for somebody else's.
            return (await self._fetch(asked))[0]
        return await self._together(asked)

    async def _together(self, asked: _Asked) -> Reply:
        """One of those who ask the same at once asks the server; the others wait for that."""
        key = asked.keys[0]
        while (flying := self._flying.get(key)) is not None:
            shared = await asyncio.shield(flying)
            if shared is not AGAIN:
                if shared is None:
                    return (await self._fetch(asked))[0]
                self.counts.joined += 1
                return shared
        flying = asyncio.get_running_loop().create_future()
        self._flying[key] = flying
        # Whoever asks may go away meanwhile; then one of the others asks.
        outcome: Result | object | None = AGAIN
        try:
            reply, kept = await self._fetch(asked)
            outcome = reply if kept else None
            return reply
        finally:
            del self._flying[key]
            flying.set_result(outcome)

    async def _fetch(self, asked: _Asked) -> tuple[Reply, bool]:
        """What the server says, or in its place what it said; and whether others may have that."""
        edition = self._edition
        self.counts.misses += 1
        reply = await asked.call_next(asked.call)
        if isinstance(reply, Result):
            return reply, edition == self._edition and await self._keep(asked, reply)
        if asked.found is None or not cannot(reply) or edition != self._edition:
            return reply, False
        self.counts.stale += 1
        return served(asked.found, self._now()), True

    async def _keep(self, asked: _Asked, result: Result) -> bool:
        data = result.raw.encode()
        hints = hints_of(result, data)
        if hints is None:
            return False
        ttl, scope = judged(hints, asked.rule, self._longest)
        if ttl <= 0:
            self._known.pop(asked.base, None)
            return False
        key = asked.keys[scope == "public"]
        kept = Kept(key, self._now() + ttl, hints.ttl is not None, data)
        await self._blobs.put(key, packed(kept), ttl + self._stale, groups_of(asked.call))
        self.counts.kept += 1
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[asked.base] = None
        return True

    def _overhearing(self, call: Call) -> Callable[[Notification], None]:
        emit = call.emit

        def heard(notification: Notification) -> None:
            if notification.method == UPDATED:
                uri = notification.params.get("uri")
                self._drop(uri_group(self._server, uri))
            emit(notification)

        return heard

    def changed(self, subject: str) -> None:
        """The server's `tools`, `prompts` or `resources` are no longer what they were."""
        if subject in BY_SUBJECT:
            self._drop(group(self._server, BY_SUBJECT[subject]))

    def _drop(self, group: str) -> None:
        # What is on its way from the server may be of before the change: it is not kept either.
        self._edition += 1
        self.counts.dropped += 1
        task = asyncio.get_running_loop().create_task(self._blobs.drop(group))
        self._dropping.add(task)
        task.add_done_callback(self._dropping.discard)


class _Asked(msgspec.Struct, frozen=True):
    """One call that was not answered from here."""

    call: Call
    call_next: CallNext
    base: bytes
    keys: tuple[str, str]
    rule: ToolRule | None
    found: Kept | None


AGAIN: Final = object()
