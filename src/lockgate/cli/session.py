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
from lockgate.config.compact import CompactSettings
from lockgate.config.model import Config, ServerConfig
from lockgate.core.names import spell
from lockgate.errors import CallFailed, ServerUnavailable
from lockgate.gateway.app import Gateway
from lockgate.gateway.endpoint_sights import endpoints_of, naming_of, servers_at
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


def only_at(config: Config, endpoint: str | None) -> Config:
    """The configuration with only the servers that can be seen at an endpoint.

    Names stay spelled as they are with all servers.
    """
    served = endpoints_of(config)
    path = endpoint if endpoint is not None else next(iter(served), "")
    if path not in served:
        return config  # the gateway says so, with the paths there are
    kept = {name: config.servers[name] for name in servers_at(config, path)}
    return config if len(kept) == len(config.enabled) else _narrowed(config, kept)


def as_written(config: Config) -> Config:
    """The configuration with tools listed as their servers wrote them."""
    off = CompactSettings(tools="off")
    endpoints = {
        path: one.model_copy(update={"compact": None})
        for path, one in config.lockgate.endpoints.items()
    }
    return config.with_settings(compact=off, endpoints=endpoints)


def _narrowed(config: Config, servers: dict[str, ServerConfig]) -> Config:
    """Only these servers, with names spelled as if all were there."""
    spelled = {
        path: one.model_copy(update={"naming": naming_of(one, config, servers_at(config, path))})
        for path, one in config.lockgate.endpoints.items()
    }
    changed = config.with_settings(naming=config.naming, endpoints=spelled)
    return changed.model_copy(update={"servers": servers})


def only_for(config: Config, tool: str, endpoint: str | None) -> Config:
    """The configuration with only the servers that can have a tool of this name there.

    Names stay spelled as they are with all servers. When the name tells nothing, all are kept.
    """
    config = only_at(config, endpoint)
    path = endpoint if endpoint is not None else config.lockgate.path
    shape = config.lockgate.endpoints.get(path)
    naming = config.naming if shape is None else naming_of(shape, config, list(config.enabled))
    if naming != "prefix":
        return config
    fitting = {
        name: server
        for name, server in config.enabled.items()
        if tool.startswith(spell(name, "", "prefix"))
    }
    if not fitting:
        return config
    return _narrowed(config, fitting)


async def all_tools(gateway: Gateway, endpoint: str | None = None) -> list[dict[str, Any]]:
    """Every tool, all pages."""
    tools: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        params = {"cursor": cursor} if cursor else {}
        try:
            page = await gateway.request("tools/list", params, endpoint=endpoint)
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
