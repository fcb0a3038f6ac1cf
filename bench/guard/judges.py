"""Who judges: Lockgate, the naive list, and published rule sets in environments of their own.

Must not know: what is measured. A rule set that cannot be had is a judge that says why.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any, Final

from bench.guard.corpora import text_of
from lockgate.guard.scan import scan

Grade = int
"""0: nothing; 1: a person should look; 2: refused."""

_GRADES: Final = {"none": 0, "review": 1, "block": 2}
_WORKERS: Final = Path(__file__).parent / "workers"
_PATIENCE: Final = 3600.0


@dataclass(frozen=True)
class Judged:
    """The grades of some definitions, and the milliseconds each took."""

    grades: list[Grade]
    ms: float


class Unavailable(Exception):
    """A judge cannot be had here; the message says why."""


def lockgate(tools: Sequence[dict[str, Any]]) -> Judged:
    """What `lockgate scan` says."""
    began = process_time()
    grades = [_GRADES[scan(tool).severity] for tool in tools]
    return _judged(grades, began)


_NAIVE: Final = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"ignore previous",
        r"before using this",
        r"first call",
        r"send.*to.*external",
        r"override.*instruction",
    )
]


def naive(tools: Sequence[dict[str, Any]]) -> Judged:
    """The list people start with: five patterns, one grade."""
    began = process_time()
    grades = [2 * any(one.search(text_of(tool)) for one in _NAIVE) for tool in tools]
    return _judged(grades, began)


def _judged(grades: list[Grade], began: float) -> Judged:
    return Judged(grades, (process_time() - began) * 1000 / max(1, len(grades)))


@dataclass(frozen=True)
class Published:
    """A rule set of others, from PyPI, run by a program of ours in an environment of its own.

    packages  what is installed.
    unpacked  a package whose files are read and whose code is not run; it is not installed.
    every     only each n-th definition is judged when there are many: it is that slow.
    """

    name: str
    packages: tuple[str, ...]
    worker: str
    unpacked: str = ""
    every: int = 1

    def prepare(self, folder: Path) -> Path:
        """The environment; what is there already is used again.

        Raises:
            Unavailable: it cannot be installed.
        """
        place = folder / self.name
        done = place / "ready"
        if done.exists():
            return place
        try:
            venv.create(place, with_pip=True, clear=True)
            _run([str(_python(place)), "-m", "pip", "install", "-q", *self.packages])
            if self.unpacked:
                _run([str(_python(place)), *_DOWNLOAD, str(place), self.unpacked])
                with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
                    wheel.extractall(place / "unpacked")
        except (OSError, subprocess.SubprocessError, StopIteration) as error:
            raise Unavailable(f"{', '.join(self.packages)}: {_why(error)}") from error
        done.touch()
        return place

    def judge(self, place: Path, tools: Sequence[dict[str, Any]]) -> Judged:
        """What its rules say of these definitions.

        Raises:
            Unavailable: its program does not run.
        """
        asked = "".join(json.dumps({"text": text_of(tool), **tool}) + "\n" for tool in tools)
        try:
            done = subprocess.run(
                [_python(place), _WORKERS / self.worker, place / "unpacked"],
                input=asked,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=True,
            )
            answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
            raise Unavailable(_why(error)) from error
        return Judged(answer["grades"], answer["seconds"] * 1000 / max(1, len(tools)))


PUBLISHED: Final = (
    Published(
        "cisco-yara", ("yara-python==4.5.4",), "yara_rules.py", "cisco-ai-mcp-scanner==4.8.7"
    ),
    Published("atr", ("pyatr==0.3.1",), "atr_rules.py", every=30),
)


_DOWNLOAD: Final = ("-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d")


def _python(place: Path) -> Path:
    folder = "Scripts" if sys.platform == "win32" else "bin"
    return place / folder / "python"


def _run(command: list[str]) -> None:
    subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError) and error.stderr:
        return str(error.stderr).strip().splitlines()[-1][:200]
    return f"{type(error).__name__}: {error}"[:200]
