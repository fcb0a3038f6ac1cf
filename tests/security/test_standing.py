"""Streams that clients leave: over real connections, up to the end of the process."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bridge.clients import Client
from tests.cli.program import COMMAND, config_file, environment, tiny
from tests.fronts.served import run
from tests.security.world import Peer, World, before
from tests.support.waiting import until

INFO = {"name": "c", "version": "1"}


def session(port: int) -> str:
    """A new session of the handshake era."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": INFO}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    with socket.create_connection(("127.0.0.1", port), 10) as made:
        made.sendall(
            f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        said = b""
        while chunk := made.recv(65536):
            said += chunk
    found = re.search(rb"mcp-session-id: (\S+)", said, re.IGNORECASE)
    assert found, said
    return found[1].decode()


def stream(port: int, name: str) -> socket.socket:
    """A GET stream of this session, open."""
    made = socket.create_connection(("127.0.0.1", port), 10)
    made.sendall(
        f"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        f"Mcp-Session-Id: {name}\r\n\r\n".encode()
    )
    assert b"200 OK" in made.recv(65536)
    return made


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_streams_that_were_left_do_not_hold_up_the_end(tmp_path: Path) -> None:
    """One closed, one half closed, one reset, one still open: SIGTERM ends it at once."""
    config = config_file(tmp_path, {"t": tiny()}, port=0, shutdown_grace=30)
    child = subprocess.Popen(
        [*COMMAND, "up", str(config), "--log-format", "json"],
        stderr=subprocess.PIPE,
        env=environment(),
    )
    try:
        assert child.stderr is not None
        port = 0
        while not port:
            line = child.stderr.readline().decode()
            assert line, "it ended"
            found = re.search(r"http://127\.0\.0\.1:(\d+)/mcp", line)
            port = int(found[1]) if found else 0
        name = session(port)
        left, half, reset, still = (stream(port, name) for _ in range(4))
        left.close()
        half.shutdown(socket.SHUT_WR)
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        reset.close()
        half.settimeout(5)
        while half.recv(65536):
            pass
        began = time.monotonic()
        child.send_signal(signal.SIGTERM)
        still.settimeout(10)
        while still.recv(65536):
            pass
        assert child.wait(60) == 0
        assert time.monotonic() - began < 25, "less than running calls would be given"
        half.close()
        still.close()
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        if child.stderr is not None:
            child.stderr.close()


@pytest.mark.parametrize("era", ["L", "M"])
def test_a_session_outlives_the_streams_its_client_left(era: str) -> None:
    """As many streams as one session may have, left over and over: none of them counts any more."""

    async def play() -> None:
        async with before(Peer(), limits={"listen_streams": 4}) as w:
            await leaving(w, era)
            server = w.gateway._server
            await until(lambda: server.stats.connections == server.stats.handlers == 0)

    run(play())


async def leaving(w: World, era: str) -> None:
    client = await Client(w.port, era).open()
    server = w.gateway._server
    for _ in range(5):
        streams = [await client.listen(toolsListChanged=True) for _ in range(4)]
        for one in streams:
            one.close()
        client.close()
        await until(lambda: server.stats.connections == 0)
        if era == "M":
            await until(lambda: server.stats.handlers == 0)
