"""Starts servers and the gateway as processes on loopback, and ends them, each by its own id."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.support import venvs
from tests.support.caching import REPOSITORY

FIXTURES = {"everything": "tests.fixtures.everything", "second": "tests.fixtures.second"}
LOCKGATE = [sys.executable, "-c", "from lockgate.cli.main import main; main()"]
FORKED = "LOCKGATE_TESTS_GATEWAY"
"""An environment variable: the command, as JSON, that starts the program in the place of that."""
PATIENCE = 100.0
UNASSIGNED = range(15_000, 32_000)
"""Below the ports that Linux, macOS and Windows give to whoever asks for any."""


class NotStartedError(Exception):
    """A process ended or stayed silent before it was ready."""


def fixture_command(name: str, *arguments: str) -> list[str]:
    """The command line of a fixture server; `old_` and `new_` ones know a single era."""
    if name.startswith("old_"):
        return [str(venvs.python("mcp1")), "-m", f"tests.fixtures.{name}", *arguments]
    if name.startswith("new_"):
        alone = name.removeprefix("new_")
        return [sys.executable, "-m", "tests.fixtures.new_only", alone, *arguments]
    return [sys.executable, "-m", FIXTURES[name], *arguments]


@contextlib.contextmanager
def process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A child in its own process group, ended with SIGTERM and, if it lingers, SIGKILL."""
    child = subprocess.Popen[bytes](command, cwd=REPOSITORY, start_new_session=True, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(timeout=60)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def fixture_server(name: str, *arguments: str, over: str = "http") -> Iterator[str]:
    """A fixture server over HTTP, or `sse`, which only old ones have; gives its URL."""
    with served(fixture_command(name, f"--{over}", "--with-parent", *arguments)) as url:
        yield url


@contextlib.contextmanager
def protected_server(issuer: str, *scopes: str, slash: bool = False) -> Iterator[str]:
    """A server that wants tokens of this issuer, with these scopes; gives its URL.

    ``slash``: it writes a slash behind the issuer, as older versions of the SDK do.
    """
    asked = [*(f"--scope={one}" for one in scopes), *(["--slash"] if slash else [])]
    command = [sys.executable, "-m", "tests.fixtures.protected", "--issuer", issuer, *asked]
    with served(command) as url:
        yield url


@contextlib.contextmanager
def served(command: list[str]) -> Iterator[str]:
    """A server whose first line says where it is; it ends with its standard input."""
    with (
        tempfile.TemporaryFile() as errors,
        process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors) as child,
    ):
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line:
            errors.seek(0)
            raise NotStartedError(
                f"{' '.join(command[1:3])} did not start:\n{errors.read().decode()[-3000:]}"
            )
        yield json.loads(line)["url"]


def free_port() -> int:
    """A loopback port nobody listens on, of those that no system hands out by itself.

    So nobody is given it before whoever asked takes it, as would happen with port 0 now and then.
    """
    while True:
        port = secrets.choice(UNASSIGNED)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A loopback port that refuses connections for as long as this lasts: it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def await_listening(port: int) -> None:
    """Wait until something accepts connections on the loopback port."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends:
                raise NotStartedError(f"nothing listens on port {port}") from None
            time.sleep(0.05)
        else:
            return


def config_of(servers: dict[str, Any], folder: Path, **settings: Any) -> Path:
    """Write a configuration file: the servers, and Lockgate's own settings beside them.

    Nobody waits at the end for calls that a test has left behind, unless it says so.
    """
    path = folder / "mcp.json"
    whole = {"mcpServers": servers, "lockgate": {"shutdown_grace": 0, **settings}}
    path.write_text(json.dumps(whole, indent=2))
    return path


@contextlib.contextmanager
def gateway(
    config: Path,
    *arguments: str,
    port: int | None = None,
    log: Path | None = None,
    patience: float = PATIENCE,
) -> Iterator[str]:
    """``lockgate up`` in front of the configured servers; gives the URL of its endpoint.

    What it says goes into ``log``, if that is given; many servers want more ``patience``.
    """
    port = port or free_port()
    program = json.loads(os.environ.get(FORKED, "null")) or LOCKGATE
    command = [*program, "up", str(config), "--port", str(port)]
    with (
        log.open("w+b") if log is not None else tempfile.TemporaryFile() as said,
        process([*command, *arguments], stdout=said, stderr=said, env=plain_environment()) as child,
    ):
        try:
            await_ready(child, f"http://127.0.0.1:{port}/ready", patience)
        except NotStartedError as problem:
            said.seek(0)
            raise NotStartedError(f"{problem}\n{said.read().decode()[-4000:]}") from None
        yield f"http://127.0.0.1:{port}/mcp"


def plain_environment() -> dict[str, str]:
    """This environment without colours, and with the working copy's sources."""
    return {
        **os.environ,
        "NO_COLOR": "1",
        "PYTHONPATH": os.environ.get("PYTHONPATH", str(REPOSITORY / "src")),
    }


def await_ready(child: subprocess.Popen[bytes], url: str, patience: float = PATIENCE) -> None:
    """Poll until the address answers 200; raises when the process ends or time is up."""
    ends = time.monotonic() + patience
    last = "no answer"
    while time.monotonic() < ends:
        if child.poll() is not None:
            raise NotStartedError(f"lockgate ended with {child.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # loopback only
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as refusal:
            last = f"{refusal.code} {refusal.read()[:500]!r}"
        except OSError as problem:
            last = str(problem)
        time.sleep(0.05)
    raise NotStartedError(f"not ready within {patience:g} s: {last}")
