"""What a check of the configuration says, and everything it can say.

Must not know: how anything is found, or how findings are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from lockgate.core.codes import CODES, FINDINGS

Severity = Literal["error", "warning", "info"]

KINDS: Final[Mapping[str, tuple[Severity, str]]] = {
    one.reason: (one.severity, one.meaning) for one in FINDINGS if one.severity is not None
}
"""Every kind of finding: its severity, and what it means. See `lockgate.core.codes`."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a check.

    id        the kind, a key of `KINDS`.
    summary   what is wrong, without secrets.
    file      the file it is in.
    line, column  counted from 1; None when the finding is about the file as a whole.
    remedy    what to do.
    """

    id: str
    severity: Severity
    summary: str
    file: str
    line: int | None = None
    column: int | None = None
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.summary}"

    @property
    def code(self) -> str:
        """The stable code of its kind."""
        return CODES[self.id]

    @property
    def place(self) -> str:
        """`file:line:column`, as editors and terminals make links of it."""
        if self.line is None:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class Findings(list[Finding]):
    """The findings of one file, as they are collected.

    misspelt  servers with a key nobody knows: that something is missing there needs no second word.
    incomplete  whether parts were left out because they do not fit: what names them may be fine.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.misspelt: set[str] = set()
        self.incomplete = False

    def add(self, kind: str, summary: str, remedy: str, at: tuple[int, int] | None = None) -> None:
        """Note one finding of a kind in `KINDS`, at (line, column)."""
        line, column = at or (None, None)
        self.append(
            Finding(
                id=kind,
                severity=KINDS[kind][0],
                summary=summary,
                file=str(self.file),
                line=line,
                column=column,
                remedy=remedy,
            )
        )

    @property
    def fatal(self) -> bool:
        """Whether any of them is an error."""
        return any(finding.severity == "error" for finding in self)

    def ordered(self) -> list[Finding]:
        """Errors first, and within a severity by position."""
        order = {"error": 0, "warning": 1, "info": 2}
        return sorted(self, key=lambda f: (order[f.severity], f.line or 0, f.column or 0))
