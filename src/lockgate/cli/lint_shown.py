"""What a look at source found, for people.

Must not know: how anything is found.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from rich.console import Console
from rich.text import Text

from lockgate.cli.lint import shown_path
from lockgate.cli.terminal import console, hang, show_remedy, visible
from lockgate.lint.rule import OPENING, Problem, Rule, whole
from lockgate.lint.rules import RULES
from lockgate.lint.run import Looked, Report

_STYLES: Final = {"block": "bold red", "review": "yellow", "note": "cyan"}


def show(report: Report, *, notes: bool) -> None:
    """Each finding with its place; what to do about a rule once, at its first finding."""
    out = console()
    told: set[str] = set()
    for one in report.files:
        _file(out, one, told, notes=notes)
    for line in _counted(report, notes=notes):
        hang(out, Text(line, "bold"))


def _file(out: Console, one: Looked, told: set[str], *, notes: bool) -> None:
    path = visible(shown_path(one.path))
    if one.error is not None:
        hang(out, Text.assemble((f"{path}: ", "bold"), ("error: ", "bold red"), one.error))
    if one.repaired:
        hang(out, Text.assemble((f"{path}: ", "bold"), (f"{one.repaired} repaired", "green")))
    for problem in one.problems:
        if problem.severity != "note" or notes:
            _problem(out, path, problem, told)


def _problem(out: Console, path: str, problem: Problem, told: set[str]) -> None:
    rule = RULES[problem.rule]
    style = _STYLES[problem.severity]
    # Never broken: terminals and editors make a link of it.
    out.print(Text(f"{path}:{problem.line}:{problem.column}", "bold"), soft_wrap=True)
    hang(out, Text.assemble((f"  {problem.severity}: ", style), rule.summary))
    within = f"in {problem.kind} {visible(problem.within)}  " if problem.within else ""
    hang(out, Text(f"    {within}[{rule.id}]", "dim"))
    if problem.evidence:
        hang(out, Text.assemble(("    │ ", "dim"), visible(problem.evidence)))
    if rule.id not in told:
        told.add(rule.id)
        show_remedy(out, rule.remedy)


def _counted(report: Report, *, notes: bool) -> list[str]:
    """`3 files of servers (9 read), 12 handlers: 1 block, 4 notes`, and what to do next."""
    problems = [problem for one in report.files for problem in one.problems]
    counts = Counter(one.severity for one in problems)
    words = (("block", ""), ("review", ""), ("note", "s" * (counts["note"] != 1)))
    found = ", ".join(f"{counts[one]} {one}{end}" for one, end in words if counts[one])
    unread = sum(one.error is not None for one in report.files)
    files = len(report.files) - unread
    line = (
        f"{files} file{'s' * (files != 1)} of servers ({report.read} read), {report.handlers} "
        f"handler{'s' * (report.handlers != 1)}: {found or 'nothing found'}"
    )
    more = [line + (f"; {unread} could not be read" if unread else "")]
    fixable = sum(RULES[one.rule].fixable and one.severity != "note" for one in problems)
    if fixable:
        more.append("--fix may repair some of it; --explain RULE says more about a rule.")
    elif problems and counts["note"] and not notes:
        more.append("--notes shows the notes; --explain RULE says more about a rule.")
    return more


def explain(rule: Rule) -> None:
    """All there is to say about a rule."""
    out = console()
    out.print(Text.assemble((rule.id, "bold"), f"  {rule.severity}"))
    for text in (rule.summary, rule.why):
        hang(out, Text(text))
    show_remedy(out, rule.remedy)
    for word, example in (("Found in:", rule.bad), ("Not found in:", rule.good)):
        out.print(Text(f"\n{word}\n", "dim"))
        text = whole(example) if rule.id == "import-old" else example
        out.print(Text(text.removeprefix(OPENING)), soft_wrap=True)
