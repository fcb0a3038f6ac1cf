"""Endpoints to hold to the suite: the fixture itself, and the gateway in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import running
from tests.support.forks import forked

WARM = ("tests.fixtures.everything", "tests.fixtures.second")
AS_LISTED = {"/as-listed/mcp": {"compact": {"tools": "off"}}}
"""An endpoint that lists tools word by word as their servers do."""


@pytest.fixture(scope="session")
def everything() -> Iterator[str]:
    """The URL of the everything server over HTTP."""
    with running.fixture_server("everything") as url:
        yield url


@pytest.fixture(scope="session")
def second() -> Iterator[str]:
    """The URL of the second server over HTTP."""
    with running.fixture_server("second") as url:
        yield url


@pytest.fixture(scope="session")
def over_http(
    everything: str, second: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a gateway in front of both servers over HTTP."""
    servers = {"everything": {"url": everything}, "second": {"url": second}}
    config = running.config_of(
        servers, tmp_path_factory.mktemp("http"), naming="bare", endpoints=AS_LISTED
    )
    with running.gateway(config) as url:
        yield url


@pytest.fixture(scope="session")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the everything server, hardened in its own process."""
    config = running.config_of({"everything": {}}, tmp_path_factory.mktemp("hardened"))
    with running.fixture_server("everything", "--hardened", str(config)) as url:
        yield url


@pytest.fixture(scope="session")
def over_stdio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway in front of both servers over stdio, one of which splits its lists."""
    servers = {
        "everything": stdio_entry("everything", "--page-size", "7"),
        "second": stdio_entry("second"),
    }
    config = running.config_of(
        servers, tmp_path_factory.mktemp("stdio"), naming="bare", endpoints=AS_LISTED
    )
    with running.gateway(config) as url:
        yield url


def stdio_entry(name: str, *more: str) -> dict[str, Any]:
    """How a client's configuration file names a fixture server over stdio."""
    # There is one for each session: they are many, and importing is most of what they do.
    command, *arguments = forked(running.fixture_command(name, "--stdio", *more), *WARM)
    return {"command": command, "args": arguments, "cwd": str(running.REPOSITORY)}
