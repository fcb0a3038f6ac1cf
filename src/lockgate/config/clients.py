"""Where the MCP clients of this machine keep their configuration.

Must not know: what is in the files beyond which reader of `foreign` understands them. Nothing here
opens a file; paths of clients that are not installed simply do not exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Shape = Literal[
    "mcpServers",
    "servers",
    "claude-code",
    "vscode-settings",
    "zed",
    "gemini",
    "continue",
    "goose",
    "codex",
    "opencode",
]


@dataclass(frozen=True, slots=True)
class Source:
    """One file of one client.

    client   what people call the client.
    path     where the file is, if it is.
    shape    which reader understands it.
    project  the folder it belongs to, for files of a project; None for a person's own.
    """

    client: str
    path: Path
    shape: Shape
    project: Path | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The folders that client paths start from.

    home      the person's home.
    settings  where programs keep their settings on this system.
    dotted    the same for programs that use ~/.config on macOS too.
    project   the folder whose project files are read.
    """

    home: Path
    settings: Path
    dotted: Path
    project: Path

    @classmethod
    def of(cls, environ: Mapping[str, str], platform: str, project: Path) -> Places:
        """The places of this person on `platform` (a value of `sys.platform`)."""
        home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
        dotted = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        if platform == "win32":
            roaming = Path(environ.get("APPDATA") or home / "AppData" / "Roaming")
            return cls(home, roaming, roaming, project)
        if platform == "darwin":
            return cls(home, home / "Library" / "Application Support", dotted, project)
        return cls(home, dotted, dotted, project)


_EDITORS: Final = (
    ("VS Code", "Code"),
    ("VS Code Insiders", "Code - Insiders"),
    ("VSCodium", "VSCodium"),
)
_EXTENSIONS: Final = (
    ("Cline", "saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
    ("Roo Code", "rooveterinaryinc.roo-cline/settings/mcp_settings.json"),
    ("Roo Code", "rooveterinaryinc.roo-cline/settings/cline_mcp_settings.json"),
    ("Kilo Code", "kilocode.kilo-code/settings/mcp_settings.json"),
)
_HOME: Final[tuple[tuple[str, str, Shape], ...]] = (
    ("Claude Code", ".claude.json", "claude-code"),
    ("Cursor", ".cursor/mcp.json", "mcpServers"),
    ("Windsurf", ".codeium/windsurf/mcp_config.json", "mcpServers"),
    ("Gemini CLI", ".gemini/settings.json", "gemini"),
    ("Qwen Code", ".qwen/settings.json", "gemini"),
    ("Codex", ".codex/config.toml", "codex"),
    ("LM Studio", ".lmstudio/mcp.json", "mcpServers"),
    ("LM Studio", ".cache/lm-studio/mcp.json", "mcpServers"),
    ("Continue", ".continue/config.yaml", "continue"),
    ("Amazon Q", ".aws/amazonq/mcp.json", "mcpServers"),
    ("Kiro", ".kiro/settings/mcp.json", "mcpServers"),
    ("Copilot CLI", ".copilot/mcp-config.json", "mcpServers"),
    ("JetBrains Junie", ".junie/mcp/mcp.json", "mcpServers"),
)
_DOTTED: Final[tuple[tuple[str, str, Shape], ...]] = (
    ("Zed", "zed/settings.json", "zed"),
    ("Goose", "goose/config.yaml", "goose"),
    ("Goose", "Block/goose/config/config.yaml", "goose"),
    ("OpenCode", "opencode/opencode.json", "opencode"),
    ("Copilot for JetBrains", "github-copilot/intellij/mcp.json", "servers"),
)
_PROJECT: Final[tuple[tuple[str, str, Shape], ...]] = (
    ("Claude Code", ".mcp.json", "mcpServers"),
    ("Cursor", ".cursor/mcp.json", "mcpServers"),
    ("VS Code", ".vscode/mcp.json", "servers"),
    ("Zed", ".zed/settings.json", "zed"),
    ("Gemini CLI", ".gemini/settings.json", "gemini"),
    ("Roo Code", ".roo/mcp.json", "mcpServers"),
    ("Kiro", ".kiro/settings/mcp.json", "mcpServers"),
    ("JetBrains Junie", ".junie/mcp/mcp.json", "mcpServers"),
)


def sources(places: Places) -> list[Source]:
    """Every file worth looking at, in a fixed order: a person's own first, then the project's."""
    found = [
        Source(
            "Claude Desktop",
            places.settings / "Claude" / "claude_desktop_config.json",
            "mcpServers",
        ),
        *(Source(name, places.home / path, shape) for name, path, shape in _HOME),
        *_of_editors(places.settings),
        *(Source(name, places.dotted / path, shape) for name, path, shape in _DOTTED),
    ]
    found += [
        Source("Continue", path, "continue" if path.suffix != ".json" else "mcpServers")
        for path in sorted((places.home / ".continue" / "mcpServers").glob("*.*"))
        if path.suffix in (".yaml", ".yml", ".json")
    ]
    if places.project != places.home:
        found += [
            Source(name, places.project / path, shape, places.project)
            for name, path, shape in _PROJECT
        ]
    return list({source.path: source for source in found}.values())


def _of_editors(settings: Path) -> Iterator[Source]:
    for name, folder in _EDITORS:
        user = settings / folder / "User"
        yield Source(name, user / "mcp.json", "servers")
        for profile in sorted((user / "profiles").glob("*/mcp.json")):
            yield Source(name, profile, "servers")
        yield Source(name, user / "settings.json", "vscode-settings")
        for extension, path in _EXTENSIONS:
            yield Source(extension, user / "globalStorage" / path, "mcpServers")
