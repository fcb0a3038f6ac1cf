"""Python programs that need other versions than this project's: each in an environment of its own.

``python -m tests.support.venvs`` makes them ahead of the tests.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from tests.support.caching import REPOSITORY, prepared

LISTED = REPOSITORY / "tests" / "interop" / "python"


@functools.cache
def python(name: str) -> Path:
    """The interpreter of an environment with what ``tests/interop/python/<name>.txt`` asks for."""
    listed = LISTED / f"{name}.txt"

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", str(folder))
        run(str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "-r", str(listed))

    return prepared(f"venv-{name}", [listed], install) / "bin" / "python"


def run(*command: str) -> None:
    """Run an installer; raises with the end of what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:4]} failed:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    for path in sorted(LISTED.glob("*.txt")):
        print(python(path.stem))
