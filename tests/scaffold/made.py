"""Projects for tests, made once in a run of the tests and copied for those that change them.

Must not know: what is tested of them.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lockgate.scaffold.project import create

NAME = "my-server"
PACKAGE = "my_server"
takes_long = pytest.mark.skipif(
    "LOCKGATE_TESTS_PROJECTS" not in os.environ, reason="one of those that `make new-test` runs"
)
_folder = tempfile.TemporaryDirectory(prefix="lockgate-projects-")


@functools.cache
def project(template: str) -> Path:
    """A project as `lockgate new` makes it; not to be changed."""
    folder = Path(_folder.name) / template / NAME
    create(folder, {"name": NAME, "template": template}, ask=False)
    return folder


def committed(folder: Path, template: str = "basic") -> Path:
    """A project of one's own, in a git repository."""
    mine = folder / NAME
    shutil.copytree(project(template), mine)
    git(mine, "init", "--quiet")
    commit(mine, "made")
    return mine


def commit(folder: Path, message: str) -> None:
    """Commit everything that is there."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", message)


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
