"""Install the servers of the demo into `.demo/`, each group where its versions clash with nothing.

Must not know: how servers are started. Each group is installed once, and again when its list
changes. pip and npm run at the same time; each says when it has finished.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from demo.places import FILES, HANDSHAKE, LISTED, MODERN, NODE, PLACE
from demo.screen import Stopped, say, working

LONGEST = 300.0  # seconds for one installer
OLDEST_NODE = 18


def install() -> bool:
    """Install what is not there yet; returns whether the Node servers can run.

    Raises:
        Stopped: pip failed.
    """
    PLACE.mkdir(exist_ok=True)
    lists = LISTED / "python"
    with ThreadPoolExecutor() as pool, working("installing the servers into .demo/"):
        python = [
            pool.submit(_once, MODERN, lists / "modern.txt", _install_python),
            pool.submit(_once, HANDSHAKE, lists / "handshake.txt", _install_python),
        ]
        node = pool.submit(_node_servers)
        for job in python:
            job.result()
        return node.result()


def prepare_files() -> None:
    """A folder with a text and, where git is there, one commit: what the servers work on."""
    FILES.mkdir(exist_ok=True)
    (FILES / "lock.txt").write_text("Nothing passes that is not let through.\n", encoding="utf-8")
    (PLACE / "memory.jsonl").unlink(missing_ok=True)
    if (FILES / ".git").exists() or shutil.which("git") is None:
        return
    author = ("-c", "user.name=Lockgate demo", "-c", "user.email=demo@localhost")
    _run("git", "init", "--quiet", str(FILES))
    _run("git", "-C", str(FILES), "add", "lock.txt")
    commit = ("commit", "--quiet", "--no-gpg-sign", "--message", "Add the motto")
    _run("git", "-C", str(FILES), *author, *commit)


def _once(folder: Path, listed: Path, make: Callable[[Path, Path], None]) -> None:
    """Fill a folder from a list, unless it already was filled from this very list."""
    stamp = folder / ".installed"
    digest = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == f"{digest} {folder}":
        return
    shutil.rmtree(folder, ignore_errors=True)
    make(folder, listed)
    stamp.write_text(f"{digest} {folder}", encoding="ascii")
    say(f"installed {', '.join(_named(listed))}")


def _named(listed: Path) -> list[str]:
    """The packages a list names, without their versions."""
    text = listed.read_text(encoding="utf-8")
    if listed.suffix == ".json":
        return re.findall(r'"@[a-z]+/([a-z-]+)"', text)
    return re.findall(r"^([a-z-]+)==", text, re.MULTILINE)


def _install_python(folder: Path, listed: Path) -> None:
    # One pip serves every environment: making one per environment would cost seconds.
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"))
    quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-compile")
    _run(*pip, "install", *quiet, "-r", str(listed))


def _node_servers() -> bool:
    """Install the npm servers; without a usable Node, or when npm fails, say so and go on."""
    why = _no_node()
    if why is None:
        try:
            _once(NODE, LISTED / "node" / "package.json", _install_node)
        except Stopped as stopped:
            why = stopped.what
    if why is not None:
        say(f"running the Python servers only: {why}")
    return why is None


def _no_node() -> str | None:
    """Why the Node servers cannot run, if so."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not on this machine (Debian, Ubuntu: apt install nodejs npm)"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)", version.stdout)
    if found is None or int(found[1]) < OLDEST_NODE:
        return f"node {version.stdout.strip()} is too old, {OLDEST_NODE} or later is needed"
    return None


def _install_node(folder: Path, listed: Path) -> None:
    folder.mkdir(parents=True)
    shutil.copy(listed, folder)
    _run("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts")


def _run(*command: str) -> None:
    """Run an installer to its end.

    Raises:
        Stopped: it failed or took too long.
    """
    program = " ".join(Path(word).name for word in command[:3])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        raise Stopped(
            f"{program} did not finish in {LONGEST:g} seconds",
            "Is the network slow? Run make demo again: what was installed is kept.",
        ) from None
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise Stopped(
            f"{program} failed:\n{last}",
            "The demo needs a way to PyPI, or to your mirror of it. Then run make demo again.",
        )
