"""One configuration, with the engine and the servers that were made for it.

Must not know: fronts, other worlds.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.config.model import Config
from lockgate.gateway.caching import Caches
from lockgate.gateway.engine import Engine
from lockgate.gateway.meaning import Meaning
from lockgate.upstreams.pool import HttpPool
from lockgate.upstreams.replicas import Replicas
from lockgate.upstreams.upstream import Upstream


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """One server that runs.

    told   all that it was told; a server that is to be told the same need not be another one.
    grace  how long it may take to end.
    pool   what its connections are made with, if it needs any.
    """

    upstream: Upstream | Replicas
    told: object
    grace: float
    pool: HttpPool

    @property
    def pools(self) -> list[object]:
        """Every pool it needs: replicas that outlived a reload have that of their time."""
        replicas = self.upstream.replicas if isinstance(self.upstream, Replicas) else ()
        return [self.pool, *(one.pool for one in replicas)]

    @property
    def connecting(self) -> bool:
        """Whether calls may be waiting for it to become ready."""
        return self.upstream.state.phase == "connecting"


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What calls that begin now are answered by, until another takes its place.

    standing  the servers by name, in the order of the file.
    meaning   what tools are found by beside their words; worlds of the same settings share it.
    """

    config: Config
    engine: Engine
    standing: dict[str, Standing]
    caches: Caches | None = None
    meaning: Meaning | None = None

    def keeps(self, state: str) -> bool:
        """Whether a call waits here for its client to come back with this `requestState`."""
        return any(one.upstream.keeps(state) for one in self.standing.values())

    def without(self, other: World) -> list[Standing]:
        """The servers of this world that are not those of `other`."""
        return [one for name, one in self.standing.items() if other.standing.get(name) is not one]
