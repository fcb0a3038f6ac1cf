"""`envFile`: lines of NAME=value, as VS Code and Cursor read them.

Must not know: servers, or which variables matter. Nothing in the file is expanded.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import SecretStr

from lockgate.config.finding import Findings
from lockgate.config.nodes import Position

_line = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*\Z")


def read_env_file(path: Path, at: Position, findings: Findings) -> dict[str, SecretStr]:
    """The variables of a file; what is wrong with it is noted at `at`, where it is named."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        findings.add(
            "path-missing",
            f"The envFile {path} cannot be read.",
            "Create it, or remove the key.",
            at,
        )
        return {}
    variables: dict[str, SecretStr] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _line.fullmatch(line)
        if found is None:
            findings.add(
                "invalid-value",
                f"Line {number} of the envFile {path} is not NAME=value.",
                "Write NAME=value, or # before a remark.",
                at,
            )
            continue
        variables[found[1]] = SecretStr(_unquoted(found[2]))
    return variables


def _unquoted(value: str) -> str:
    for quote in "\"'":
        if len(value) > 1 and value[0] == value[-1] == quote:
            return value[1:-1]
    return value.split(" #", 1)[0].rstrip()
