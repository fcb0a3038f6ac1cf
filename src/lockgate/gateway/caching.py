"""The cache of every server of an engine, over the tiers that are configured.

Must not know: what makes an answer fresh (the policy's part), or what kind of store a tier is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from lockgate.core.cached import Counts, ToolRule
from lockgate.core.clock import Clock
from lockgate.core.match import ByTool
from lockgate.core.message import Principal
from lockgate.core.raw import Raw
from lockgate.core.store import Store
from lockgate.gateway.status import CacheStatus
from lockgate.policies.cache import BY_SUBJECT, Cache
from lockgate.stores.memory import MemoryStore
from lockgate.stores.tiered import Tiered

Definition = Callable[[str, str, str], Raw | None]
Partition = Callable[[str, Principal], str]


class ServerCaching(msgspec.Struct, frozen=True, kw_only=True):
    """What of one server is kept. Times in seconds.

    told            a digest of what the server is told: its program or address, and secrets.
    tools           a rule for each pattern, in file order; None: what is said for all tools holds.
    read_only_tools how long results of tools annotated read-only are kept; None: not.
    """

    told: str = ""
    tools: tuple[tuple[str, ToolRule | None], ...] = ()
    read_only_tools: float | None = None


class Caching(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept, of which servers; a server that is not named has no cache."""

    servers: Mapping[str, ServerCaching] = MappingProxyType({})
    longest: float = 3600.0
    stale: float = 60.0


class Caches:
    """One policy for each server that has a cache, and the tiers they share."""

    def __init__(
        self,
        settings: Caching,
        near: MemoryStore | None,
        far: Sequence[tuple[str, Store]],
        clock: Clock,
        before: Caches | None = None,
    ) -> None:
        """`near` is in the process, `far` are named tiers outside of it; there is at least one.

        A cache of `before` that has the same tiers and settings is the same one: what is on its way
        there is still waited for, and what the server tells of changes reaches it.
        """
        self.near, self.far = near, list(far)
        self.stores = (*([near] if near else []), *(store for _, store in far))
        same = before is not None and before.stores == self.stores
        self.tiers = before.tiers if before and same else Tiered(near, far, clock)
        self.listed = before.listed if before else _Listed()
        known = before.each if before and same else {}
        self.each: dict[str, _One] = {}
        for name, one in settings.servers.items():
            found, rules = known.get(name), (one, settings.longest, settings.stale)
            if found is None or found.settings != rules:
                found = self._new(name, rules, clock)
            self.each[name] = found

    def _new(self, name: str, settings: tuple[ServerCaching, float, float], clock: Clock) -> _One:
        one, longest, stale = settings
        listed = self.listed
        tools = _Tools(name, one, self.listed)
        cache = Cache(
            name,
            self.tiers,
            clock,
            # Whatever was kept by other rules than these is nobody's answer any more.
            told=_digest(settings),
            tool=tools.rule if tools else None,
            longest=longest,
            stale=stale,
            partition=lambda principal: listed.partition(name, principal),
        )
        return _One(settings, cache, tools)

    @property
    def definition(self) -> Definition:
        """How a server lists a tool, as the current engine knows it."""
        return self.listed.definition

    @definition.setter
    def definition(self, known: Definition) -> None:
        self.listed.definition = known

    @property
    def partition(self) -> Partition:
        """Whose credentials a server is shown, as the current engine knows it."""
        return self.listed.partition

    @partition.setter
    def partition(self, known: Partition) -> None:
        self.listed.partition = known

    def of(self, server: str) -> Cache | None:
        """The policy of one server."""
        one = self.each.get(server)
        return None if one is None else one.cache

    def changed(self, server: str, subject: str) -> None:
        """A list of the server is no longer what it was."""
        one = self.each.get(server)
        if one is not None:
            one.tools.forget()
            one.cache.changed(subject)

    def forget(self, server: str) -> None:
        """Nothing that is kept of the server is known to hold."""
        for subject in BY_SUBJECT:
            self.changed(server, subject)

    def counts(self) -> dict[str, Counts]:
        """What came of looking up until now, for each server."""
        return {name: msgspec.structs.replace(one.cache.counts) for name, one in self.each.items()}

    def status(self) -> CacheStatus:
        """What there is in all."""
        tiers = self.tiers
        return CacheStatus(
            bytes=self.near.size if self.near is not None else 0,
            hits=dict(tiers.hits),
            damaged=tiers.refused,
        )

    async def close(self, others: Sequence[Caches | None] = ()) -> None:
        """Write out what waits, unless one of `others` goes on with these tiers."""
        if not any(other is not None and other.tiers is self.tiers for other in others):
            await self.tiers.close()


class _Listed:
    """What servers list and are shown: of the engine of the moment, for caches that see several."""

    def __init__(self) -> None:
        # Set once the catalog is there: it is made after the chains.
        self.definition: Definition = lambda _server, _method, _tool: None
        self.partition: Partition = lambda _server, _principal: ""


class _Tools:
    """Which rule a tool of one server has."""

    def __init__(self, server: str, settings: ServerCaching, listed: _Listed) -> None:
        self._server = server
        self._seconds = settings.read_only_tools
        patterns = [(pattern, rule or UNSAID) for pattern, rule in settings.tools]
        self._by_tool = ByTool(patterns, UNSAID)
        self._any = any(rule for _, rule in settings.tools)
        self.listed = listed
        self._annotated: dict[str, ToolRule | None] = {}

    def __bool__(self) -> bool:
        """Whether any tool can have one."""
        return self._any or self._seconds is not None

    def rule(self, tool: str) -> ToolRule | None:
        """That of the first pattern, else that of its annotation; None: nothing is kept."""
        found = self._by_tool[tool]
        if found is not UNSAID:
            return found if found.ttl > 0 else None
        if self._seconds is None:
            return None
        known = self._annotated
        return known[tool] if tool in known else self._learn(tool, self._seconds)

    def _learn(self, tool: str, seconds: float) -> ToolRule | None:
        listed = self.listed.definition(self._server, "tools/list", tool)
        if listed is None:
            return None
        hint = listed.object("annotations").get("readOnlyHint")
        # Only listed tools get here, and lists are bounded.
        rule = self._annotated[tool] = ToolRule(seconds) if hint is True else None
        return rule

    def forget(self) -> None:
        """The server's list is no longer what it was."""
        self._annotated.clear()


class _One(NamedTuple):
    """The cache of one server, and what it was made from."""

    settings: tuple[ServerCaching, float, float]
    cache: Cache
    tools: _Tools


def _digest(settings: tuple[ServerCaching, float, float]) -> str:
    said = msgspec.json.encode(settings, order="deterministic")
    return blake2b(said, digest_size=16).hexdigest()


UNSAID: Final = ToolRule(-1.0)
