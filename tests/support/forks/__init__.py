"""Python programs started a hundred times over, from a process that has imported their modules.

Must not know: the programs. `forked` gives the command to use in the place of one like
``python -m module`` or ``python -c code``. What it starts is a process with the same arguments,
environment, working directory, files and end as the program itself; only that its modules are there
already, which is most of what such programs do before they do anything.

For programs that come and go by the dozen. How a program starts is tested without this.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
POSSIBLE = sys.platform == "linux"


def forked(command: Sequence[str], *warm: str) -> list[str]:
    """The command that forks this one off; `warm`: the modules to have at hand."""
    if not POSSIBLE:
        return list(command)
    return [
        sys.executable,
        "-I",
        "-S",
        str(HERE / "one.py"),
        _forker(command[0], warm),
        *command[1:],
    ]


@cache
def _forker(python: str, warm: tuple[str, ...]) -> str:
    """The socket of the process that has these modules; it ends when this one does."""
    folder = tempfile.TemporaryDirectory(prefix="forks-")
    address = os.path.join(folder.name, "s")  # noqa: PTH118 - an address, and as short as can be
    child = subprocess.Popen[bytes](
        [python, str(HERE / "many.py"), address, *warm],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=HERE.parents[2],
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "src")},
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    ends = child.stdin

    def end() -> None:
        ends.close()
        child.wait(10)
        folder.cleanup()

    atexit.register(end)
    if child.stdout.readline() != b"ready\n":
        raise RuntimeError(f"nothing to fork {warm} from")
    child.stdout.close()
    return address
