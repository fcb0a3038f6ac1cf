"""`lockgate lint`: what goes wrong in the source of MCP servers.

Must not know: rules, or how anything is found.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click
import msgspec

from lockgate.cli import exits
from lockgate.cli.scanned import Subject
from lockgate.core.legible import visible
from lockgate.guard.finding import Finding, Severity
from lockgate.guard.signals.kinds import Sort
from lockgate.lint.rule import Problem, Rule
from lockgate.lint.rules import RULES
from lockgate.lint.run import Looked, Report, lint

_WORDS: Final = """\
\b
A finding that is as it should be is allowed where it is, with the reason:
  # lockgate: allow[RULE] REASON       on its line, or alone on the line above
  # lockgate: allow-file[RULE] REASON  for the whole file"""
_FAILING: Final[Mapping[str, tuple[Severity, ...]]] = {
    "block": ("block",),
    "review": ("block", "review"),
    "note": ("block", "review", "note"),
    "never": (),
}


@click.command("lint", epilog=f"{_WORDS}\n\n{exits.epilog()}")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, type=click.Path(path_type=Path), required=False
)
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option("--sarif", "form", flag_value="sarif", help="SARIF 2.1.0, for code scanning.")
@click.option("--fix", is_flag=True, help="Repair what can be repaired without risk.")
@click.option(
    "--fail-on",
    type=click.Choice(list(_FAILING)),
    default="review",
    show_default=True,
    help="The least severity that the exit code tells of.",
)
@click.option("--notes", is_flag=True, help="Show notes one by one, too.")
@click.option("--explain", metavar="RULE", help="Say what a rule is about, with an example.")
def command(
    paths: tuple[Path, ...],
    form: str | None,
    fix: bool,
    fail_on: str,
    notes: bool,
    explain: str | None,
) -> int:
    """Look for what goes wrong in the Python source of MCP servers.

    PATH is a file or folder; nothing in it is run. Servers of the official SDK and FastMCP are
    known, and what they import from the same place. Needs ruff: pip install 'lockgate[lint]'.
    """
    if explain is not None:
        return _explained(explain)
    if not paths:
        raise click.UsageError("Name a file or folder with a server.")
    report = lint(paths, fix=fix)
    if form == "json":
        _written(report)
    elif form == "sarif":
        from lockgate.cli.sarif import report as sarif  # noqa: PLC0415 - only for who asks for it

        click.echo(sarif(list(_subjects(report)), _sorts()))
    else:
        from lockgate.cli.lint_shown import show  # noqa: PLC0415 - rich is slow to import

        show(report, notes=notes or fail_on == "note")
    return _code(report, fail_on)


def _explained(name: str) -> int:
    if name not in RULES:
        from lockgate.core.names import nearest  # noqa: PLC0415 - only for a slip

        guess = nearest(name, RULES)
        raise click.UsageError(
            f"No such rule {name!r}." + (f" Did you mean {guess!r}?" if guess else "")
        )
    from lockgate.cli.lint_shown import explain  # noqa: PLC0415 - rich is slow to import

    explain(RULES[name])
    return exits.OK


def shown_path(path: Path) -> str:
    """A path as people and code scanning want it: from here, if it is below."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else os.fspath(path)


def finding(problem: Problem) -> Finding:
    """A problem in the guard's words."""
    rule = RULES[problem.rule]
    where = f"{problem.kind} {problem.within}" if problem.within else ""
    return Finding(
        id=problem.rule,
        severity=problem.severity,
        summary=rule.summary,
        where=visible(where),
        evidence=visible(problem.evidence),
        remedy=rule.remedy,
    )


def _subjects(report: Report) -> Iterator[Subject]:
    for one in report.files:
        path = shown_path(one.path)
        if one.error is not None:
            yield Subject(name=path, kind="file", file=path, error=one.error)
        for problem in one.problems:
            yield Subject(
                name=visible(problem.within or one.path.name),
                kind=problem.kind,
                findings=(msgspec.structs.replace(finding(problem), where=""),),
                file=path,
                line=problem.line,
                column=problem.column,
            )


def _sorts() -> dict[str, Sort]:
    return {name: _sort(rule) for name, rule in RULES.items()}


def _sort(rule: Rule) -> Sort:
    return Sort(rule.severity, rule.summary, f"{rule.why} {rule.remedy}")


def _written(report: Report) -> None:
    encode = msgspec.json.Encoder().encode
    out = sys.stdout.buffer
    for one in report.files:
        for line in _lines(one):
            out.write(encode(line) + b"\n")
    out.flush()


def _lines(one: Looked) -> Iterator[dict[str, object]]:
    path = shown_path(one.path)
    if one.error is not None:
        yield {"file": path, "error": one.error}
    for problem in one.problems:
        place = {"file": path, "line": problem.line, "column": problem.column}
        yield {**place, **msgspec.to_builtins(finding(problem))}


def _code(report: Report, fail_on: str) -> int:
    """The exit code: findings before what could not be read."""
    severities = {problem.severity for one in report.files for problem in one.problems}
    failing = severities & set(_FAILING[fail_on])
    if "block" in failing:
        return exits.FOUND_BLOCK
    if failing:
        return exits.FOUND_REVIEW
    return exits.FAILED if _unread(report.files) else exits.OK


def _unread(files: Iterable[Looked]) -> bool:
    return any(one.error is not None for one in files)
