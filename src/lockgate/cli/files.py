"""Whether this process may have as many files open as its configuration lets others make it open.

Must not know: how many are open.
"""

from __future__ import annotations

import logging
from typing import Final

from lockgate.config.model import Config
from lockgate.gateway.build import pool_limits
from lockgate.upstreams.descriptors import raise_limit

_log: Final = logging.getLogger("lockgate.gateway")
PIPES: Final = 3
"""Of one child: its input, its output, and what it says on the side."""


def needed(config: Config, *, clients: bool) -> int:
    """Descriptors when calls and children are at their bounds; `clients`: theirs as well.

    Streams to servers are left out: their bound is a safeguard far above what is meant to be used.
    """
    own = config.lockgate.limits.connections if clients else 0
    pools = sum(one.connections for one in pool_limits(config).values())
    children = sum(
        one.limits.processes if one.isolation == "session" else 1 + one.spare
        for one in config.enabled.values()
        if one.transport == "stdio"
    )
    return own + pools + PIPES * children


class OpenFiles:
    """Raises the limit as far as the system allows, and warns once for each higher need."""

    def __init__(self, *, clients: bool) -> None:
        """`clients`: whether clients connect to this process."""
        self._clients = clients
        self._told = 0

    def allow(self, config: Config) -> None:
        """Have a descriptor for all that this configuration allows."""
        allowed, wanted = raise_limit(), needed(config, clients=self._clients)
        if allowed is None or allowed > wanted or wanted <= self._told:
            return
        self._told = wanted
        _log.warning(
            "only %d files may be open, and the limits of the configuration allow %d: raise the "
            "hard limit (ulimit -Hn), or lower limits.connections of the gateway or of servers",
            allowed,
            wanted,
        )
