"""`${VAR}` and its relatives, expanded in strings of the configuration when it is loaded.

Must not know: which setting a string belongs to. Nothing that comes from a client or a server is
ever passed through here, and what a variable holds is never expanded again.

    ${VAR}                 the environment variable; missing is an error
    ${VAR:-default}        the default when VAR is unset or empty; may hold further expansions
    ${env:VAR}             the same as ${VAR}, as VS Code and Cursor write it
    ${userHome}            the home directory            ${workspaceFolder}  the project's directory
    ${workspaceFolderBasename}                           ${pathSeparator}, ${/}
    $${                    a literal ${
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from lockgate.config.finding import Findings
from lockgate.config.nodes import Node, Position

_name: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
Report = Callable[[str, str, str], None]
"""Takes the kind of a finding, its summary and its remedy."""


class Expander:
    """Expands strings from one environment.

    used  the variables that were put in, by name; for masking.
    """

    def __init__(self, environ: Mapping[str, str], project: Path) -> None:
        """`project` is what `${workspaceFolder}` stands for."""
        self._environ = environ
        home = environ.get("HOME") or environ.get("USERPROFILE") or str(Path.home())
        self._places = {
            "userHome": home,
            "workspaceFolder": str(project),
            "workspaceFolderBasename": project.name,
            "pathSeparator": os.sep,
            "/": os.sep,
        }
        self.used: dict[str, str] = {}

    def expand(self, text: str, report: Report) -> str:
        """`text` with its variables replaced; what cannot be is reported and left as it is."""
        if "${" not in text:
            return text
        parts: list[str] = []
        start = 0
        while (found := text.find("${", start)) >= 0:
            if text[found - 1 : found] == "$" and found > start:
                parts += [text[start : found - 1], "${"]
                start = found + 2
                continue
            end = _closing(text, found + 2)
            if end < 0:
                report(
                    "variable-unknown",
                    "A ${ is never closed; it is left as it is.",
                    "Close it with }, or write $${ for a literal ${.",
                )
                break
            parts += [text[start:found], self._value(text[found : end + 1], report)]
            start = end + 1
        return "".join(parts) + text[start:]

    def _value(self, written: str, report: Report) -> str:
        inner = written[2:-1]
        if inner in self._places:
            return self._places[inner]
        if inner.startswith("input:"):
            return self._input(written, inner.removeprefix("input:"), report)
        name, has_default, default = inner.removeprefix("env:").partition(":-")
        if not _name.fullmatch(name):
            shown = f"${{{name[:60]}{':-…' if has_default else ''}}}"  # a default may be secret
            report(
                "variable-unknown",
                f"{shown} is no variable that is expanded; it is left as it is.",
                "Write ${NAME} or ${NAME:-default}, or $${ for a literal ${.",
            )
            return written
        value = self._environ.get(name)
        if value:
            self.used[name] = value
            return value
        if has_default:
            return self.expand(default, report)
        if value is None:
            report(
                "variable-missing",
                f"The environment variable {name} is not set.",
                f"Set {name} before starting, or write a default: ${{{name}:-…}}.",
            )
        return "" if value is not None else written

    def _input(self, written: str, label: str, report: Report) -> str:
        label = label.partition(":-")[0]
        name = re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_").upper() or "VALUE"
        report(
            "input-variable",
            f"${{input:{label}}} asks a person in VS Code, and nobody can be asked here.",
            f"Write ${{{name}}} instead and set that environment variable.",
        )
        return written


def _closing(text: str, start: int) -> int:
    """Where the brace that closes `${` stands, nested ones passed; -1 when there is none."""
    depth = 1
    for offset in range(start, len(text)):
        if text[offset] == "{" and text[offset - 1] == "$":
            depth += 1
        elif text[offset] == "}":
            depth -= 1
            if depth == 0:
                return offset
    return -1


def expand_node(node: Node, expander: Expander, findings: Findings) -> Node:
    """The tree with every string value expanded; keys are left alone."""
    if isinstance(node.value, dict):
        return node.with_members(
            {key: expand_node(value, expander, findings) for key, value in node.value.items()}
        )
    if isinstance(node.value, list):
        return replace(node, value=[expand_node(item, expander, findings) for item in node.value])
    if not isinstance(node.value, str) or "${" not in node.value:
        return node
    at: Position = node.at

    def report(kind: str, summary: str, remedy: str) -> None:
        findings.add(kind, summary, remedy, at)

    return replace(node, value=expander.expand(node.value, report), spelled=node.value)
