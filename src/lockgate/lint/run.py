"""From paths to problems: files are found, read together, checked, and what is allowed left out.

Must not know: how problems are shown.
"""

from __future__ import annotations

import ast
import os
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lockgate.errors import LockgateError
from lockgate.guard.finding import Severity
from lockgate.lint.allowing import Allowance, allowances, lines_of
from lockgate.lint.checks import CHECKS
from lockgate.lint.fixing import repaired
from lockgate.lint.found import Found
from lockgate.lint.judging import judged
from lockgate.lint.project import File, Project
from lockgate.lint.ruffed import Said, said
from lockgate.lint.rule import Problem
from lockgate.lint.rules import RULES
from lockgate.lint.source import Source

LARGEST: Final = 4_000_000
MOST_FILES: Final = 50_000
_LEFT_OUT: Final = frozenset(
    {
        "node_modules",
        "site-packages",
        "__pycache__",
        "venv",
        "env",
        "build",
        "dist",
        "tests",
        "test",
    }
)
_ORDER: Final[dict[Severity, int]] = {"block": 0, "review": 1, "note": 2}


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file.

    problems  what is wrong in it, in the order of lines.
    repaired  how much was repaired.
    error     why it could not be looked at; then there are no problems.
    """

    path: Path
    problems: tuple[Problem, ...] = ()
    repaired: int = 0
    error: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has found.

    files     those that run in a server, and those that could not be read.
    handlers  how many functions answer clients.
    read      how many files were read in all.
    """

    files: tuple[Looked, ...]
    handlers: int
    read: int


def lint(paths: Sequence[Path], *, fix: bool = False) -> Report:
    """Look at files and folders; with `fix`, repair first what can be.

    Raises:
        LockgateError: a path is missing, ruff is, or there is no server in any of it.
    """
    report, project, found = _looked(paths)
    if not fix:
        return report
    counts = {one.source.path: _write(one.source, found[one.source.path]) for one in project.files}
    again, _, _ = _looked(paths) if any(counts.values()) else (report, project, found)
    files = tuple(
        msgspec.structs.replace(one, repaired=counts.get(one.path, 0)) for one in again.files
    )
    return msgspec.structs.replace(again, files=files)


def _write(source: Source, found: list[Found]) -> int:
    text, count = repaired(source, found)
    if count:
        with source.path.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
    return count


def _looked(paths: Sequence[Path]) -> tuple[Report, Project, dict[Path, list[Found]]]:
    every = list(_files(paths))
    sources: list[Source] = []
    looked: list[Looked] = []
    for path in every:
        try:
            sources.append(read(path))
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            looked.append(Looked(path=path, error=_why(error)))
    project = Project(sources)
    if not project.files and not looked:
        raise LockgateError(
            f"No server of MCP is made in any of {len(every)} Python files.",
            "Name the file or folder in which it is; tests and environments are left out.",
            reason="lint-nothing",
        )
    spoken = said([one.source.path for one in project.files])
    found: dict[Path, list[Found]] = {}
    for file in project.files:
        path = file.source.path
        kept, problems = _judged(file, _found(file, spoken.get(path, [])))
        found[path] = kept
        looked.append(Looked(path=path, problems=problems))
    handlers = sum(len(one.handlers) for one in project.files)
    looked.sort(key=lambda one: one.path)
    return Report(files=tuple(looked), handlers=handlers, read=len(every)), project, found


def read(path: Path) -> Source:
    """One file.

    Raises:
        OSError, SyntaxError, ValueError: it cannot be read, or is no Python.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    with path.open("rb") as file:
        encoding, _ = tokenize.detect_encoding(file.readline)
    with path.open(encoding=encoding, newline="") as file:
        return Source(path, file.read(), _module(path))


def _module(path: Path) -> str:
    parts = [] if path.stem == "__init__" else [path.stem]
    folder = path.absolute().parent
    while (folder / "__init__.py").is_file() and folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.stem


def _why(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"It is no Python that this version reads: {error.msg} in line {error.lineno}."
    if isinstance(error, OSError):
        return f"It cannot be read: {error.strerror}."
    return f"It cannot be read: {error}."


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    number = 0
    for path in dict.fromkeys(one.absolute() for one in paths):
        if not path.exists():
            raise LockgateError(
                f"{path} does not exist.", "Name a file or a folder.", reason="lint-unreadable"
            )
        for one in (path,) if path.is_file() else _under(path):
            number += 1
            if number > MOST_FILES:
                return
            yield one


def _under(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(one for one in folders if one not in _LEFT_OUT and one[0] != ".")
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith("test_") and name != "conftest.py":
                yield Path(place, name)


def _found(file: File, spoken: Sequence[Said]) -> Iterator[Found]:
    for check in CHECKS:
        yield from check(file)
    yield from judged(file, spoken)


def _judged(file: File, every: Iterable[Found]) -> tuple[list[Found], tuple[Problem, ...]]:
    """What is left when each place has one finding of a rule, and what is allowed is left out."""
    comments = allowances(file.source)
    best: dict[tuple[str, int], Found] = {}
    for one in every:
        key = (one.rule, getattr(one.node, "lineno", 1))
        before = best.get(key)
        if before is None or _ORDER[_severity(one)] < _ORDER[_severity(before)]:
            best[key] = one
    kept = [one for one in best.values() if not _allowed(file.source, one, comments)]
    problems = [_problem(file, one) for one in kept]
    problems += _about(comments)
    problems.sort(key=lambda one: (one.line, one.column, one.rule))
    return kept, tuple(problems)


def _severity(found: Found) -> Severity:
    return found.severity or RULES[found.rule].severity


def _allowed(source: Source, found: Found, comments: list[Allowance]) -> bool:
    """Whether any comment allows it; each that does is marked as used."""
    node = found.node
    if isinstance(node, ast.arg):
        node = source.function_of(node) or node
    allowing = [one for one in comments if one.covers(found.rule, lines_of(node))]
    return bool(allowing)


def _about(comments: Iterable[Allowance]) -> Iterator[Problem]:
    for one in comments:
        unused = one.rules - one.used
        rule = "allowed-without-reason" if not one.reason else "allowed-for-nothing"
        if unused:
            severity = RULES[rule].severity
            evidence = ", ".join(sorted(unused))
            yield Problem(rule=rule, line=one.line, column=1, severity=severity, evidence=evidence)


def _problem(file: File, found: Found) -> Problem:
    node = found.node
    function = file.source.function_of(node)
    handler = (
        found.handler
        or file.reach.handler_of(node)
        or next((one for one in file.handlers if one.node in (node, function)), None)
    )
    name = handler.name if handler else function.name if function else ""
    kind = handler.kind if handler else "code"
    return Problem(
        rule=found.rule,
        line=getattr(node, "lineno", 1),
        column=getattr(node, "col_offset", 0) + 1,
        severity=_severity(found),
        evidence=found.evidence if found.evidence is not None else _evidence(file, node),
        within=name,
        kind="tool" if kind == "call" else kind,
    )


def _evidence(file: File, node: ast.AST) -> str:
    return file.source.shown(node)
