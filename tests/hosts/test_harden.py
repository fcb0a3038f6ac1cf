"""What can be hardened, with which configuration, and what stops the start."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import FastMCP
from fastmcp.server.auth import StaticTokenVerifier
from mcp import Client
from mcp.server.auth.settings import AuthSettings
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from starlette.responses import PlainTextResponse

import lockgate
from lockgate.core.codes import CODES
from lockgate.errors import ConfigError, HostError, LockgateError, PolicyUncovered, UnsafeBind
from lockgate.hosts import ROWS, Hardened
from tests.hosts.serving import ERAS, call, headers, said, served


def shop(kind: str = "sdk") -> Any:
    made: Any = MCPServer("shop") if kind == "sdk" else FastMCP("shop")

    @made.tool()
    def echo(text: str) -> str:
        """Give it back."""
        return text

    return made


def test_importing_lockgate_imports_nothing_of_it() -> None:
    script = (
        "import sys, lockgate; print(sorted(set(sys.modules) & "
        "{'pydantic', 'msgspec', 'asyncio', 'mcp', 'fastmcp', 'starlette', 'lockgate.hosts'})); "
        "lockgate.harden; print(sorted(set(sys.modules) & {'mcp', 'fastmcp', 'starlette'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.decode().split("\n")[:2] == ["[]", "[]"]


async def some_app(scope: Any, receive: Any, send: Any) -> None:
    """Not one of MCP."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class AppLike:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await some_app(scope, receive, send)


@pytest.mark.parametrize(
    "server",
    [
        shop(),
        shop("fastmcp"),
        Server("low"),
        shop().streamable_http_app(),
        shop("fastmcp").http_app(),
        some_app,
        AppLike(),
    ],
    ids=["sdk", "fastmcp", "lowlevel", "sdk-app", "fastmcp-app", "function", "object"],
)
def test_what_is_a_server_is_hardened(server: object) -> None:
    assert isinstance(lockgate.harden(server), Hardened)


@pytest.mark.parametrize("server", [None, "mcp.json", print, object(), MCPServer, lambda a: a])
def test_what_is_none_is_refused(server: object) -> None:
    with pytest.raises(HostError) as refused:
        lockgate.harden(server)
    assert refused.value.code == CODES["host-unknown"]
    assert refused.value.remedy


@pytest.mark.parametrize(("name", "module"), [("FastMCP", "fastmcp.x"), ("MCPServer", "mcp.x")])
def test_versions_that_have_not_what_is_needed_are_refused(name: str, module: str) -> None:
    made: Any = type(name, (), {"__module__": module})
    with pytest.raises(HostError, match="version") as refused:
        lockgate.harden(made())
    assert refused.value.code == CODES["host-prepared"]


@pytest.mark.parametrize(
    ("config", "name", "chosen"),
    [
        (None, None, "shop"),
        ({}, None, "shop"),
        ({}, "other", "other"),
        ({"lockgate": {"page_size": 5}}, None, "shop"),
        ({"mcpServers": {"shop": {}}}, None, "shop"),
        ({"servers": {"shop": {"command": "gone", "env": {"A": "${UNSET}"}}}}, None, "shop"),
        ({"servers": {"a": {"url": "http://a/"}, "b": {"url": "${UNSET}"}}}, "a", "a"),
    ],
)
def test_the_entry_that_counts(config: Any, name: str | None, chosen: str) -> None:
    hardened = lockgate.harden(shop(), config, name=name)
    assert hardened.name == chosen
    assert list(hardened.config.servers) == [chosen]
    assert hardened.config.naming == "bare"


def test_a_configuration_of_other_servers_is_refused() -> None:
    with pytest.raises(HostError, match="'shop'") as refused:
        lockgate.harden(shop(), {"servers": {"shpo": {}, "x": {}}})
    assert refused.value.code == CODES["host-unnamed"]


def test_a_file_is_read_as_a_gateway_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "lockgate.yaml"
    path.write_text("servers:\n  shop:\n    timeout: 3s\n    tols: {}\nlockgate:\n  page_size: 7\n")
    with pytest.raises(ConfigError) as refused:
        lockgate.harden(shop(), path)
    (finding,) = refused.value.findings
    assert (finding.line, finding.column) == (4, 5)
    assert "'tools'" in finding.remedy
    path.write_text(path.read_text().replace("    tols: {}\n", ""))
    hardened = lockgate.harden(shop(), str(path))
    assert hardened.config.servers["shop"].timeout == 3
    assert hardened.config.lockgate.page_size == 7


