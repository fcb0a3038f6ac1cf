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
CACHE = ROOT / "build" / "native-mypy"
STAMP = "lockgate-native.stamp"
LEVEL = "1"
"""Of the C compiler's optimisation. Each one above takes about twice as long."""


class CannotCompile(Exception):
    """There is nothing here to compile with; the message says what is missing."""


def main() -> int:
    """Bring build/native up to date, or see (`--check`) whether it could be: the exit code."""
    asked = "".join(sys.argv[1:])
    if asked in _INSIDE:
        _INSIDE[asked]()
        return 0
    try:
        print(checked() if asked == "--check" else built())
    except CannotCompile as why:
        _forget(asked)
        print(f"native: {why}; Lockgate runs as pure Python, which does the same, a little slower")
    except subprocess.CalledProcessError as error:
        _forget(asked)
        print(f"native: it cannot be compiled:\n{error.output}", file=sys.stderr)
        return 1
    return 0


def _forget(asked: str) -> None:
    """What was compiled before is not what the sources say now."""
    if asked != "--check":
        shutil.rmtree(BUILT, ignore_errors=True)


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
    _run("compile", BUILT)
    stamp.write_text(digest)
    return f"native: done in {time.monotonic() - started:.0f} s"


def checked() -> str:
    """See whether mypyc can translate the sources, and compile nothing. Raises as `built`."""
    _check_tools()
    _run("translate", SOURCE.parent)
    return f"native: {len(modules())} modules can be compiled"


def _run(step: str, folder: Path) -> None:
    command = [sys.executable, str(Path(__file__).resolve()), step]
    subprocess.run(
        command, cwd=folder, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


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
    made = _translate("../native-c")
    distribution = setuptools.Distribution({"name": "lockgate", "ext_modules": made})
    distribution.verbose = 0
    build = distribution.get_command_obj("build_ext")
    build.inplace = True
    build.build_temp = "../native-c"
    build.build_lib = "../native-c/lib"
    build.ensure_finalized()
    build.run()


def _translate_only() -> None:
    with tempfile.TemporaryDirectory() as folder:
        _translate(folder)


def _translate(target: str) -> Any:
    """Translate what stands in the working directory to C, in `target`."""
    mypycify: Any = import_module("mypyc.build").mypycify
    paths = [f"{name.replace('.', '/')}.py" for name in modules()]
    with tempfile.TemporaryDirectory() as empty:
        settings = Path(empty, "mypy.ini")
        settings.write_text("[mypy]\n")
        options = [
            f"--config-file={settings}",
            f"--python-executable={sys.executable}",
            f"--cache-dir={CACHE}",
            "--follow-imports=silent",
            "--ignore-missing-imports",
        ]
        return mypycify(
            [*options, *paths],
            opt_level=LEVEL,
            debug_level="0",
            multi_file=True,
            group_name="lockgate",
            target_dir=target,
        )


# What this program does when it calls itself, in the folder that holds the sources.
_INSIDE = {"compile": _compile, "translate": _translate_only}


if __name__ == "__main__":
    sys.exit(main())
