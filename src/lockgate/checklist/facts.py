"""What is asked of a configuration by more than one item.

Must not know: items.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from lockgate.config.check import loopback
from lockgate.config.guard import GuardSettings
from lockgate.config.load import Loaded
from lockgate.config.model import Config, ServerConfig
from lockgate.config.secrets import looks_secret, secret_name
from lockgate.core.legible import visible
from lockgate.gateway.guard_settings import settings_of

SHORTEST: Final = 8


class Facts:
    """A configuration that can be used, and what was noted while it was read."""

    def __init__(self, loaded: Loaded, config: Config) -> None:
        self.loaded = loaded
        self.config = config
        self.settings = config.lockgate
        self.servers = config.enabled

    @cached_property
    def beyond(self) -> bool:
        """Whether anybody but this machine is meant to reach the gateway."""
        public = urlsplit(self.settings.public_url or "").hostname
        named = public is not None and not loopback(public)
        return named or not loopback(self.settings.host)

    @cached_property
    def stdio(self) -> dict[str, ServerConfig]:
        """The servers that are started here."""
        return {name: one for name, one in self.servers.items() if one.transport == "stdio"}

    def guard(self, name: str) -> GuardSettings:
        """What passes between clients and a server, with what holds for all."""
        return settings_of(self.config, name)

    def guards(self, fits: Callable[[GuardSettings], bool]) -> list[str]:
        """The servers whose guard does not fit."""
        return [visible(name) for name in self.servers if not fits(self.guard(name))]

    def noted(self, *kinds: str) -> list[str]:
        """What the check of the configuration says of these kinds."""
        return [one.summary for one in self.loaded.findings.ordered() if one.id in kinds]

    def written_secrets(self) -> list[str]:
        """Where a secret stands in the file itself: `env.API_KEY of tickets`."""
        found: list[str] = []
        nodes = self.loaded.tree.members["servers"].members if self.loaded.tree else {}
        for name in self.servers:
            node = nodes.get(name)
            for key in ("env", "headers"):
                inner = node.members.get(key) if node else None
                for variable, value in inner.members.items() if inner else ():
                    if _written(variable, value):
                        found.append(f"{key}.{visible(variable)} of {visible(name)}")
        return found


def _written(variable: str, value: Any) -> bool:
    """Whether a value is a secret that is no reference to a variable."""
    text = value.text or ""
    named = secret_name(variable) and len(text) >= SHORTEST
    return value.spelled is None and (looks_secret(text) or named)
