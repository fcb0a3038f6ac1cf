"""Projects of every kind, installed in fresh environments and run: minutes of work.

`make new-test` runs them. Everything comes from a wheel of this Lockgate, so what is missing in the
wheel is missing here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("copier")
pytest.importorskip("mcp")

import asyncio

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from lockgate.cli.main import COMMANDS
from lockgate.scaffold.engine import TEMPLATES
from tests.cli import program
from tests.scaffold.made import NAME, PACKAGE, takes_long
from tests.support import conformance
from tests.support.provider import provider

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = "Scripts" if sys.platform == "win32" else "bin"
ERAS = ("2026-07-28", "legacy")
# Installing counts, too, and machines have other work.
pytestmark = [takes_long, pytest.mark.timeout(600)]


class Made:
    """A project, and the environment that has what it asks for."""

    def __init__(self, template: str, folder: Path, python: Path) -> None:
        self.template = template
        self.folder = folder
        self.python = python

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env=bare(),
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


def bare() -> dict[str, str]:
    """The environment, without what would let a project see this repository."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def pip(python: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [*command, *arguments], env=bare(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment(folder: Path) -> Path:
    """A new environment with nothing in it; its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / BIN / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*build, str(REPOSITORY)], env=bare(), check=True)
    (found,) = folder.glob("lockgate-*.whl")
    return found


@pytest.fixture(scope="module")
def maker(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `lockgate` of an environment that has `lockgate[new]` from the wheel."""
    python = environment(tmp_path_factory.mktemp("maker"))
    pip(python, f"{wheel}[new]")
    return python.parent / "lockgate"


def grouped(*templates: str) -> list[Any]:
    """So that one worker makes a project, and has all its tests."""
    return [pytest.param(one, marks=pytest.mark.xdist_group(one)) for one in templates]


