"""How text reaches a person: the two consoles, findings, errors, and waiting in sight.

Must not know: what is being said. Results go to stdout, everything else to stderr. Text from
servers and files is never read as markup, and its control characters are made visible. Where the
log is JSON, what goes to stderr is a record of it, so that every line there can be parsed.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from lockgate.config.finding import Finding
from lockgate.observe.log import colours, form

_log: Final = logging.getLogger("lockgate.cli")
_control: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "cyan"}
_WORDS: Final = {"info": "note"}
_LEVELS: Final = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO}
_INDENT: Final = 4


def visible(text: str) -> str:
    """The text with control characters escaped; line breaks and tabs stay."""
    return _control.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr that respects NO_COLOR, TERM=dumb and pipes."""
    stream = sys.stderr if stderr else sys.stdout
    plain = not colours(os.environ, stream)
    width = None if stream.isatty() or "COLUMNS" in os.environ else 100
    return Console(
        stderr=stderr,
        color_system=None if plain else "auto",
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=not stream.isatty(),
        width=width,
    )


def say(text: str, style: str = "") -> None:
    """One line to stderr."""
    if form() == "json":
        _log.info(text)
        return
    console(stderr=True).print(Text(visible(text), style))


def say_error(message: str, remedy: str | None, code: str | None = None) -> None:
    """What went wrong and what to do about it, to stderr."""
    if form() == "json":
        facts = {"code": code, "remedy": remedy}
        _log.error(message, extra={key: value for key, value in facts.items() if value})
        return
    out = console(stderr=True)
    hang(out, Text.assemble(("error: ", "bold red"), visible(message), coded(code)))
    show_remedy(out, remedy)


def coded(code: str | None) -> tuple[str, str]:
    """What stands behind an error: its code, for `lockgate explain`."""
    return (f"  [{code}]" if code else "", "dim")


def show_remedy(out: Console, remedy: str | None) -> None:
    """What to do about the line above."""
    if remedy:
        hang(out, Text.assemble(("  → ", "dim"), visible(remedy)))


def hang(out: Console, text: Text) -> None:
    """One line; where it has to be broken, what follows is indented."""
    if out.soft_wrap:
        out.print(text)
        return
    for number, line in enumerate(text.wrap(out, max(20, out.width - _INDENT))):
        line.rstrip()
        out.print(Text(" " * _INDENT + "") + line if number else line)


def show_findings(findings: Sequence[Finding], *, to_stderr: bool) -> None:
    """Each finding with its place and remedy, then one line that counts them."""
    if to_stderr and form() == "json":
        log_findings(findings)
        return
    out = console(stderr=to_stderr)
    for finding in findings:
        style = _STYLES[finding.severity]
        word = _WORDS.get(finding.severity, finding.severity)
        hang(out, Text.assemble((f"{word}: ", style), visible(finding.summary)))
        # Never broken: terminals and editors make a link of it.
        out.print(
            Text(f"  at {finding.place}  [{finding.code} {finding.id}]", "dim"), soft_wrap=True
        )
        show_remedy(out, finding.remedy)
    if findings:
        out.print(Text(counted(findings), "bold"))


def log_findings(findings: Sequence[Finding]) -> None:
    """Each finding as a record of the log."""
    for finding in findings:
        facts = {
            "code": finding.code,
            "finding": finding.id,
            "place": finding.place,
            "remedy": finding.remedy,
        }
        _log.log(_LEVELS[finding.severity], finding.summary, extra=facts)


def counted(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning, 1 note`."""
    words = (("error", "error"), ("warning", "warning"), ("info", "note"))
    parts: list[str] = []
    for severity, word in words:
        number = sum(finding.severity == severity for finding in findings)
        if number:
            parts.append(f"{number} {word}{'s' if number > 1 else ''}")
    return ", ".join(parts)


class Waiting:
    """A line that says what is being waited for; changes in place on a terminal."""

    def __init__(self, status: Status | None) -> None:
        self._status = status

    def update(self, text: str) -> None:
        """Say something else."""
        if self._status is not None:
            self._status.update(Text(visible(text)))


@contextmanager
def waiting(text: str) -> Generator[Waiting]:
    """Show a spinner with `text` while the body runs; nothing when stderr is no terminal."""
    out = console(stderr=True)
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or form() == "json":
        yield Waiting(None)
        return
    with out.status(Text(visible(text)), spinner="dots") as status:
        yield Waiting(status)
