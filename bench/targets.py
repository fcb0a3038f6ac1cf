"""Starts and ends what is measured: the origin, nginx before it, and Lockgate before it.

Must not know: scenarios or figures.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.cells import Behind, Cell, Era
from bench.issuer import Issuer, serving, settings
from bench.messages import SCENARIOS, WrongAnswer, sample

NAMES: Final = ("direct", "nginx", "lockgate")
UNREAD: Final[dict[str, Any]] = {
    "results": {"secrets": "off", "characters": "off", "injection": "off"},
    "secrets": "off",
    "questions": {"secrets": "off", "pages": "off"},
}
"""The guard's settings of a gateway that looks into no content."""
UNGUARDED: Final[dict[str, Any]] = {
    "pins": "off",
    "guard": {
        "arguments": {"mode": "off", "urls": "any"},
        "outputs": {"mode": "off"},
        "definitions": {"block": "off", "review": "off"},
        **UNREAD,
    },
}
"""The settings of a gateway that stands no guard."""
_FOLDER: Final = Path(__file__).parent
_START_SECONDS: Final = 20.0
_SLOWER: Final = 60  # times, under a program that watches what is run
BUFFERS: Final = {
    "plain": "# nginx's own sizes",
    "tuned": "proxy_buffer_size 16k; proxy_buffers 16 32k; proxy_busy_buffers_size 256k;",
}


class CannotStart(Exception):
    """A target did not come up. The message says what it printed."""


@dataclass(frozen=True)
class Place:
    """Where one process answers MCP requests on loopback."""

    port: int
    pid: int


@dataclass(frozen=True)
class Target:
    """What is measured under one name.

    places  by what is behind it, or before it; see `Cell.behind`.
    token   what callers with a token send.
    """

    name: str
    places: Mapping[Behind, Place]
    token: str

    def place(self, cell: Cell) -> Place:
        """Where requests of this cell go; only Lockgate has places of its own."""
        return self.places.get(cell.behind) or self.places[None]


def missing(names: Sequence[str]) -> list[str]:
    """What has to be installed before these targets can be measured, each with how."""
    needed = {"wrk": "apt-get install wrk (Debian, Ubuntu) or brew install wrk (macOS)"}
    if "nginx" in names:
        needed["nginx"] = "apt-get install nginx-light (Debian, Ubuntu) or brew install nginx"
    absent = [f"{tool} is not installed: {how}" for tool, how in needed.items() if not _which(tool)]
    if "lockgate" in names and find_spec("lockgate") is None:
        absent.append("lockgate is not installed here: pip install -e .")
    return absent


def _which(tool: str) -> str | None:
    # Debian puts nginx where only root's PATH looks.
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/local/sbin")


def environment(python: str) -> dict[str, str]:
    """Variables that let another Python use the packages installed for this one."""
    found = find_spec("lockgate")
    own = [str(Path(found.origin).parents[1])] if found is not None and found.origin else []
    own.append(str(_FOLDER.parent))
    paths = [*own, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    if python == sys.executable:
        paths = own
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}


