"""The cache of every server of an engine, over the tiers that are configured.

Must not know: what makes an answer fresh (the policy's part), or what kind of store a tier is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from lockgate.core.cached import Counts, ToolRule
from lockgate.core.clock import Clock
from lockgate.core.match import ByTool
from lockgate.core.raw import Raw
from lockgate.core.store import Store
from lockgate.policies.cache import Cache
from lockgate.stores.tiered import Tiered

Definition = Callable[[str, str, str], Raw | None]


class ServerCaching(msgspec.Struct, frozen=True, kw_only=True):
    """What of one server is kept. Times in seconds.

    tools           a rule for each pattern, in file order; None: what is said for all tools holds.
    read_only_tools how long results of tools annotated read-only are kept; None: not.
    """

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
        near: Store | None,
        far: Sequence[tuple[str, Store]],
        clock: Clock,
    ) -> None:
        """`near` is in the process, `far` are named tiers outside of it; there is at least one."""
        self.tiers = Tiered(near, far, clock)
        self.stores = (*([near] if near else []), *(store for _, store in far))
        self._annotated: dict[str, dict[str, ToolRule | None]] = {}
        # Set once the catalog is there: it is made after the chains.
        self.definition: Definition = lambda _server, _method, _tool: None
        self._of = {
            name: Cache(
                name,
                self.tiers,
                clock,
                tool=self._rule(name, one),
                longest=settings.longest,
                stale=settings.stale,
            )
            for name, one in settings.servers.items()
        }

    def of(self, server: str) -> Cache | None:
        """The policy of one server."""
        return self._of.get(server)

    def _rule(
        self, server: str, settings: ServerCaching
    ) -> Callable[[str], ToolRule | None] | None:
        if settings.read_only_tools is None and not any(rule for _, rule in settings.tools):
            return None
        seconds = settings.read_only_tools
        by_tool = ByTool([(pattern, rule or UNSAID) for pattern, rule in settings.tools], UNSAID)

        def rule(tool: str) -> ToolRule | None:
            found = by_tool[tool]
            if found is not UNSAID:
                return found if found.ttl > 0 else None
            if seconds is None:
                return None
            known = self._annotated.setdefault(server, {})
            return known[tool] if tool in known else self._learn(server, tool, seconds, known)

        return rule

    def _learn(
        self, server: str, tool: str, seconds: float, known: dict[str, ToolRule | None]
    ) -> ToolRule | None:
        listed = self.definition(server, "tools/list", tool)
        if listed is None:
            return None
        hint = listed.object("annotations").get("readOnlyHint")
        # Only listed tools get here, and lists are bounded.
        known[tool] = ToolRule(seconds) if hint is True else None
        return known[tool]

    def changed(self, server: str, subject: str) -> None:
        """A list of the server is no longer what it was."""
        self._annotated.pop(server, None)
        cache = self._of.get(server)
        if cache is not None:
            cache.changed(subject)

    def counts(self) -> dict[str, Counts]:
        """What came of looking up, for each server."""
        return {name: cache.counts for name, cache in self._of.items()}

    async def close(self) -> None:
        """Write out what waits."""
        await self.tiers.close()


UNSAID: Final = ToolRule(-1.0)
