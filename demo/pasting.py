"""The lines that make a client use this Lockgate.

Must not know: whether any of these clients is installed.
"""

from __future__ import annotations

import json

from demo.places import CONFIG, LOCKGATE


def lines(url: str) -> list[tuple[str, str]]:
    """For each client: where its lines go, and the lines."""
    command = {"command": str(LOCKGATE), "args": ["up", str(CONFIG), "--stdio"]}
    return [
        ("Claude Code, in a terminal", f"claude mcp add --transport http lockgate {url}"),
        ("Cursor, ~/.cursor/mcp.json", _file("mcpServers", {"url": url})),
        ("VS Code, .vscode/mcp.json", _file("servers", {"type": "http", "url": url})),
        ("Claude Desktop, claude_desktop_config.json", _file("mcpServers", command)),
    ]


def _file(key: str, server: dict[str, object]) -> str:
    return json.dumps({key: {"lockgate": server}})