@pytest.fixture(scope="module", params=grouped(*TEMPLATES))
def made(
    request: pytest.FixtureRequest,
    wheel: Path,
    maker: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    new = [str(maker), "new", NAME, "--template", request.param, "--output", str(folder)]
    subprocess.run([*new, "--defaults"], env=bare(), check=True)
    python = environment(folder / "venv")
    listed = folder / NAME / "requirements-dev.txt"
    pip(python, "-r", str(listed), "--find-links", str(wheel.parent))
    return Made(request.param, folder / NAME, python)


@contextlib.contextmanager
def serving(made: Made, *arguments: str, **environ: str) -> Iterator[str]:
    """A process of the project, and the URL it listens at."""
    child = subprocess.Popen(
        [str(made.python), "-m", *arguments],
        cwd=made.folder,
        env={**bare(), **environ},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    try:
        for line in child.stderr:
            if found := re.search(r"listening at (http://\S+)", line):
                yield found[1]
                break
        else:
            raise AssertionError("it ended before it listened")
    finally:
        child.terminate()
        child.communicate(timeout=60)


def test_it_passes_its_own_tests(made: Made) -> None:
    done = made.run("-m", "pytest", "-q", "-ra")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_its_code_passes_its_own_rules(made: Made) -> None:
    done = made.run("-m", "ruff", "check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint_finds_nothing_in_it(made: Made) -> None:
    if "lint" not in COMMANDS:
        pytest.skip("this Lockgate has no `lint` yet")
    done = program.run("lint", "--notes", made.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing found" in done.stdout + done.stderr


@pytest.mark.parametrize("made", grouped("basic", "scraper", "rest"), indirect=True)
def test_check_finds_nothing_wrong_with_it(made: Made) -> None:
    if "URL" not in program.run("check", "--help").stdout:
        pytest.skip("this Lockgate checks no URLs yet")
    with serving(made, PACKAGE, "--port", "0") as url:
        done = program.run("check", "--json", "--fail-on", "warning", url)
    assert done.returncode == 0, done.stdout + done.stderr


# What any server has to do; the rest of the suite asks for tools of its own.
ANY_SERVER = {
    "2025-11-25": ["server-initialize", "ping", "tools-list", "resources-list", "prompts-list"],
    "2026-07-28": [
        "tools-list",
        "resources-list",
        "prompts-list",
        "caching",
        "http-header-validation",
    ],
}


@pytest.mark.conformance
@pytest.mark.parametrize("made", grouped("basic", "rest", "scraper"), indirect=True)
@pytest.mark.parametrize("revision", conformance.REVISIONS)
def test_it_does_what_the_official_suite_wants_of_any_server(
    made: Made, revision: str, tmp_path: Path
) -> None:
    with serving(made, PACKAGE, "--port", "0") as url:
        outcome = conformance.run_server(url, revision, tmp_path)
    # Pages become resources when they are scraped, so a scraper that just started has none.
    trouble = outcome.trouble(ANY_SERVER[revision])
    if made.template == "scraper":
        trouble = [one for one in trouble if "failed or returned no resources" not in one]
    assert trouble == []


@pytest.mark.parametrize("made", grouped("oauth"), indirect=True)
def test_a_resource_accepts_tokens_of_a_provider_nobody_here_wrote(made: Made) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    with provider(resources={url: {"ttl": 60}}, scopes=["notes:read", "notes:write"]) as issuer:
        environ = {"MY_SERVER_ISSUER_URL": issuer.issuer, "MY_SERVER_RESOURCE_URL": url}
        with serving(made, PACKAGE, "--port", str(port), **environ):
            both = issuer.client_credentials(url, "notes:read notes:write")["access_token"]
            less = issuer.client_credentials(url, "notes:read")["access_token"]
            for era in ERAS:
                assert asyncio.run(kept(url, both, era)) is True
                assert asyncio.run(found(url, less, era)) == []
            assert httpx2.post(url, json={}).status_code == 401


async def kept(url: str, token: str, era: str) -> bool:
    """Whether a note could be added and found again."""
    async with connected(url, token, era) as client:
        note = {"title": era, "text": "", "tags": []}
        await client.call_tool("add_note", {"note": note})
        result = await client.call_tool("search_notes", {"query": era})
        return bool((result.structured_content or {})["result"])


async def found(url: str, token: str, era: str) -> object:
    async with connected(url, token, era) as client:
        result = await client.call_tool("search_notes", {"query": "nothing has this"})
        return (result.structured_content or {})["result"]


@contextlib.asynccontextmanager
async def connected(url: str, token: str, era: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        yield client


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx here")
@pytest.mark.parametrize("made", grouped("basic"), indirect=True)
def test_progress_arrives_through_nginx_while_the_call_goes_on(made: Made, tmp_path: Path) -> None:
    """The snippet as it is, but for certificates, with the server behind it."""
    with serving(made, PACKAGE, "--port", "0", MY_SERVER_ALLOWED_HOSTS="mcp.example.com") as url:
        port = free_port()
        text = (made.folder / "deploy" / "nginx.conf").read_text("utf-8")
        text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{port};", text)
        text = re.sub(r"\n *ssl_certificate.*", "", text)
        text = text.replace("127.0.0.1:8000", url.split("/")[2])
        whole = tmp_path / "nginx.conf"
        whole.write_text(
            f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors;\n"
            f"events {{}}\nhttp {{ access_log off;\n{text}\n}}\n"
        )
        check = ["nginx", "-t", "-q", "-c", str(whole)]
        subprocess.run(check, check=True, capture_output=True, text=True)
        child = subprocess.Popen(["nginx", "-c", str(whole)])
        try:
            through = f"http://127.0.0.1:{port}/mcp"
            wait_for(through)
            for era in ERAS:
                assert asyncio.run(steps(through, era)) == [1, 2]
        finally:
            child.terminate()
            child.wait(timeout=60)


def wait_for(url: str) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(url.replace("/mcp", "/health"))
            return
    raise AssertionError("nginx does not listen")


async def steps(url: str, era: str) -> list[float]:
    seen: list[float] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    headers = {"Host": "mcp.example.com"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        Client(streamable_http_client(url, http_client=http), mode=era) as client,
    ):
        notes = [{"title": "a", "text": "", "tags": []}] * 2
        await client.call_tool("import_notes", {"notes": notes}, progress_callback=report)
    return seen
