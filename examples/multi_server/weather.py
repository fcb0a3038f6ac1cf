"""A server of the official SDK: what the weather is, kept for a while."""

from __future__ import annotations

import asyncio
import random

from mcp.server.mcpserver import MCPServer

from lockgate.kit import cache, errors, shutdown, validate

CITIES = {"Bergen": 8, "Lisbon": 19, "Oslo": 4}
server = MCPServer("weather", instructions="Made-up weather of a few cities.")
kept = cache.Cache()
ending = shutdown.Shutdown()


@server.tool()
@errors.reported
@ending.tracked
@kept.keep(60, per="everyone")
async def forecast(city: str) -> dict[str, object]:
    """Tomorrow's weather."""
    validate.choice(city, CITIES, name="city")
    return {"city": city, "celsius": CITIES[city] + random.randint(-3, 3)}


if __name__ == "__main__":
    asyncio.run(ending.run(server.run_stdio_async()))
