"""Who may ask at all, and where the gateway listens."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, cast

import pytest

from lockgate.cli.up import check_bind
from lockgate.config.model import Config
from lockgate.errors import UnsafeBind
from tests.cli.program import config_file
from tests.cli.program import run as command
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import Peer, before, gateway

PATHS = ("/mcp", "/health", "/ready", "/sse", "/messages", "/", "/nothing")
FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:4040",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "evil.example@127.0.0.1",
    "127.0.0.1,evil.example",
    "localhost:",
    "localhost:x",
    "localhost:-1",
    "localhost:80:80",
    "localhost:0000080",
    "localhost.",
    "[::1",
    "[::1]x",
    "[::1%25eth0]",
    "[::ffff:127.0.0.1]",
    "::1",
    "0.0.0.0",
    "127.0.0.2",
    "127.1",
    "0x7f000001",
    "2130706433",
    "localhost/evil",
    "localhost#",
    "lоcalhost",  # noqa: RUF001 - a Cyrillic letter, which is the point
    "local host",
    "\u212aocalhost",
)
OWN_HOSTS = ("127.0.0.1", "127.0.0.1:1", "localhost", "LocalHost:65535", "[::1]", "[::1]:4040")
FOREIGN_ORIGINS = (
    "http://evil.example",
    "https://evil.example",
    "null",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://localhost@evil.example",
    "http://evil.example#localhost",
    "http://evil.example/localhost",
    "http://localhost/path",
    "http://localhost:x",
    "http://",
    "://localhost",
    "localhost",
    "file://",
    "chrome-extension://abcdef",
    "http://localhost, http://evil.example",
    "",
)


@holds(8)
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_host_learns_nothing_of_any_path(path: str) -> None:
    async def play() -> None:
        async with gateway({}) as w:
            for host in FOREIGN_HOSTS:
                said = {
                    (await w.http(verb=verb, path=one, host=host)).status
                    for verb in ("GET", "POST")
                    for one in (path, "/nothing")
                }
                assert len(said) == 1, host
                assert said <= {400, 421}, (host, said)
            for host in OWN_HOSTS:
                assert (await w.http(verb="GET", path="/health", host=host)).status == 200, host

    run(play())


@holds(8)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "head",
    [
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: evil.example\r\nForwarded: host=localhost\r\n\r\n",
        "GET http://localhost{path} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http://evil.example{path} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET //localhost{path} HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET {path} HTTP/1.1\r\n\r\n",
        "GET {path} HTTP/1.0\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost:\r\n\r\n",
        "GET {path} HTTP/1.1\r\nhost: localhost\r\n : evil.example\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n\tevil.example\r\n\r\n",
    ],
)
def test_two_readings_of_the_host_are_refused(path: str, head: str) -> None:
    async def play() -> None:
        async with gateway({}) as w:
            end = b"GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
            said = await w.raw(head.format(path=path).encode() + end)
            assert said.split(b" ")[1] in (b"400", b"421"), said
            assert b" 200 " not in said

    run(play())


@holds(8)
@pytest.mark.parametrize("path", PATHS)
def test_a_foreign_origin_is_refused_everywhere(path: str) -> None:
    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            for origin in FOREIGN_ORIGINS:
                for verb in ("GET", "POST", "OPTIONS", "DELETE"):
                    fields: list[tuple[str, str | bytes]] = [("Origin", origin)]
                    if verb == "OPTIONS":
                        fields.append(("Access-Control-Request-Method", "POST"))
                    answer = await w.http(verb=verb, path=path, fields=fields)
                    assert answer.status == 403, (origin, verb)
                    assert not [name for name in answer.headers if name.startswith("access-")]
            twice: list[tuple[str, str | bytes]] = [("Origin", "http://localhost")] * 2
            assert (await w.http(verb="GET", path=path, fields=twice)).status == 403
            assert not peer.calls

    run(play())


@holds(8)
def test_a_websocket_of_a_foreign_page_is_refused() -> None:
    async def play() -> None:
        upgrade: list[tuple[str, str | bytes]] = [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]
        async with gateway({}) as w:
            foreign = await w.http(verb="GET", fields=[*upgrade, ("Origin", "http://evil.example")])
            assert foreign.status == 403
            assert (await w.http(verb="GET", fields=upgrade, host="evil.example")).status == 421

    run(play())


@holds(8)
def test_a_foreign_page_calls_no_tool() -> None:
    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            for more in ([("Origin", "http://evil.example")], [("Origin", "null")]):
                params = {"name": "echo", "arguments": {}}
                assert (await w.post("tools/call", params, more=[*more])).status == 403
            assert not peer.calls
            # What a page may send without being asked for permission first is no JSON.
            fields: dict[str, str | bytes | None] = {"Content-Type": "text/plain"}
            answer = await w.post("tools/call", {"name": "echo"}, fields=fields)
            assert answer.status == 415
            assert not peer.calls
            assert (await w.call("echo")).status == 200

    run(play())


@holds(9)
def test_a_name_that_others_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [found])
    with pytest.raises(UnsafeBind, match="everyone who can reach"):
        check_bind(
            Config.model_validate({"lockgate": {"host": "example.org"}}),
            cast("Any", None),
            insecure=False,
        )


@holds(9)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "0", "[::]"])
def test_listening_for_strangers_is_refused(host: str) -> None:
    config = Config.model_validate({"lockgate": {"host": host}})
    with pytest.raises(UnsafeBind, match="authenti"):
        check_bind(config, cast("Any", None), insecure=False)


@holds(9)
def test_a_wide_host_of_the_command_line_is_refused(tmp_path: Path) -> None:
    done = command("up", config_file(tmp_path, {}), "--host", "0.0.0.0", "--port", "0")
    assert done.returncode not in (0, None)
    assert "authenti" in done.stderr
    assert "--insecure-bind" in done.stderr


@holds(9)
def test_a_wide_host_of_the_file_is_refused_too(tmp_path: Path) -> None:
    done = command("up", config_file(tmp_path, {}, host="0.0.0.0", port=0))
    assert done.returncode not in (0, None)
    assert "authenti" in done.stderr


@holds(9)
def test_nothing_said_means_loopback() -> None:
    assert Config().lockgate.host == "127.0.0.1"
