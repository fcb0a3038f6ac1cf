"""Makes a project where there was none.

Must not know: terminals, and how a project is updated later.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate import __version__
from lockgate.errors import LockgateError
from lockgate.scaffold import engine, kept


def create(folder: Path, answers: Mapping[str, Any], *, ask: bool) -> list[str]:
    """Make a project; nothing that is there is ever overwritten.

    Args:
        folder: the project's own folder.
        answers: its `name`, and what else is known.
        ask: whether to ask the rest on the terminal.

    Returns:
        The files that were written, by their paths in the folder.

    Raises:
        LockgateError: something is there already, or the folder cannot be written.
        KeyboardInterrupt: whoever was asked has gone; nothing was written.
    """
    refuse_what_is_there(folder)
    known = {**answers, "generation": 1, "made_with": __version__}
    try:
        engine.render(folder, known, ask=ask)
        written = sorted(kept.contents(folder))
        kept.keep(folder, folder)
    except OSError as error:
        raise LockgateError(
            f"{folder} cannot be written: {error.strerror}.",
            "Name another folder with --output, or make room in this one.",
            reason="output-unwritable",
        ) from error
    return written


def refuse_what_is_there(folder: Path) -> None:
    """Raises LockgateError if there is anything that could be lost."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise LockgateError(
            f"{folder} is there already, and was left as it is.",
            "Choose another name or --output. An existing project is brought up to date with "
            "`lockgate new --update`.",
            reason="output-exists",
        )
