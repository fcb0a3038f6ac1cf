"""Starts and ends what is measured: the origin, nginx before it, and Lockgate before it.

Must not know: scenarios or figures.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Final

from bench.messages import SCENARIOS, WrongAnswer, sample

NAMES: Final = ("direct", "nginx", "lockgate")
_FOLDER: Final = Path(__file__).parent
_START_SECONDS: Final = 20.0
BUFFERS: Final = {
    "plain": "# nginx's own sizes",
    "tuned": "proxy_buffer_size 16k; proxy_buffers 16 32k; proxy_busy_buffers_size 256k;",
}


class CannotStart(Exception):
    """A target did not come up. The message says what it printed."""


@dataclass(frozen=True)
class Target:
    """Something that answers MCP requests on a port of loopback."""

    name: str
    port: int
    pid: int


def missing(names: tuple[str, ...]) -> list[str]:
    """What has to be installed before these targets can be measured, each with how."""
    needed = {"wrk": "apt-get install wrk (Debian, Ubuntu) or brew install wrk (macOS)"}
    if "nginx" in names:
        needed["nginx"] = "apt-get install nginx-light (Debian, Ubuntu) or brew install nginx"
    absent = [f"{tool} is not installed: {how}" for tool, how in needed.items() if not _which(tool)]
    if "lockgate" in names and lockgate() is None:
        absent.append("lockgate is not installed here: pip install -e .")
    return absent


def _which(tool: str) -> str | None:
    # Debian puts nginx where only root's PATH looks.
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/local/sbin")


def lockgate() -> str | None:
    """The command beside the running Python, or else on the PATH."""
    beside = Path(sys.executable).with_name("lockgate")
    return str(beside) if beside.exists() else shutil.which("lockgate")


@contextmanager
def running(names: tuple[str, ...], buffers: str = "plain") -> Iterator[list[Target]]:
    """All of `names`, up and answering; ended at the end. `buffers`: nginx's, see BUFFERS.

    Raises:
        CannotStart: one did not.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lockgate-bench-")))
        origin = stack.enter_context(_origin())
        targets: list[Target] = []
        for name in names:
            if name == "direct":
                targets.append(origin)
            elif name == "nginx":
                targets.append(stack.enter_context(_nginx(folder, origin.port, buffers)))
            else:
                targets.append(stack.enter_context(_lockgate(folder, origin.port)))
        yield targets


@contextmanager
def _origin() -> Iterator[Target]:
    command = [sys.executable, "-m", "bench.origin", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=_FOLDER.parent
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port.isdigit():
                raise CannotStart("the origin did not start")
            yield Target("direct", int(port), process.pid)
        finally:
            _end(process)


@contextmanager
def _nginx(folder: Path, origin: int, buffers: str) -> Iterator[Target]:
    port = _free_port()
    template = Template(_FOLDER.joinpath("nginx.conf").read_text())
    config = folder / "nginx.conf"
    config.write_text(
        template.substitute(port=port, origin=origin, folder=folder, buffers=BUFFERS[buffers])
    )
    command = [str(_which("nginx")), "-c", str(config), "-e", str(folder / "nginx.log")]
    with _proxy("nginx", command, port, folder) as target:
        yield target


@contextmanager
def _lockgate(folder: Path, origin: int) -> Iterator[Target]:
    port = _free_port()
    config = folder / "mcp.json"
    server = {"type": "http", "url": f"http://127.0.0.1:{origin}/mcp"}
    config.write_text(json.dumps({"mcpServers": {"origin": server}}))
    command = [str(lockgate()), "up", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with _proxy("lockgate", command, port, folder) as target:
        yield target


@contextmanager
def _proxy(name: str, command: list[str], port: int, folder: Path) -> Iterator[Target]:
    said = folder / f"{name}.out"
    with said.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(name, process, port, said)
        yield Target(name, port, process.pid)
    finally:
        _end(process)


def _wait(name: str, process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    """Until the first right answer."""
    started = time.monotonic()
    trouble = "nothing"
    while time.monotonic() - started < _START_SECONDS and process.poll() is None:
        try:
            sample(port, SCENARIOS[0], "modern", None, 1)
        except (OSError, WrongAnswer) as error:
            trouble = str(error)
            time.sleep(0.05)
        else:
            return
    output = said.read_text(errors="replace")[-2000:]
    ended = "" if process.poll() is None else f" (it exited with {process.returncode})"
    raise CannotStart(f"{name} gave no right answer{ended}; last: {trouble}\n{output}")


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
