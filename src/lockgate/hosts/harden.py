"""One line: a server and a configuration become a hardened server.

Must not know: how it is served, how policies work.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from typing import Final

from lockgate.config.hosted import Given, Hosted
from lockgate.errors import HostError
from lockgate.hosts.coverage import Coverage
from lockgate.hosts.hardened import Hardened
from lockgate.hosts.host import Host, recognised

log: Final = logging.getLogger("lockgate.hosts")
UNNAMED: Final = "server"


def harden(
    server: object,
    config: Given = None,
    *,
    name: str | None = None,
    path: str | None = None,
    pages: Sequence[str] | None = None,
    elsewhere: Collection[str] = (),
) -> Hardened:
    """Put the policies of a configuration around a server of this process.

    Nothing is started, and the server is left as it is, before the result is served.

    Args:
        server: an MCPServer or lowlevel Server of the official SDK, a FastMCP server, or an ASGI
            application that serves MCP.
        config: a gateway's configuration: the path of its file, or what the file would hold. What
            it says of other servers is left to other gateways. None: all defaults.
        name: the server's name in the configuration; by default what the server calls itself.
        path: where an ASGI application serves MCP; by default /mcp.
        pages: paths of the server's own that are served beside MCP as they are, without policies.
            A server that is known to have such pages needs it to be said, be it that there are
            to be none: `()`.
        elsewhere: settings that cannot hold here and that something else enforces; see `ROWS`.

    Returns:
        An ASGI application that can also serve itself.

    Raises:
        HostError: the server is none that can be hardened, or not the one that is configured.
        PolicyUncovered: a policy that is configured cannot hold for it.
        ConfigError: the configuration has errors.
    """
    host = recognised(server, path)
    hosted = Hosted(config)
    named = _named(host, hosted, name)
    coverage = Coverage(hosted, named, elsewhere)
    coverage.check(None)
    _lets_everybody_in(host)
    identity = {"in-process": host.made}
    settled = hosted.settled(named, host.path, identity, os.environ)
    for finding in hosted.findings:
        log.warning("%s %s", finding, finding.remedy)
    return Hardened(host, named, settled, coverage, _pages(host, pages))


def _named(host: Host, hosted: Hosted, name: str | None) -> str:
    entries = hosted.servers
    found = name or host.name or (UNNAMED if not entries else None)
    if found is not None and (found in entries or not entries):
        return found
    given = ", ".join(map(repr, entries))
    called = "it has no name of its own" if found is None else f"it is called {found!r}"
    raise HostError(
        f"The configuration has the servers {given}, and none is the one to harden: {called}.",
        "Say which entry is meant with `name`, or add one for it, which may be empty: "
        f'{{"{found or UNNAMED}": {{}}}}.',
        reason="host-unnamed",
    )


def _lets_everybody_in(host: Host) -> None:
    if host.lets_in is not None:
        raise HostError(
            f"The server ({host.made}) asks its callers for tokens itself, by {host.lets_in}; "
            "what they showed to Lockgate is not passed on to it.",
            "Move that to `lockgate.auth` of the configuration, and make the server without: its "
            "handlers see who calls as before.",
            reason="host-uncovered",
        )


def _pages(host: Host, pages: Sequence[str] | None) -> Sequence[str]:
    if pages is None and host.pages:
        raise HostError(
            f"The server has pages of its own beside MCP, which no policy covers: "
            f"{', '.join(host.pages)}.",
            f"Say which of them are to be served as they are, pages={list(host.pages)!r}; or "
            "pages=() for none.",
            reason="host-uncovered",
        )
    wrong = [one for one in pages or () if one.rstrip("/") == host.path or not one.startswith("/")]
    if wrong:
        raise HostError(
            f"{wrong[0]!r} cannot be a page beside MCP.",
            f"Pages begin with / and are none but {host.path}, which policies are for.",
            reason="host-uncovered",
        )
    return tuple(pages or ())
