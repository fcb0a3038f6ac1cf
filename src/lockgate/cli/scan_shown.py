"""What a scan found, for people.

Must not know: how anything is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from lockgate.cli.scanned import Subject
from lockgate.cli.terminal import console, hang, show_remedy, visible
from lockgate.guard.finding import Finding

_STYLES: Final = {"block": "bold red", "review": "yellow", "note": "cyan"}


def shown(subjects: Iterable[Subject]) -> Iterator[Subject]:
    """Print each subject that something was found in, then one line that counts; pass them on."""
    out = console()
    grades: Counter[str | None] = Counter()
    for subject in subjects:
        grades[subject.severity] += 1
        _show(out, subject)
        yield subject
    out.print(Text(_counted(grades), "bold"))


def _show(out: Console, subject: Subject) -> None:
    told = [one for one in subject.findings if one.severity != "note"]
    notes = [one for one in subject.findings if one.severity == "note"]
    if subject.error is not None:
        hang(out, Text.assemble(("error: ", "bold red"), visible(subject.error)))
        _place(out, subject)
        return
    if subject.kind in ("configuration", "server"):
        told += notes
        notes = []
    if not told:
        return
    whose = f"{subject.server}/" if subject.server else ""
    out.print(Text.assemble((f"{subject.kind} ", "dim"), (f"{whose}{subject.name}", "bold")))
    _place(out, subject)
    for one in told:
        _finding(out, one)
    if notes:
        kinds = ", ".join(dict.fromkeys(one.id for one in notes))
        hang(out, Text(f"  also worth knowing: {kinds}", "dim"))


def _place(out: Console, subject: Subject) -> None:
    if subject.file is not None and subject.line is not None:
        out.print(Text(f"  at {visible(subject.file)}:{subject.line}", "dim"), soft_wrap=True)


def _finding(out: Console, finding: Finding) -> None:
    style = _STYLES[finding.severity]
    hang(out, Text.assemble((f"  {finding.severity}: ", style), finding.summary))
    where = f"in {finding.where}  " if finding.where else ""
    hang(out, Text(f"    {where}[{finding.id}]", "dim"))
    if finding.evidence:
        hang(out, Text.assemble(("    │ ", "dim"), finding.evidence))
    show_remedy(out, finding.remedy)


def _counted(grades: Counter[str | None]) -> str:
    """`12 scanned: 1 block, 2 review; 1 could not be read`."""
    total = grades.total() - grades[None]
    parts = [f"{grades[one]} {one}" for one in ("block", "review") if grades[one]]
    found = ", ".join(parts) or "nothing found"
    unread = f"; {grades[None]} could not be read" if grades[None] else ""
    return f"{total} scanned: {found}{unread}"