@contextmanager
def running(
    names: Sequence[str], cells: Sequence[Cell], pythons: Sequence[str], buffers: str = "plain"
) -> Iterator[list[Target]]:
    """All of `names`, up and answering; ended at the end.

    Lockgate runs once for each of `pythons`; the first is named `lockgate`, others `lockgate 2`.
    `buffers`: nginx's, see BUFFERS.

    Raises:
        CannotStart: one did not.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lockgate-bench-")))
        both = stack.enter_context(origin("bench.origin"))
        origins: dict[Behind, Place] = {None: both}
        issuer = Issuer()
        token = issuer.token()
        if "lockgate" in names:
            wanted: set[Era] = {cell.server for cell in cells if cell.server is not None}
            for era in wanted:
                origins[era] = stack.enter_context(origin("bench.origin", era))
            if any(cell.token for cell in cells):
                origins["token"] = both
            if any(not cell.guard for cell in cells):
                origins["unguarded"] = both
        keys = stack.enter_context(serving(issuer))
        told: dict[Behind, dict[str, Any]] = {"token": settings(keys), "unguarded": UNGUARDED}
        targets: list[Target] = []
        for name in names:
            if name == "direct":
                targets.append(Target(name, {None: both}, token))
            elif name == "nginx":
                place = stack.enter_context(_nginx(folder, both.port, buffers))
                targets.append(Target(name, {None: place}, token))
            else:
                for number, python in enumerate(pythons, 1):
                    called = name if number == 1 else f"{name} {number}"
                    places: dict[Behind, Place] = {
                        behind: stack.enter_context(
                            gateway(
                                folder,
                                f"{called}-{behind}",
                                {"origin": one.port},
                                python,
                                settings=told.get(behind),
                                token=token if behind == "token" else None,
                            )
                        )
                        for behind, one in origins.items()
                    }
                    targets.append(Target(called, places, token))
        yield targets


@contextmanager
def origin(module: str, *arguments: str) -> Iterator[Place]:
    """A server of this folder, on a port it chose.

    Raises:
        CannotStart: it did not say which.
    """
    command = [sys.executable, "-m", module, "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=_FOLDER.parent
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port.isdigit():
                raise CannotStart(f"{module} did not start")
            yield Place(int(port), process.pid)
        finally:
            _end(process)


@contextmanager
def _nginx(folder: Path, origin: int, buffers: str) -> Iterator[Place]:
    port = _free_port()
    template = Template(_FOLDER.joinpath("nginx.conf").read_text())
    config = folder / "nginx.conf"
    config.write_text(
        template.substitute(port=port, origin=origin, folder=folder, buffers=BUFFERS[buffers])
    )
    command = [str(_which("nginx")), "-c", str(config), "-e", str(folder / "nginx.log")]
    with _proxy("nginx", command, port, folder, dict(os.environ)) as place:
        yield place


@contextmanager
def gateway(
    folder: Path,
    name: str,
    servers: Mapping[str, int],
    python: str = sys.executable,
    *,
    module: str = "lockgate.cli.main",
    settings: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
    token: str | None = None,
    prefix: Sequence[str] = (),
) -> Iterator[Place]:
    """Lockgate in front of servers on these ports, up and answering.

    Args:
        folder: where its configuration and what it prints go.
        name: tells those files apart.
        servers: name and port of each server.
        python: what runs it.
        module: the program; takes the arguments of `lockgate`.
        settings: the key `lockgate` of its configuration.
        limits: those of each server.
        variables: of its environment, beside our own.
        token: what its callers send, if it asks for one.
        prefix: a program that runs it, and so may take its time.

    Raises:
        CannotStart: it did not.
    """
    port = _free_port()
    # A folder of its own: what was approved of servers is remembered beside the configuration.
    config = folder / f"{name}-lockgate" / "mcp.json"
    config.parent.mkdir(exist_ok=True)
    written: dict[str, Any] = {
        "mcpServers": {
            server: {
                "type": "http",
                "url": f"http://127.0.0.1:{number}/mcp",
                **({"limits": limits} if limits else {}),
            }
            for server, number in servers.items()
        }
    }
    if settings:
        written["lockgate"] = settings
    config.write_text(json.dumps(written))
    command = [*prefix, python, "-m", module, "up", str(config)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    known = {**environment(python), **(variables or {})}
    patience = _START_SECONDS * (_SLOWER if prefix else 1)
    with _proxy(name, command, port, folder, known, token, patience) as place:
        yield place


@contextmanager
def _proxy(
    name: str,
    command: list[str],
    port: int,
    folder: Path,
    variables: dict[str, str],
    token: str | None = None,
    patience: float = _START_SECONDS,
) -> Iterator[Place]:
    said = folder / f"{name}.out"
    with said.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=variables)
    try:
        _wait(name, process, port, said, token, patience)
        yield Place(port, process.pid)
    finally:
        _end(process)


def _wait(
    name: str,
    process: subprocess.Popen[bytes],
    port: int,
    said: Path,
    token: str | None,
    patience: float,
) -> None:
    """Until the first right answer."""
    started = time.monotonic()
    trouble = "nothing"
    while time.monotonic() - started < patience and process.poll() is None:
        try:
            sample(port, SCENARIOS[0], "modern", None, 1, token)
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
