"""Compiles the path of a call: `python scripts/native.py` puts a compiled Lockgate in build/native.

Must not know: what the modules do. Which they are stands in pyproject.toml, `tool.lockgate`; why
they are compiled, and what that changes, in docs/why/compiled-hot-path.md.

What is compiled is a copy. The sources stay as they are, so nothing that is edited there is ever
hidden by a compiled module made before the edit; `PYTHONPATH=build/native` runs the copy. Where
nothing can be compiled, this says so in one line and succeeds: pure Python does all of it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "lockgate"
BUILT = ROOT / "build" / "native"
STAMP = "lockgate-native.stamp"
LEVEL = "1"
"""Of the C compiler's optimisation. 3 takes four times as long and makes nothing faster."""


class CannotCompile(Exception):
    """There is nothing here to compile with; the message says what is missing."""


def main() -> int:
    """Bring build/native up to date; returns the exit code."""
    if sys.argv[1:] == ["--inside"]:
        _compile()
        return 0
    try:
        print(built())
    except CannotCompile as why:
        shutil.rmtree(BUILT, ignore_errors=True)
        print(f"native: {why}; Lockgate runs as pure Python, which does the same, a little slower")
    except subprocess.CalledProcessError as error:
        print(f"native: the compiler failed:\n{error.output}", file=sys.stderr)
        return 1
    return 0


def modules() -> list[str]:
    """The compiled modules, as `lockgate.core.chain`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders: dict[str, list[str]] = project["tool"]["lockgate"]["compiled"]
    return [f"lockgate.{folder}.{name}" for folder, names in folders.items() for name in names]


def built() -> str:
    """Bring build/native up to date; what was done, in one line.

    Raises:
        CannotCompile: this machine lacks what it takes.
        subprocess.CalledProcessError: it failed; `output` says how.
    """
    _check_tools()
    digest = _digest()
    stamp = BUILT / STAMP
    if stamp.is_file() and stamp.read_text() == digest:
        return "native: up to date"
    print(f"native: compiling {len(modules())} modules, which takes a minute or two", flush=True)
    started = time.monotonic()
    stamp.unlink(missing_ok=True)
    _copy()
    command = [sys.executable, str(Path(__file__).resolve()), "--inside"]
    subprocess.run(
        command, cwd=BUILT, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    stamp.write_text(digest)
    return f"native: done in {time.monotonic() - started:.0f} s"


def extensions() -> list[Path]:
    """The compiled files in build/native, relative to it."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return sorted(path.relative_to(BUILT) for path in BUILT.rglob(f"*{suffix}"))


def _check_tools() -> None:
    if sys.platform == "win32":
        raise CannotCompile("compiling is not supported on Windows")
    if find_spec("mypyc") is None or find_spec("setuptools") is None:
        raise CannotCompile("mypy is not installed here")
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        raise CannotCompile(f"there is no C compiler ({compiler})")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise CannotCompile("the headers of this Python are not installed")


def _digest() -> str:
    """Of everything that decides the outcome."""
    said = hashlib.sha256(f"{sys.version} {LEVEL} {modules()}".encode())
    said.update(str(import_module("mypy.version").__version__).encode())
    for path in sorted(SOURCE.rglob("*.py")):
        said.update(str(path.relative_to(SOURCE)).encode() + b"\0" + path.read_bytes())
    return said.hexdigest()


def _copy() -> None:
    """The package as it is now. What is older than its compiled module is not compiled again."""
    target = BUILT / "lockgate"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SOURCE, target, ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.pyd"))


def _compile() -> None:
    """Compile what stands in the working directory, in place."""
    setuptools: Any = import_module("setuptools")
    mypycify: Any = import_module("mypyc.build").mypycify
    paths = [f"{name.replace('.', '/')}.py" for name in modules()]
    with tempfile.TemporaryDirectory() as empty:
        settings = Path(empty, "mypy.ini")
        settings.write_text("[mypy]\n")
        options = [
            f"--config-file={settings}",
            f"--python-executable={sys.executable}",
            "--follow-imports=silent",
            "--ignore-missing-imports",
        ]
        made = mypycify(
            [*options, *paths],
            opt_level=LEVEL,
            debug_level="0",
            multi_file=True,
            group_name="lockgate",
            target_dir="../native-c",
        )
    distribution = setuptools.Distribution({"name": "lockgate", "ext_modules": made})
    distribution.verbose = 0
    build = distribution.get_command_obj("build_ext")
    build.inplace = True
    build.build_temp = "../native-c"
    build.build_lib = "../native-c/lib"
    build.ensure_finalized()
    build.run()


if __name__ == "__main__":
    sys.exit(main())
