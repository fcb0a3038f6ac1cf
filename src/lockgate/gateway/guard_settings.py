"""Which of the guard's settings count for a server: the gateway's, with those of its own.

Must not know: what any of them means.
"""

from __future__ import annotations

from typing import TypeVar

from lockgate.config.guard import GuardSettings
from lockgate.config.limits import Section
from lockgate.config.model import Config

S = TypeVar("S", bound=Section)


def settings_of(config: Config, server: str) -> GuardSettings:
    """What counts for a server."""
    return over(config.lockgate.guard, config.servers[server].guard)


def over(general: S, own: S) -> S:
    """The general settings with those that a server has of its own, key by key."""
    said = {name: getattr(own, name) for name in own.model_fields_set}
    for name, value in said.items():
        if isinstance(value, Section):
            said[name] = over(getattr(general, name), value)
    return general.model_copy(update=said)
