"""The fronts of all endpoints: one exchange for each path.

Must not know: what an endpoint shows, how requests reach it.

An endpoint that a reload leaves in place keeps its exchange, and with it sessions and streams,
whatever else about it is changed: what it shows is the engine's to say. One that is gone takes
nothing new, and ends when what runs there is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lockgate.fronts.exchange import Exchange
from lockgate.fronts.http import Handler
from lockgate.fronts.settings import ExchangeSettings

Make = Callable[[ExchangeSettings], Exchange]
Guard = Callable[[str, Handler], Handler]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One path. `sse_path` is where clients of revision 2024-11-05 open their streams."""

    sse_path: str
    settings: ExchangeSettings
    exchange: Exchange


class Endpoints:
    """Every endpoint that is served now, by path."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._gone: set[asyncio.Task[None]] = set()
        self._hurry = asyncio.Event()
        self.served: dict[str, Endpoint] = {}

    def serve(self, every: Sequence[tuple[str, ExchangeSettings]], grace: float) -> None:
        """Serve these from now on: (path of event streams, settings) of each.

        What runs at others may take `grace` seconds more.
        """
        before, self.served = self.served, {}
        for sse_path, settings in every:
            kept = before.pop(settings.endpoint, None)
            self.served[settings.endpoint] = kept or Endpoint(
                sse_path, settings, self._make(settings)
            )
        for endpoint in before.values():
            task = asyncio.get_running_loop().create_task(self._end(endpoint.exchange, grace))
            self._gone.add(task)
            task.add_done_callback(self._gone.discard)

    def handlers(self, guard: Guard) -> Mapping[str, Handler]:
        """What serves which path; an endpoint wins over paths beside others.

        `guard` is what stands before each. The oldest HTTP transport has two paths, which its
        clients know by the first.
        """
        found: dict[str, Handler] = {}
        for one in self.served.values():
            older = one.exchange.http_sse
            found[one.sse_path] = guard(one.sse_path, older.stream)
            found[one.settings.messages_path] = guard(one.sse_path, older.messages)
        return {
            **found,
            **{path: guard(path, one.exchange) for path, one in self.served.items()},
        }

    async def drain(self) -> None:
        """Take nothing new anywhere; see `Exchange.drain`."""
        await asyncio.gather(*(one.exchange.drain() for one in self.served.values()))

    async def finish(self) -> None:
        """End what is left everywhere; see `Exchange.finish`."""
        self._hurry.set()
        every = [one.exchange.finish() for one in self.served.values()]
        await asyncio.gather(*every, *self._gone)

    async def _end(self, exchange: Exchange, grace: float) -> None:
        await exchange.drain()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), grace)
        await exchange.finish()
