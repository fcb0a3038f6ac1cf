"""The engine as fronts see it, whichever world it belongs to at the moment.

Must not know: how worlds are made and when they change.

On the path of a call it is one attribute: `handle` is the current engine's own. Only while an
earlier world still has calls that wait for their clients' answers is there a step in between, which
sends such a client back to where its call waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from lockgate.core.message import Call, Reply
from lockgate.gateway.param_headers import Shown, ShownAt
from lockgate.gateway.world import World


class Facade:
    """Forwards to the current world."""

    def __init__(self, world: World) -> None:
        self.handle: Callable[[Call], Awaitable[Reply]]
        self._shown = Shown(world.engine.headers)
        self.turn_to(world, ())

    def turn_to(self, world: World, earlier: Sequence[World]) -> None:
        """Answer from `world` from now on; `earlier` ones still have calls that are not over."""
        self._world = world
        self._earlier = tuple(earlier)
        self.handle = self._where_it_waits if earlier else world.engine.handle
        self._shown.headers = world.engine.headers

    def _where_it_waits(self, call: Call) -> Awaitable[Reply]:
        if "requestState" in call.params:
            engine = self._world.engine
            state = engine.handles.state(engine.discovery.meant(call))
            for world in self._earlier:
                if state is not None and world.keeps(state):
                    return world.engine.handle(call)
        return self._world.engine.handle(call)

    async def end_session(self, affinity: str) -> None:
        """A client's session is over, in every world."""
        engines = [world.engine for world in (self._world, *self._earlier)]
        await asyncio.gather(*(engine.end_session(affinity) for engine in engines))

    def shown_at(self, endpoint: str) -> ShownAt:
        """Which arguments of tools are repeated in headers, as callers see the tools there."""
        return ShownAt(self._shown, endpoint)
