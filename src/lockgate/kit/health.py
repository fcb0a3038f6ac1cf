"""Whether a server is well: what is asked by orchestrators, load balancers, people and models.

Must not know: what is checked. Nothing of an error is told but that there is one; what it was is in
the log. However often somebody asks, the checks run once in `fresh` seconds.

    | route     | answers 200 when                                   | otherwise                   |
    |-----------|----------------------------------------------------|-----------------------------|
    | `/health` | the process answers                                | nothing: it is restarted    |
    | `/ready`  | no check that is `needed` fails, and it is no stop | 503: it gets no more calls  |
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from lockgate.core.clock import SYSTEM, Clock
from lockgate.kit import routes
from lockgate.kit.wrapping import require_async

Status = Literal["healthy", "degraded", "unhealthy", "stopping"]
Check = Callable[[], Awaitable[object]]

_log: Final = logging.getLogger("lockgate.kit")


class Health:
    """The checks of one server."""

    def __init__(
        self,
        name: str = "server",
        version: str = "",
        *,
        timeout: float = 2.0,
        fresh: float = 1.0,
        clock: Clock = SYSTEM,
    ) -> None:
        """No checks yet.

        Args:
            name: the server's.
            version: the server's.
            timeout: seconds for all checks, which run at the same time; one that takes longer
                fails.
            fresh: seconds for which what was found is told again.
            clock: what time is told by.
        """
        self._name = name
        self._version = version
        self._timeout = timeout
        self._fresh = fresh
        self._now = clock.monotonic
        self._began = self._now()
        self._checks: dict[str, tuple[Check, bool]] = {}
        self._found: dict[str, bool] = {}
        self._until = -1.0
        self._looking = asyncio.Lock()
        self.stopping = False

    def check(self, name: str, *, needed: bool = True) -> Callable[[Check], Check]:
        """A decorator: an async function that raises, or returns False, when something is wrong.

        Args:
            name: what is checked.
            needed: whether the server is of no use without it; otherwise it is only degraded.

        Raises:
            TypeError: it is not async.
        """

        def added(function: Check) -> Check:
            require_async(function, "a check")
            self._checks[name] = function, needed
            self._until = -1.0
            return function

        return added

    async def report(self) -> dict[str, Any]:
        """`status`, `service`, `version`, `uptime_seconds`, and of each check `ok` or `failing`."""
        async with self._looking:
            if self._now() >= self._until:
                results = await asyncio.gather(
                    *(self._passes(name, check) for name, (check, _) in self._checks.items())
                )
                self._found = dict(zip(self._checks, results, strict=True))
                self._until = self._now() + self._fresh
        return {
            "status": self._status(),
            "service": self._name,
            "version": self._version,
            "uptime_seconds": round(self._now() - self._began, 3),
            "checks": {name: "ok" if well else "failing" for name, well in self._found.items()},
        }

    def _status(self) -> Status:
        if self.stopping:
            return "stopping"
        failing = [self._checks[name][1] for name, well in self._found.items() if not well]
        return "unhealthy" if any(failing) else "degraded" if failing else "healthy"

    async def _passes(self, name: str, check: Check) -> bool:
        try:
            async with asyncio.timeout(self._timeout):
                return await check() is not False
        except Exception as error:
            _log.warning("check %s failed: %s", name, error or type(error).__name__)
            return False

    @property
    def live(self) -> routes.Route:
        """`/health` as an ASGI application."""
        return routes.Route(self._live)

    @property
    def ready(self) -> routes.Route:
        """`/ready` as an ASGI application."""
        return routes.Route(self._ready)

    def add_to(
        self,
        server: Any,
        *,
        live: str | None = "/health",
        ready: str | None = "/ready",
        tool: str | None = "health",
    ) -> None:
        """Add routes, and a tool of this name, to a server; None: not that one.

        Whoever reaches the server may read the routes, and every client may call the tool.

        Raises:
            TypeError: the server takes none.
        """
        if live is not None:
            routes.add(server, live, self.live)
        if ready is not None:
            routes.add(server, ready, self.ready)
        if tool is not None:
            routes.add_tool(
                server, tool, "Whether this server and what it needs is well.", self._tool
            )

    async def _tool(self) -> dict[str, Any]:
        return await self.report()

    async def _live(self) -> routes.Answer:
        return routes.as_json(200, {"status": "alive", "service": self._name})

    async def _ready(self) -> routes.Answer:
        report = await self.report()
        well = report["status"] in ("healthy", "degraded")
        return routes.as_json(200 if well else 503, report)
