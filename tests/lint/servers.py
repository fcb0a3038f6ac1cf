"""Servers for tests of the linter: written to a folder, looked at, and what was found.

Must not know: any rule.
"""

from __future__ import annotations

from pathlib import Path

from lockgate.lint.rule import OPENING, Problem
from lockgate.lint.run import Report, lint


def looked(folder: Path, *, fix: bool = False, **files: str) -> Report:
    """What is found in files with these contents; the server is made where none of them does."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return lint([folder], fix=fix)


def problems(folder: Path, text: str) -> list[Problem]:
    """What is found in one file, which begins with a server."""
    return [one for file in looked(folder, server=OPENING + text).files for one in file.problems]


def rules(folder: Path, text: str) -> list[str]:
    """The rules of what is found in one file, notes left out."""
    return [one.rule for one in problems(folder, text) if one.severity != "note"]
