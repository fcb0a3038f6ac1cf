"""Who a server is said to be."""

from __future__ import annotations

import pytest

from lockgate.guard.pins.identity import UNPINNED, of_command, of_urls


@pytest.mark.parametrize(
    ("line", "package", "version"),
    [
        ("npx -y @acme/server-files@1.2.3 /data", "@acme/server-files", "1.2.3"),
        ("npx -y @acme/server-files", "@acme/server-files", UNPINNED),
        ("npx some-server@latest", "some-server", UNPINNED),
        ("npx -p pkg@2.0.0 run", "pkg", "2.0.0"),
        ("npx --package=pkg@2.0.0 run", "pkg", "2.0.0"),
        ("uvx mcp-server-git==1.2", "mcp-server-git", "1.2"),
        ("uvx --from pkg==3.1 tool", "pkg", "3.1"),
        ("uvx --python 3.12 mcp-server-time", "mcp-server-time", UNPINNED),
        ("uvx mcp-server-git@latest", "mcp-server-git", UNPINNED),
        ("pipx run --spec pkg==1.0 tool", "pkg", "1.0"),
        ("pipx run tool==1.0", "tool", "1.0"),
        ("docker run -i --rm -e KEY mcp/time", "mcp/time", UNPINNED),
        ("docker run -i --rm mcp/time:1.2", "mcp/time:1.2", UNPINNED),
        ("docker run --rm -v /a:/b mcp/time@sha256:00ff", "mcp/time", "sha256:00ff"),
        ("/usr/local/bin/npx pkg@1.0.0", "pkg", "1.0.0"),
    ],
)  # fmt: skip
def test_the_package_and_its_version(line: str, package: str, version: str) -> None:
    command, *args = line.split()
    identity = of_command(command, args)
    assert (identity["package"], identity["version"]) == (package, version)
    assert identity["args"] == args


@pytest.mark.parametrize("line", ["python -m server", "npx", "docker ps", "pipx list", "uvx"])
def test_what_fetches_nothing_has_no_package(line: str) -> None:
    command, *args = line.split()
    assert "package" not in of_command(command, args)


def test_addresses_are_known_by_their_origins() -> None:
    urls = ["https://A.example:8443/mcp?key=secret", "http://[::1]:9/x", "https://a.example:8443/y"]
    assert of_urls(urls) == {"origins": ["http://[::1]:9", "https://a.example:8443"]}
    assert of_urls(["https://a.example:bad/"]) == {"origins": ["unreadable"]}
