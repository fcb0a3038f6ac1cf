"""A server of FastMCP: units that are turned into others."""

from __future__ import annotations

from fastmcp import FastMCP

from lockgate.kit import errors

server = FastMCP("units", instructions="Turns temperatures into others.")


@server.tool
@errors.reported
async def fahrenheit(celsius: float) -> float:
    """Degrees Fahrenheit."""
    if celsius < -273.15:
        raise errors.InvalidInput("Nothing is colder than -273.15 degrees")
    return round(celsius * 9 / 5 + 32, 1)


if __name__ == "__main__":
    server.run(show_banner=False)
