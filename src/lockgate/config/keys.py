"""The keys of configuration files: ours, and those other MCP clients write beside them.

Must not know: files, positions, values. A key that is in none of these tables is an error with the
nearest known key suggested; so the tables decide what counts as a slip of the pen.
"""

from __future__ import annotations

from typing import Final

from lockgate.config.model import ServerConfig

SERVER_KEYS: Final = tuple(ServerConfig.model_fields)

SERVER_MAPS: Final = ("mcpServers", "servers")
"""Where servers stand: as most clients write it, and as VS Code does."""

TOP_KEYS: Final = (*SERVER_MAPS, "lockgate")

CLIENT_TOP_KEYS: Final[dict[str, str]] = {
    "$schema": "editors",
    "inputs": "VS Code",
    "sandbox": "VS Code",
    "globalShortcut": "Claude Desktop",
    "preferences": "Claude Desktop",
    "isUsingBuiltInNodeForMcp": "Claude Desktop",
    "mcp": "Gemini CLI",
    "version": "several clients",
    "name": "several clients",
    "description": "several clients",
}
"""Keys beside the servers, and whose they are."""

CLIENT_FILES: Final[dict[str, str]] = {
    ".claude.json": "Claude Code",
    "claude_desktop_config.json": "Claude Desktop",
    "settings.json": "a client's settings",
    "settings.local.json": "a client's settings",
}
"""Files that hold a client's whole state: every other key in them is the client's own."""

CLIENT_SERVER_KEYS: Final[dict[str, str]] = {
    "alwaysAllow": "Roo Code",
    "alwaysLoad": "Claude Code",
    "auth": "Cursor",
    "authProviderType": "Gemini CLI",
    "autoApprove": "Cline",
    "description": "several clients",
    "dev": "VS Code",
    "disabledTools": "several clients",
    "displayName": "several clients",
    "excludeTools": "Gemini CLI",
    "gallery": "VS Code",
    "headersHelper": "Claude Code",
    "icon": "several clients",
    "id": "several clients",
    "includeTools": "Gemini CLI",
    "name": "several clients",
    "networkTimeout": "Cline",
    "oauth": "several clients",
    "oauthScopes": "Kiro",
    "sandbox": "VS Code",
    "sandboxEnabled": "VS Code",
    "tools": "GitHub Copilot",
    "trust": "Gemini CLI",
    "version": "VS Code",
    "watchPaths": "Roo Code",
}
"""Keys of a server that only its client acts on, and whose they are."""

ALIASES: Final[dict[str, str]] = {
    "serverUrl": "url",
    "httpUrl": "url",
    "transport": "type",
    "transportType": "type",
    "env_file": "envFile",
}
"""Other spellings of our keys: Windsurf's, Gemini CLI's, FastMCP's, older Cline's."""

TYPES: Final[dict[str, str]] = {
    "stdio": "stdio",
    "local": "stdio",
    "http": "http",
    "streamable-http": "http",
    "streamable_http": "http",
    "streamableHttp": "http",
    "streamablehttp": "http",
    "streamable": "http",
    "remote": "http",
    "sse": "sse",
    "http+sse": "sse",
    "websocket": "websocket",
    "ws": "websocket",
}
"""The spellings of a transport."""
