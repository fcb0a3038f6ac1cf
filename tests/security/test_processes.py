"""What is started, by whom, and what it gets to see; and where variables are expanded."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import load
from lockgate.upstreams.environment import SAFE
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import Peer, before, gateway

MIRROR = Path(__file__).with_name("mirror.py")
VERBS = ("POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS")
PATHS = (
    "/mcp",
    "/health",
    "/ready",
    "/sse",
    "/messages",
    "/",
    "/mcp/test",
    "/config",
    "/admin",
    "/servers",
    "/api/servers",
    "/mcp-rest/test/tools/list",
    "/mcp-rest/test/connection",
    "/preview",
)
started: list[str] = []
watching = False


def watch(event: str, args: Any) -> None:
    if watching and event in {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec"}:
        started.append(event)


sys.addaudithook(watch)


def mirror(*arguments: str, **more: Any) -> dict[str, Any]:
    """An entry for the mirror."""
    return {"command": sys.executable, "args": ["-I", "-S", str(MIRROR), *arguments], **more}


@holds(11)
@pytest.mark.parametrize("path", PATHS)
def test_no_request_starts_a_process(path: str, tmp_path: Path) -> None:
    global watching  # noqa: PLW0603 - an audit hook cannot be taken away again
    mark = tmp_path / "mark"
    entry = {"command": "/bin/sh", "args": ["-c", f"touch {mark}"], "env": {"A": "b"}}
    bodies = [
        entry,
        {"name": "x", **entry},
        {"mcpServers": {"x": entry}},
        {"servers": {"x": entry}},
        {"transport": {"type": "stdio", **entry}},
        *(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**entry, "server": entry}}
            for method in ("initialize", "tools/call", "servers/add", "server/test", "ping")
        ),
    ]

    async def play() -> None:
        async with gateway({}) as w:
            for verb in VERBS:
                for body in bodies:
                    fields: list[tuple[str, str | bytes]] = [
                        ("Content-Type", "application/json"),
                        ("Accept", "application/json, text/event-stream"),
                    ]
                    if verb == "GET" and path == "/sse":
                        fields[1] = ("Accept", "application/json")
                    data = json.dumps(body).encode()
                    assert (await w.http(data, verb=verb, path=path, fields=fields)).status

    started.clear()
    watching = True
    try:
        run(play())
    finally:
        watching = False
    assert not started
    assert not mark.exists()


@holds(11)
@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "ld_preload", "NODE_OPTIONS", "PYTHONPATH", "npm_config_registry"]
)
def test_a_variable_that_changes_the_code_is_refused(name: str) -> None:
    async def play() -> None:
        async with gateway({"m": mirror(env={name: "x"})}) as w:
            [server] = w.gateway.servers()
            assert server.phase == "backoff"
            assert name in (server.error or "")

    run(play())


@holds(11)
def test_arguments_reach_the_child_as_they_are(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    words = [f"$(touch {mark})", f"; touch {mark}", f"`touch {mark}`", "a b", '"', "*", "${HOME}"]

    async def play() -> None:
        async with gateway({"m": mirror(*words)}) as w:
            seen = (await w.call("mirror")).result["structuredContent"]
            assert seen["argv"] == words
            assert not mark.exists()

    run(play())


@holds(13)
def test_a_child_sees_what_is_declared_and_little_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "LOCKGATE_TOKEN", "HTTPS_PROXY", "VIRTUAL_ENV", "LC_X"):
        monkeypatch.setenv(name, "canary-of-the-parent")
    monkeypatch.setenv("BASH_FUNC_x%%", "() { canary-of-the-parent; }")
    monkeypatch.setenv("LANG", "() { canary-of-the-parent; }")

    async def play() -> None:
        entries = {"one": mirror(env={"OWN": "one-own"}), "two": mirror(env={"OTHER": "two-own"})}
        async with gateway(entries) as w:
            one = (await w.call("one__mirror")).result["structuredContent"]["env"]
            two = (await w.call("two__mirror")).result["structuredContent"]["env"]
        assert one["OWN"] == "one-own"
        assert two["OTHER"] == "two-own"
        for env, own in ((one, "OWN"), (two, "OTHER")):
            extra = {name for name in env if not name.startswith("LC_")} - SAFE - {own}
            assert not extra, extra
        assert "canary" not in json.dumps([{**one, "LC_X": ""}, {**two, "LC_X": ""}])

    run(play())


@holds(12)
def test_what_peers_send_is_never_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "secret-of-the-environment")
    word = "${CANARY}"
    tools = [{"name": "echo", "description": word, "inputSchema": {"type": "object", "x": word}}]

    async def play() -> None:
        async def script(_: Peer, request: Any, message: Any, responder: Any) -> None:
            text = {"content": [{"type": "text", "text": word}], "structuredContent": {"a": word}}
            body = {"jsonrpc": "2.0", "id": message["id"], "result": text}
            responder.send(
                200, ((b"content-type", b"application/json"),), json.dumps(body).encode()
            )

        peer = Peer(script=script, tools=tools, resources=[{"uri": word, "name": word}])
        async with before(peer) as w:
            said = [
                await w.post("tools/list"),
                await w.post("resources/list"),
                await w.call("echo", word=word, **{word: word}),
                await w.call(word),
                await w.post("resources/read", {"uri": f"file:///{word}"}),
            ]
            assert all(word.encode() in one.body for one in said[:3])
            sent = b"".join(one.body + repr(one.headers).encode() for one in peer.requests)
            assert sent.count(word.encode()) >= 4
            assert b"secret-of-the-environment" not in b"".join(one.body for one in said) + sent

    run(play())


@holds(12)
def test_the_value_of_a_variable_is_not_expanded_again(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    entry = {
        "command": "x",
        "env": {"A": "${OUTER}", "B": "${OUTER:-${CANARY}}", "C": "$${CANARY}"},
    }
    path.write_text(json.dumps({"mcpServers": {"x": entry}}))
    path.chmod(0o600)
    config = load(path, {"OUTER": "${CANARY}", "CANARY": "secret"})
    assert config.servers["x"].plain_env() == {"A": "${CANARY}", "B": "${CANARY}", "C": "${CANARY}"}
