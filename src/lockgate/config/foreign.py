"""Servers in the shapes that clients write, as entries of our own configuration.

Must not know: where the files are, what is done with the entries. A reader takes the plain value of
a whole file and gives (name, entry) pairs; what it does not understand it leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

from lockgate.config.clients import Shape
from lockgate.config.dialect import MILLISECONDS_FROM
from lockgate.config.keys import ALIASES, TYPES
from lockgate.config.model import WEBSOCKET_SCHEMES

Entry = dict[str, Any]
Pairs = Iterator[tuple[str, Entry]]

_KEPT: Final = ("command", "args", "env", "cwd", "envFile", "url", "headers")


def entries(shape: Shape, content: object) -> list[tuple[str, Entry]]:
    """The servers of a file's content, each as an entry of ours; empty for anything odd."""
    return [
        (name, entry)
        for name, raw in _READERS[shape](_mapping(content))
        if (entry := _ours(raw)) is not None
    ]


def _ours(raw: Mapping[str, Any]) -> Entry | None:
    """The keys that mean something here, in our spelling; None when it is no server."""
    written = {ALIASES.get(key, key): value for key, value in raw.items()}
    entry: Entry = {key: written[key] for key in _KEPT if written.get(key)}
    if ("command" in entry) == ("url" in entry) or not all(
        isinstance(entry.get(key, ""), str) for key in ("command", "url")
    ):
        return None
    kind = TYPES.get(str(written.get("type") or ""))
    if str(entry.get("url", "")).startswith(WEBSOCKET_SCHEMES):
        entry["type"] = "websocket"
    elif kind in ("http", "sse") and "url" in entry:
        entry["type"] = kind
    if written.get("disabled") is True or written.get("enabled") is False:
        entry["disabled"] = True
    timeout = written.get("timeout")
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout > 0:
        entry["timeout"] = timeout / 1000 if timeout >= MILLISECONDS_FROM else timeout
    return entry


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    return [str(item) for item in cast("list[object]", value)] if isinstance(value, list) else []


def _named(value: object) -> Pairs:
    for name, server in _mapping(value).items():
        if isinstance(server, dict):
            yield name, cast("Entry", server)


def _standard(content: Entry) -> Pairs:
    yield from _named(content.get("mcpServers"))


def _vscode(content: Entry) -> Pairs:
    yield from _named(content.get("servers") or content.get("mcpServers"))


def _vscode_settings(content: Entry) -> Pairs:
    yield from _named(_mapping(content.get("mcp")).get("servers"))
    yield from _named(content.get("mcp.servers"))


def _claude_code(content: Entry) -> Pairs:
    yield from _standard(content)
    for folder, project in _mapping(content.get("projects")).items():
        for name, server in _named(_mapping(project).get("mcpServers")):
            yield name, server if "url" in server else {"cwd": folder, **server}


def _zed(content: Entry) -> Pairs:
    for name, server in _named(content.get("context_servers")):
        command = server.get("command")
        if isinstance(command, dict):
            written = cast("Entry", command)
            yield name, {**server, **written, "command": written.get("path")}
        else:
            yield name, server


def _gemini(content: Entry) -> Pairs:
    for name, server in _standard(content):
        kind = {"type": "sse"} if "url" in server and "httpUrl" not in server else {}
        only = {key: value for key, value in server.items() if key != "url" or kind}
        yield name, {**kind, **only}


def _continue(content: Entry) -> Pairs:
    listed = content.get("mcpServers")
    if isinstance(listed, dict):
        yield from _named(cast("object", listed))
        return
    for item in cast("list[object]", listed) if isinstance(listed, list) else []:
        server = _mapping(item)
        options = _mapping(server.get("requestOptions"))
        if isinstance(server.get("name"), str):
            yield server["name"], {"headers": options.get("headers"), **server}


def _goose(content: Entry) -> Pairs:
    for name, server in _named(content.get("extensions")):
        env = {key: f"${{{key}}}" for key in _texts(server.get("env_keys"))}
        yield (
            name,
            {
                **server,
                "command": server.get("cmd"),
                "url": server.get("uri"),
                "env": {**env, **_mapping(server.get("envs"))},
            },
        )


def _codex(content: Entry) -> Pairs:
    for name, server in _named(content.get("mcp_servers")):
        env = {key: f"${{{key}}}" for key in _texts(server.get("env_vars"))}
        headers = {
            **_mapping(server.get("http_headers")),
            **{k: f"${{{v}}}" for k, v in _mapping(server.get("env_http_headers")).items()},
        }
        if server.get("bearer_token_env_var"):
            headers["Authorization"] = f"Bearer ${{{server['bearer_token_env_var']}}}"
        yield (
            name,
            {
                **server,
                "env": {**env, **_mapping(server.get("env"))},
                "headers": headers,
                "timeout": server.get("tool_timeout_sec"),
            },
        )


def _opencode(content: Entry) -> Pairs:
    for name, server in _named(content.get("mcp")):
        words = _texts(server.get("command"))
        command = {"command": words[0], "args": words[1:]} if words else {}
        yield name, {**server, **command, "env": server.get("environment")}


_READERS: Final[dict[Shape, Callable[[Entry], Pairs]]] = {
    "mcpServers": _standard,
    "servers": _vscode,
    "vscode-settings": _vscode_settings,
    "claude-code": _claude_code,
    "zed": _zed,
    "gemini": _gemini,
    "continue": _continue,
    "goose": _goose,
    "codex": _codex,
    "opencode": _opencode,
}
