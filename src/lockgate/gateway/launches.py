"""What a careful reader would ask about how the configured servers are launched, as findings.

Must not know: how files are parsed, or how findings are shown. Starts nothing.
"""

from __future__ import annotations

from lockgate.config.load import Loaded
from lockgate.gateway.build import upstream_spec
from lockgate.upstreams.launch import launch_findings
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
