"""A diagnosis as a file that can be sent along with a bug report: everything seen, no secret.

Must not know: what was looked at. What it is given has been blackened piece by piece as it came in
(`lockgate.doctor.blacken`); here all of it goes through the same nets once more, with everything
that was learned on the way.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lockgate import __version__, build
from lockgate.config.secrets import masked_args
from lockgate.doctor.blacken import Blackener
from lockgate.doctor.report import Report
from lockgate.doctor.visit import StdioSubject, Subject
from lockgate.errors import LockgateError

FORMAT = 1


def bundle(reports: Sequence[tuple[Subject, Report]], black: Blackener) -> dict[str, Any]:
    """Everything, as values of JSON."""
    whole = {
        "format": FORMAT,
        "lockgate": __version__,
        "build": build.kind(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "servers": [
            {**report.plain(exchanges=True), "how": _how(subject)} for subject, report in reports
        ],
    }
    found: dict[str, Any] = black.value(whole)
    return found


def _how(subject: Subject) -> dict[str, Any]:
    """How the server is reached or started, without values that may be secrets."""
    if isinstance(subject, StdioSubject):
        spec = subject.spec
        return {
            "command": spec.command,
            "args": masked_args(spec.args),
            "env": sorted(spec.env),
            "sandbox": subject.sandbox,
        }
    return {"url": subject.url, "headers": sorted(name for name, _ in subject.headers)}


def reserve(path: Path) -> None:
    """Make the file, empty and for its owner alone, before anything is done for it.

    Raises:
        LockgateError: it exists, or cannot be made.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise LockgateError(
            f"{path} exists already.", "Name a new file.", reason="output-unwritable"
        ) from None
    except OSError as error:
        raise LockgateError(
            f"{path} cannot be written: {error.strerror}.",
            "Name a file in a folder you may write to.",
            reason="output-unwritable",
        ) from error


def write(path: Path, whole: dict[str, Any]) -> None:
    """Fill the file."""
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
