"""Where tests keep what they install, and how two workers do not install it twice.

Everything lands in ``.cache/`` of the working copy, named by a digest of what was asked for, so a
changed lock file gives a new folder and an unchanged one costs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache"


def prepared(name: str, inputs: Iterable[Path], make: Callable[[Path], None]) -> Path:
    """A folder that ``make`` has filled from the inputs, now or in an earlier run.

    Args:
        name: what the folder is called, before the digest.
        inputs: the files that decide what is in it.
        make: fills an empty folder; if it raises, the folder is not kept.
    """
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / ".ready").touch()
    return folder
