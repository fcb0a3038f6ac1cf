"""A configuration's guard, composed: one line for each check, in the order they are asked.

Must not know: how any check works.
"""

from __future__ import annotations

from lockgate.config.model import Config
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.contents import contents_of
from lockgate.gateway.guarding import Guard, Vetting


def guard_of(config: Config) -> Guard:
    """What stands guard over the servers of `config`."""
    vettings: list[Vetting] = []
    policies: dict[str, list[AnyPolicy]] = {name: [] for name in config.enabled}
    for name in policies:
        policies[name] += contents_of(config, name)
    return Guard(vettings, policies)
