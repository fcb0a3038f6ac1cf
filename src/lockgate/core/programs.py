"""What is known of the programs servers are started with, whoever asks: the checks, or the start.

Must not know: how programs are looked up or started, or how findings are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INSTALL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bun": "Install Bun (https://bun.sh).",
        "bunx": "Install Bun (https://bun.sh), which brings bunx.",
        "deno": "Install Deno (https://deno.com).",
        "docker": "Install Docker, or another engine that brings a docker command.",
        "node": "Install Node.js (https://nodejs.org).",
        "npm": "Install Node.js (https://nodejs.org), which brings npm.",
        "npx": "Install Node.js (https://nodejs.org), which brings npx.",
        "pipx": "Install pipx.",
        "podman": "Install Podman.",
        "python": "Write python3, or the full path of an interpreter.",
        "uv": "Install uv (https://docs.astral.sh/uv).",
        "uvx": "Install uv (https://docs.astral.sh/uv), which brings uvx.",
    }
)
"""How the programs that servers are usually started with come to a machine."""

CODE_VARIABLES: Final = frozenset(
    {
        "BASH_ENV",
        "BUN_OPTIONS",
        "CLASSPATH",
        "DOTNET_STARTUP_HOOKS",
        "ENV",
        "GCONV_PATH",
        "GIT_EXEC_PATH",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "LUA_INIT",
        "NODE_OPTIONS",
        "NODE_PATH",
        "OPENSSL_CONF",
        "PERL5DB",
        "PERL5LIB",
        "PERL5OPT",
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "PROMPT_COMMAND",
        "PYTHONBREAKPOINT",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "RUBYLIB",
        "RUBYOPT",
        "SHELLOPTS",
        "ZDOTDIR",
        "_JAVA_OPTIONS",
    }
)
"""Variables of the environment that change what code a program runs."""

CODE_PREFIXES: Final = ("BASH_FUNC_", "DYLD_", "LD_", "NPM_CONFIG_")
"""And whatever begins with one of these."""


def changes_code(variable: str) -> bool:
    """Whether a variable can change what code a program runs; letter case does not matter."""
    name = variable.upper()
    return name in CODE_VARIABLES or name.startswith(CODE_PREFIXES)