@pytest.mark.parametrize("config", [{"lockgate": {"pag_size": 5}}, {"servers": []}, "none.json"])
def test_a_configuration_with_errors_is_refused(config: Any) -> None:
    with pytest.raises(ConfigError):
        lockgate.harden(shop(), config)


# What cannot hold.

VALUES: dict[str, Any] = {
    "sandbox": "strict",
    "limits.memory_bytes": "64MiB",
    "limits.open_files": 64,
    "limits.processes": 2,
    "isolation": "session",
    "idle_stop": 60,
    "spare": True,
    "crash_loop": {"deaths": 2},
    "urls": ["http://localhost:1/mcp", "http://localhost:2/mcp"],
    "ejection": {"window": 5},
    "auth": {"type": "oauth"},
    "limits.connections": 5,
    "limits.streams": 5,
    "lockgate.tls": {"cert": "cert.pem", "key": "key.pem"},
    "lockgate.limits.connections": 5,
    "lockgate.limits.header_count": 20,
    "lockgate.limits.header_bytes": 2048,
    "lockgate.limits.target_bytes": 512,
    "lockgate.limits.header_timeout": 5,
    "lockgate.limits.body_timeout": 5,
    "lockgate.limits.idle_timeout": 5,
    "lockgate.limits.write_timeout": 5,
    "lockgate.auth": {"keys_env": "KEYS"},
    "lockgate.facade": {},
}


def with_value(key: str) -> dict[str, Any]:
    """A configuration with this one setting."""
    value = VALUES[key]
    path = key.split(".") if key.startswith("lockgate.") else ["servers", "shop", *key.split(".")]
    for step in reversed(path):
        value = {step: value}
    return value


@pytest.mark.parametrize("key", [row.key for row in ROWS if row.ways == {"asgi", "http", "stdio"}])
def test_what_cannot_hold_in_any_way_stops_at_once(key: str) -> None:
    with pytest.raises(PolicyUncovered, match=f"`{key}`") as refused:
        lockgate.harden(shop(), with_value(key))
    assert refused.value.settings == (key,)
    assert refused.value.code == CODES["host-uncovered"]
    if key not in ("auth", "urls", "ejection"):
        assert lockgate.harden(shop(), with_value(key), elsewhere=[key])


LIMITS = [row.key for row in ROWS if row.ways == {"asgi"} and "limits" in row.key]


@pytest.mark.parametrize("key", LIMITS)
def test_what_cannot_hold_under_another_web_server_stops_the_start_there(key: str) -> None:
    async def run() -> None:
        hardened = lockgate.harden(shop(), with_value(key))
        with pytest.raises(PolicyUncovered, match=f"`{key}`"):
            async with hardened.lifespan():
                pass
        # By itself it can be served.
        task = asyncio.create_task(hardened.run_http(port=0, listening=lambda _: task.cancel()))
        with pytest.raises(asyncio.CancelledError):
            await task
        async with lockgate.harden(shop(), with_value(key), elsewhere=[key]).lifespan():
            pass

    asyncio.run(run())


def test_every_row_has_a_value_here() -> None:
    assert set(VALUES) == {row.key for row in ROWS}


def test_a_slip_in_elsewhere_is_no_silent_yes() -> None:
    with pytest.raises(HostError, match="'sandbx'"):
        lockgate.harden(shop(), elsewhere=["sandbx"])


def test_what_asks_for_nothing_stops_nothing() -> None:
    lockgate.harden(
        shop(),
        {
            "servers": {"shop": {"sandbox": "off", "isolation": "shared", "spare": False}},
            "lockgate": {"sandbox": "strict"},
        },
    )
    with pytest.raises(PolicyUncovered, match="sandbox"):
        lockgate.harden(shop(), {"servers": {"shop": {}}, "lockgate": {"sandbox": "strict"}})


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
def test_a_server_that_asks_for_tokens_itself_is_refused() -> None:
    verifier = StaticTokenVerifier({"t": {"client_id": "c", "scopes": []}})
    with pytest.raises(HostError, match="tokens itself"):
        lockgate.harden(FastMCP("shop", auth=verifier))
    urls: Any = {"issuer_url": "https://i.example", "resource_server_url": "https://r.example"}
    asking = MCPServer("shop", token_verifier=verifier, auth=AuthSettings(**urls))
    with pytest.raises(HostError, match="tokens itself"):
        lockgate.harden(asking)


# Starting.


async def fails_at_start(hardened: Hardened, match: str) -> None:
    with pytest.raises(LockgateError, match=match) as refused:
        async with hardened.lifespan():
            pass
    assert refused.value.remedy


