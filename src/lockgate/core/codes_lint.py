"""The part of the table of errors that is about looking at the source of servers; see `codes`.

Must not know: how any of it comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
LINT_COMMANDS: Final = (
    command(965, "lint-without-ruff", "environment",
            "ruff, which finds part of what is told of, is missing or too old.",
            "Install it: pip install 'lockgate[lint]', or ruff alone."),
    command(966, "lint-nothing", "client",
            "None of the files that were named makes a server or adds to one.",
            "Name the file or folder with the server; tests and environments are left out."),
    command(967, "lint-unreadable", "client",
            "What was to be looked at is not there.",
            "Name a file or a folder."),
)
# fmt: on
