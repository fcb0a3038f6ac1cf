"""What people see of a server: one row of the start-up table, of `/ready` and of `lockgate tools`.

Must not know: anything but the words in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from lockgate.core.cached import Counts
from lockgate.core.message import Kind
from lockgate.gateway.unread import ListTrouble
from lockgate.upstreams.replicas import ReplicaState
from lockgate.upstreams.sandbox.plan import Achieved


class Withheld(msgspec.Struct, frozen=True):
    """So many things of one kind that a server lists and nobody is shown, and why."""

    kind: Kind
    reason: str
    count: int


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One server as it stands now.

    transport  `stdio`, `http`, `sse` or `websocket`.
    eras       the eras it is known to speak, none before it was reached.
    phase      the supervisor's word: idle, connecting, ready, backoff, crash-looping, stopped.
    seconds    how long it took to become ready; None when it never was.
    retry_in   seconds until the next attempt, in backoff and crash-looping.
    breaker    closed, open or half-open; see `lockgate.policies.breaker`.
    cache      what came of looking up answers; None when it has no cache.
    sandbox    what a stdio server is held to; None when it has no sandbox.
    tools, prompts, resources  how many it lists; None when not known.
    withheld   what of that nobody is shown.
    lists      which of its lists cannot be read, though it is not known to be down.
    error, remedy              why it is not ready, in one line each.
    replicas                   how each of its replicas stands, if it has several.
    code                       the stable code of that error (`lockgate.core.codes`).
    """

    name: str
    transport: str
    phase: str
    eras: tuple[str, ...] = ()
    title: str | None = None
    tools: int | None = None
    prompts: int | None = None
    resources: int | None = None
    withheld: tuple[Withheld, ...] = ()
    lists: tuple[ListTrouble, ...] = ()
    seconds: float | None = None
    retry_in: float | None = None
    breaker: str = "closed"
    cache: Counts | None = None
    sandbox: Achieved | None = None
    replicas: tuple[ReplicaState, ...] = ()
    code: str | None = None
    error: str | None = None
    remedy: str | None = None

    @property
    def tools_withheld(self) -> int:
        """How many of its tools nobody is shown."""
        return sum(one.count for one in self.withheld if one.kind == "tool")

    @property
    def muted(self) -> bool:
        """Whether it runs, and nobody is shown any of its tools."""
        return self.phase == "ready" and 0 < self.tools_withheld == self.tools


class ReloadStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the last changed configuration.

    at      when, in seconds since the Unix epoch.
    errors  how many errors it had, if it was refused.
    """

    status: Literal["applied", "refused"]
    at: float
    errors: int = 0


class CacheStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers' caches share.

    bytes   kept in memory now; at most `lockgate.cache.memory_bytes`.
    hits    entries that were found, by where: memory, shared, disk.
    damaged entries outside of the process that were not what had been put there.
    """

    bytes: int = 0
    hits: Mapping[str, int] = MappingProxyType({})
    damaged: int = 0


class SemanticStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How finding tools by what is meant stands.

    phase     `building` while tools wait to be embedded, `failed` while the embedder does, `ready`.
    embedder  what makes the vectors.
    embedded  tools that have their vector now; `waiting`: those that have none yet.
    kept      vectors at hand, of tools that are listed or were.
    retry_in  seconds until the embedder is asked again, when it has failed.
    code, error, remedy  why it has.
    """

    phase: Literal["building", "ready", "failed"]
    embedder: str
    embedded: int = 0
    waiting: int = 0
    kept: int = 0
    retry_in: float | None = None
    code: str | None = None
    error: str | None = None
    remedy: str | None = None


class GatewayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway as it stands now.

    phase   `starting`, `serving`, `draining`, or `down` when no server can serve.
    reload  what became of the last changed configuration, if there was one.
    cache   None when nothing is kept.
    semantic  None when tools are found by their words alone.
    """

    phase: str
    servers: tuple[ServerStatus, ...] = ()
    reload: ReloadStatus | None = None
    cache: CacheStatus | None = None
    semantic: SemanticStatus | None = None
