"""What a check of the configuration says, and everything it can say.

Must not know: how anything is found, or how findings are shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import msgspec

Severity = Literal["error", "warning", "info"]

KINDS: Final[dict[str, tuple[Severity, str]]] = {
    "file-unreadable": ("error", "The file is missing, is no text, or may not be read."),
    "syntax": ("error", "The file is no JSON or YAML; the position is where reading stopped."),
    "duplicate-key": ("error", "A key stands twice in one object, so one of them is ignored."),
    "no-servers": ("error", "The file has neither `mcpServers` nor `servers`."),
    "empty": ("warning", "No server is enabled; the endpoint will offer nothing."),
    "unknown-key": ("error", "No client and no setting is known by this key; often a typing slip."),
    "invalid-value": ("error", "A value has the wrong type or is out of bounds."),
    "server-shape": ("error", "A server needs either `command` or `url`, and keys that fit it."),
    "server-name": ("error", "A server's name is empty, too long, or spells like another's."),
    "variable-missing": ("error", "A `${VAR}` has no value in the environment and no default."),
    "input-variable": ("error", "`${input:…}` asks a person in VS Code; nobody is asked here."),
    "variable-unknown": ("warning", "A `${…}` of a form that is not expanded; it is left as is."),
    "path-missing": ("error", "A directory or file the configuration names does not exist."),
    "command-missing": ("warning", "The program to start is not found, or may not be executed."),
    "shell": ("warning", "The program is a shell, which runs whatever its arguments expand to."),
    "inline-code": ("warning", "An interpreter gets its program as text among its arguments."),
    "unpinned-package": ("info", "The newest version of a package is downloaded and run."),
    "unsafe-env": ("error", "A variable would change what code the child runs."),
    "cleartext": ("warning", "Headers travel unencrypted to another machine."),
    "readable-secret": (
        "warning",
        "The file holds a secret and others on this machine can read it.",
    ),
    "wide-bind": ("warning", "`host` is not loopback; `up` refuses it without authentication."),
    "client-key": ("info", "A key of an MCP client that means nothing to a gateway; ignored."),
    "milliseconds": ("info", "A `timeout` of 1000 or more is taken as milliseconds."),
}
"""Every kind of finding: its severity, and what it means. The documentation prints this table."""


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
    def place(self) -> str:
        """`file:line:column`, as editors and terminals make links of it."""
        if self.line is None:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


class Findings(list[Finding]):
    """The findings of one file, as they are collected.

    misspelt  servers with a key nobody knows: that something is missing there needs no second word.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.misspelt: set[str] = set()

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
