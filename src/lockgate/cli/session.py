"""A gateway that lives for one command: started, asked, and ended.

Must not know: what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from lockgate.cli.running import StopSignals
from lockgate.cli.terminal import Waiting, say_error, waiting
from lockgate.config.model import Config
from lockgate.core.names import spell
from lockgate.errors import CallFailed, ServerUnavailable
from lockgate.gateway.app import Gateway
from lockgate.gateway.status import ServerStatus

_MOST_PAGES: Final = 1000
_GRACE: Final = 2.0
TICK: Final = 0.2
"""Seconds between two looks at who is still starting."""


@asynccontextmanager
async def running(config: Config) -> AsyncGenerator[Gateway]:
    """A gateway with its servers settled; ended when the body is left, however it is left.

    The first stop signal cancels the body; a second one ends the process at once.
    """
    gateway = Gateway(config)
    task = asyncio.current_task()
    stopping = StopSignals(gateway.abort, first=task.cancel if task else None)
    stopping.listen()
    try:
        await gateway.start()
        longest = max((one.start_timeout for one in config.enabled.values()), default=0.0)
        with waiting(f"Starting {', '.join(config.enabled)}") as shown:
            await settle(gateway, longest + 1.0, shown)
        yield gateway
    finally:
        await gateway.stop(_GRACE)


async def settle(gateway: Gateway, seconds: float, shown: Waiting) -> None:
    """Wait until every server is ready or has failed once, saying which are not yet."""
    settled = asyncio.create_task(gateway.settled(seconds))
    try:
        while not settled.done():
            await asyncio.wait({settled}, timeout=TICK)
            shown.update(f"Starting {', '.join(gateway.starting()) or 'servers'}")
    finally:
        settled.cancel()


def only_for(config: Config, tool: str) -> Config:
    """The configuration with only the servers that can have a tool of this name.

    Names stay spelled as they are with all servers. When the name tells nothing, all are kept.
    """
    if config.naming != "prefix":
        return config
    fitting = {
        name: server
        for name, server in config.enabled.items()
        if tool.startswith(spell(name, "", "prefix"))
    }
    if not fitting:
        return config
    return config.with_settings(naming="prefix").model_copy(update={"servers": fitting})


async def all_tools(gateway: Gateway) -> list[dict[str, Any]]:
    """Every tool, all pages."""
    tools: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        params = {"cursor": cursor} if cursor else {}
        try:
            page = await gateway.request("tools/list", params)
        except CallFailed:
            # Lazy servers have had their first chance only now.
            require_any(gateway.servers())
            raise
        tools += page.get("tools", [])
        cursor = page.get("nextCursor")
        if not cursor:
            break
    return tools


def absent(servers: list[ServerStatus]) -> list[ServerStatus]:
    """The servers whose tools are missing from a list."""
    return [server for server in servers if server.phase not in ("ready", "idle")]


def require_any(servers: list[ServerStatus]) -> None:
    """At least one server can be asked.

    Raises:
        ServerUnavailable: none is ready.
    """
    away = absent(servers)
    if servers and len(away) == len(servers):
        for server in away:
            say_error(why_absent(server), server.remedy, server.code)
        raise ServerUnavailable("No server is ready.")


def why_absent(server: ServerStatus) -> str:
    """Why the tools of a server are missing, in one line."""
    if server.error:
        return f"{server.name} is not ready: {server.error}"
    return f"{server.name} is still starting; its start_timeout says how long that may take."