def test_a_server_that_does_not_start_or_answer_stops_the_start() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    async def run() -> None:
        await fails_at_start(lockgate.harden(failing), "no database")
        await fails_at_start(lockgate.harden(some_app), "/mcp")
        hardened = lockgate.harden(shop())
        async with hardened.lifespan():
            pass
        await fails_at_start(hardened, "before")

    asyncio.run(run())


def test_without_authentication_it_listens_on_this_machine_alone() -> None:
    with pytest.raises(UnsafeBind):
        lockgate.harden(shop()).run("http", host="0.0.0.0", port=0)


def test_mounted_and_never_started_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        transport = httpx2.ASGITransport(app=lockgate.harden(shop()))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            answer = await http.post("/mcp", json=call("echo", {}), headers=headers("echo"))
        assert answer.status_code == 503
        assert "lifespan=hardened.lifespan" in caplog.text

    asyncio.run(run())


# Policies hold, whatever the server is made with.


def an_app(kind: str) -> tuple[Any, str | None]:
    if kind == "asgi":
        return shop("sdk").streamable_http_app(streamable_http_path="/here"), "/here"
    return shop(kind), None


@pytest.mark.parametrize("kind", ["sdk", "fastmcp", "asgi"])
def test_the_policies_of_the_configuration_hold(kind: str) -> None:
    secret = "ghp_" + "a1B2c3D4" * 4 + "e5F6"
    config: dict[str, Any] = {
        "servers": {
            "shop": {
                "tools": {"echo": {"rate": {"total": ["3/h"]}}},
                "guard": {"results": {"secrets": "redact"}},
            }
        },
        "lockgate": {"path": "/there"},
    }

    async def run() -> None:
        server, path = an_app(kind)
        async with (
            served(lockgate.harden(server, config, name="shop", path=path)) as serving,
            httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http,
        ):
            answers = [
                await http.post(
                    "/there", json=call("echo", {"text": text}), headers=headers("echo")
                )
                for text in ("one", secret, "three", "four")
            ]
            assert [one.status_code for one in answers] == [200, 200, 200, 429]
            assert "retry-after" in answers[-1].headers
            assert secret not in answers[1].text
            gone = await http.post("/mcp", json=call("echo", {}), headers=headers("echo"))
            assert gone.status_code == 404

    asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "era"), [("sdk", ERAS[1]), ("fastmcp", ERAS[0]), ("asgi", ERAS[1])]
)
def test_by_its_own_web_server(kind: str, era: str) -> None:
    async def run() -> None:
        server, path = an_app(kind)
        urls: asyncio.Queue[str] = asyncio.Queue()
        hardened = lockgate.harden(server, path=path)
        task = asyncio.create_task(hardened.run_http(port=0, listening=urls.put_nowait))
        url = await asyncio.wait_for(urls.get(), 60)

        async with Client(url, mode=era) as one:
            assert said(await one.call_tool("echo", {"text": "hi"})) == "hi"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


# Pages.


@pytest.mark.parametrize("kind", ["sdk", "fastmcp"])
def test_pages_beside_mcp_are_served_when_they_are_named(kind: str) -> None:
    def paged() -> Any:
        server = shop(kind)

        @server.custom_route("/about", methods=["GET"])
        async def about(request: Any) -> PlainTextResponse:
            return PlainTextResponse(f"about {request.query_params['what']}")

        return server

    async def run() -> None:
        with pytest.raises(HostError, match="/about"):
            lockgate.harden(paged())
        with pytest.raises(HostError, match="page"):
            lockgate.harden(paged(), pages=["/mcp"])
        async with (
            served(lockgate.harden(paged(), pages=["/about"])) as serving,
            httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http,
        ):
            assert (await http.get("/about?what=tea")).text == "about tea"
            stranger = {"host": "evil.example"}
            assert (await http.get("/about?what=tea", headers=stranger)).status_code == 421
        async with (
            served(lockgate.harden(paged(), pages=())) as serving,
            httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http,
        ):
            assert (await http.get("/about?what=tea")).status_code == 404

    asyncio.run(run())


def test_what_was_approved_holds_here_too(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"servers": {"shop": {}}}))
    assert lockgate.harden(shop(), path).config.pins("shop") == "off"
    (tmp_path / "lockgate.lock").write_text("{}")
    assert lockgate.harden(shop(), path).config.pins("shop") == "enforce"
    path.write_text(json.dumps({"servers": {"shop": {"pins": "warn"}}}))
    assert lockgate.harden(shop(), path).config.pins("shop") == "warn"
