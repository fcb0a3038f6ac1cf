"""A diagnosis for people: one line a step, and below it what is wrong, why, and what to do.

Must not know: how anything is looked at. What a server said cannot take over the terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

from rich.status import Status
from rich.text import Text

from lockgate.cli.terminal import console, visible
from lockgate.doctor.kinds import KINDS
from lockgate.doctor.report import Exchange, Found, Looked, Report

_STYLES: Final = {
    "ok": "green",
    "note": "cyan",
    "warning": "yellow",
    "error": "bold red",
    "skipped": "dim",
}
_OUTCOMES: Final = {
    "healthy": "nothing is wrong",
    "broken": "something is wrong",
    "unreachable": "it could not be asked",
    "guarded": "it wants a credential, so not all of it could be looked at",
}


class Shown:
    """Prints what it is told. `quiet`: nothing at all."""

    def __init__(self, *, verbose: bool, quiet: bool) -> None:
        """Nothing is printed yet."""
        self._verbose = verbose
        self._quiet = quiet
        self._out = console()
        self._skipped: list[Looked] = []
        self._status: Status | None = None

    @contextmanager
    def waiting(self) -> Generator[None]:
        """While the body runs, say on a terminal that something is going on."""
        if self._quiet or not self._out.is_terminal or self._out.is_dumb_terminal:
            yield
            return
        # On the console that the rest is printed on, which keeps the two apart.
        with self._out.status("", spinner="dots") as self._status:
            yield
        self._status = None

    def under_way(self, names: Sequence[str]) -> None:
        """Which servers are being looked at."""
        if self._status is not None:
            self._status.update(Text(visible(f"Looking at {', '.join(names)}")))

    def begin(self, name: str) -> None:
        """The server that the next steps are about."""
        if not self._quiet:
            self._out.print(Text(visible(name), "bold"), soft_wrap=True)

    def step(self, looked: Looked) -> None:
        """One step, as it is done. Those that were not looked at are told together."""
        if self._quiet:
            return
        if looked.status == "skipped" and looked.saw.startswith("not looked at"):
            self._skipped.append(looked)
            return
        self._flush()
        self._line(looked.status, looked.id, looked.saw)
        for kind, found in groupby(looked.found, key=attrgetter("id")):
            self._finding(kind, list(found))
        if self._verbose:
            for exchange in looked.exchanges:
                self._exchange(exchange)

    def whole(self, report: Report) -> None:
        """A server that is done with."""
        if self._quiet:
            return
        self.begin(report.subject)
        for looked in report.steps:
            self.step(looked)
        self._flush()
        self._sum(report)

    def end(self, reports: Sequence[Report], bundle: Path | None) -> None:
        """What it all comes to."""
        self._flush()
        if len(reports) == 1:
            self._sum(reports[0])
        if bundle is not None:
            self._out.print(Text(f"Everything, without secrets, is in {visible(str(bundle))}."))

    def _flush(self) -> None:
        skipped, self._skipped = self._skipped, []
        if skipped:
            names = ", ".join(one.id for one in skipped)
            self._line("skipped", "", f"{names}: {skipped[0].saw}")

    def _line(self, status: str, name: str, saw: str) -> None:
        lead = Text.assemble((f"  {status:<8}", _STYLES[status]), f"{name:<13}" if name else "")
        self._hang(lead, Text(visible(saw)))

    def _finding(self, name: str, found: Sequence[Found]) -> None:
        kind = KINDS[name]
        style = _STYLES[kind.severity]
        self._told((f"{kind.severity}: ", style), kind.means, (f"  [{name}]", "dim"))
        for one in found:
            if one.saw:
                self._told(("│ ", "dim"), visible(one.saw))
        self._told(kind.cause)
        self._told(("→ ", "dim"), kind.remedy)

    def _told(self, *parts: str | tuple[str, str]) -> None:
        self._hang(Text(" " * 10), Text.assemble(*parts))

    def _hang(self, lead: Text, text: Text) -> None:
        """A text behind a lead; where it has to be broken, what follows is indented as far."""
        if self._out.soft_wrap or not text:
            lead.append_text(text).rstrip()
            self._out.print(lead)
            return
        for line in text.wrap(self._out, max(20, self._out.width - len(lead))):
            line.rstrip()
            self._out.print(lead + line)
            lead = Text(" " * len(lead))

    def _exchange(self, exchange: Exchange) -> None:
        for mark, lines in (("> ", exchange.sent), ("< ", exchange.got)):
            for line in lines:
                self._out.print(Text(f"      {mark}{visible(line)}", "dim"), soft_wrap=True)
        self._out.print(Text(f"      {exchange.seconds * 1000:.1f} ms", "dim"))

    def _sum(self, report: Report) -> None:
        grades = Counter(one.severity for one in report.found)
        words = (("error", "error"), ("warning", "warning"), ("note", "note"))
        parts = [
            f"{grades[one]} {word}{'s' if grades[one] > 1 else ''}"
            for one, word in words
            if grades[one]
        ]
        counted = ", ".join(parts) or "nothing found"
        style = "bold red" if report.outcome in ("broken", "unreachable") else "bold"
        text = f"{_OUTCOMES[report.outcome]}: {counted}, in {report.seconds:.1f} s"
        self._out.print(Text(text[:1].upper() + text[1:], style))
