"""What ruff finds, and which of it concerns a server of MCP.

Must not know: what the rules say. Ruff is a program that is run; it is told the rules that
`rules` names and nothing of any project's own settings, but its `noqa` comments hold.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

import msgspec

from lockgate.errors import LockgateError
from lockgate.lint.rules import BY_RUFF

_TOGETHER: Final = 200
"""Files for one run of ruff: well within what a command line may hold."""
_TIMEOUT: Final = 120


class Place(msgspec.Struct, frozen=True):
    """A position, counted from 1."""

    row: int
    column: int


class Said(msgspec.Struct, frozen=True):
    """One finding of ruff."""

    filename: str
    location: Place
    message: str
    code: str | None = None


def ruff() -> str:
    """The program.

    Raises:
        LockgateError: there is none.
    """
    try:
        find: Callable[[], str] = import_module("ruff").find_ruff_bin
        return find()
    except (ImportError, FileNotFoundError):
        found = shutil.which("ruff")
    if found is None:
        raise LockgateError(
            "ruff, which finds part of what `lockgate lint` tells of, is not installed.",
            "Install it: pip install 'lockgate[lint]', or ruff alone.",
            reason="lint-without-ruff",
        )
    return found


def said(paths: Sequence[Path]) -> dict[Path, list[Said]]:
    """What ruff says of each file.

    Raises:
        LockgateError: there is no ruff, or it fails.
    """
    program = ruff()
    found: dict[Path, list[Said]] = {path: [] for path in paths}
    for start in range(0, len(paths), _TOGETHER):
        for one in _run(program, paths[start : start + _TOGETHER]):
            found.setdefault(Path(one.filename), []).append(one)
    return found


def _run(program: str, paths: Iterable[Path]) -> Iterator[Said]:
    ran = subprocess.run(  # noqa: S603 - the program that was found, and a list of files
        [
            program, "check", "--isolated", "--no-cache", "--exit-zero", "--quiet",
            "--output-format", "json", "--target-version", "py311",
            "--select", ",".join(sorted(BY_RUFF)), "--", *map(str, paths),
        ],
        capture_output=True,
        timeout=_TIMEOUT,
        check=False,
    )  # fmt: skip
    if ran.returncode != 0:
        words = ran.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise LockgateError(
            f"ruff failed: {words[-1]}.",
            "Use ruff 0.17 or later; `ruff --version` says which this is.",
            reason="lint-without-ruff",
        )
    return iter(msgspec.json.decode(ran.stdout or b"[]", type=list[Said]))
