"""What a careful reader would ask about how the configured servers are launched, as findings.

Must not know: how files are parsed, or how findings are shown. Starts nothing.
"""

from __future__ import annotations

from pathlib import Path

from lockgate.config.load import Loaded
from lockgate.config.model import ServerConfig
from lockgate.config.nodes import Position
from lockgate.gateway.build import upstream_spec
from lockgate.upstreams.launch import launch_findings
from lockgate.upstreams.sandbox.host import this_host
from lockgate.upstreams.sandbox.plan import lacking
from lockgate.upstreams.sandbox.spec import SandboxSpec
from lockgate.upstreams.spec import StdioSpec


def review_launches(loaded: Loaded) -> None:
    """Add to the findings of a usable configuration; nothing is added to those of another."""
    if loaded.config is None or loaded.tree is None:
        return
    servers = loaded.tree.members["servers"]
    for name, server in loaded.config.enabled.items():
        spec = upstream_spec(name, server).transport
        if not isinstance(spec, StdioSpec):
            continue
        at, _ = servers.members[name].locate(("command",))
        for found in launch_findings(spec):
            summary = f"Server {name!r}: {found.summary}"
            loaded.findings.add(found.id, summary, found.remedy, at)
        if spec.sandbox is not None:
            at, _ = servers.members[name].locate(("sandbox",))
            _sandbox(name, server, spec.sandbox, loaded, at)


def _sandbox(
    name: str, server: ServerConfig, spec: SandboxSpec, loaded: Loaded, at: Position
) -> None:
    for lack in lacking(spec, this_host()):
        less = spec.unenforced == "allow"
        so = "it runs with what can be" if less else "it will not be started"
        summary = f"Server {name!r}: its sandbox cannot be enforced here, so {so}: {lack.what}."
        loaded.findings.add("sandbox-unenforced", summary, f"{lack.remedy.rstrip('.')}.", at)
    home = Path.home()
    for path in (*server.sandbox.read, *server.sandbox.write):
        if path.absolute() in (home, *home.parents):
            summary = f"Server {name!r}: its sandbox holds all of {path}."
            loaded.findings.add("sandbox-wide", summary, "Name the folders that it needs.", at)
    if spec.unix_sockets:
        summary = f"Server {name!r}: through `unix_sockets` it can have Docker or D-Bus act for it."
        loaded.findings.add("sandbox-wide", summary, "Leave `unix_sockets` off if it can.", at)
