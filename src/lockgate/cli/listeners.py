"""Programs of this machine that speak MCP on a port, found by asking each listening one.

Must not know: what is said about them. Asks this machine only, each port once per path, and waits a
second: what listens there may be anything.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lockgate.errors import LockgateError

PATHS: Final = ("/mcp", "/", "/sse")
_WAIT: Final = 1.0
_AT_ONCE: Final = 16
_LISTEN: Final = "0A"
_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
_ASKS: Final = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "lockgate-inventory", "version": "0"},
        },
    }
)


def listening(tables: Iterable[Path] = tuple(map(Path, _TABLES))) -> list[int]:
    """The TCP ports that something listens on where this machine itself can connect.

    Raises:
        LockgateError: this system does not say.
    """
    ports: set[int] = set()
    read = False
    for table in tables:
        if table.is_file():
            read = True
            for row in table.read_text().splitlines()[1:]:
                fields = row.split()
                address, _, port = fields[1].partition(":")
                if fields[3] == _LISTEN and _reachable(address):
                    ports.add(int(port, 16))
    if not read:
        raise LockgateError(
            "This system does not say which ports are listened on (there is no /proc/net/tcp).",
            "Leave --listeners out; what clients have configured is found without it.",
            reason="unfit-here",
        )
    return sorted(ports)


def _reachable(address: str) -> bool:
    """Any address, or one of loopback; the kernel writes words in its own order of bytes."""
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    data = b"".join(struct.pack("=I", word) for word in words)
    if not any(data):
        return True
    return data[-4] == 127 or data == bytes(15) + b"\x01"


async def speaking(ports: Iterable[int]) -> list[tuple[int, str]]:
    """Those of the ports where a program answers as an MCP server does, and the path."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def asked(port: int) -> tuple[int, str] | None:
        async with gate:
            for path in PATHS:
                if await _speaks(port, path):
                    return port, path
        return None

    found = await asyncio.gather(*map(asked, ports))
    return [one for one in found if one is not None]


async def _speaks(port: int, path: str) -> bool:
    verb = "GET" if path == "/sse" else "POST"
    body = "" if verb == "GET" else _ASKS
    head = (
        f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        "Accept: application/json, text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        async with asyncio.timeout(_WAIT):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write((head + body).encode())
                answer = await reader.read(4096)
                if b"\r\n\r\n" in answer and not answer.endswith(b"}"):
                    answer += await reader.read(4096)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return _is_mcp(answer.lower())


def _is_mcp(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"http/1."):
        return False
    if b"mcp-session-id:" in head or b"resource_metadata" in head:
        return True
    if b'"jsonrpc"' in body:
        return True
    return b"event: endpoint" in body
