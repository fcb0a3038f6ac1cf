"""A configuration's guard, composed: one line for each check, in the order they are asked.

Must not know: how any check works.
"""

from __future__ import annotations

from lockgate.config.model import Config
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.argument_checks import argument_checks
from lockgate.gateway.contents import contents_of
from lockgate.gateway.definitions import Definitions
from lockgate.gateway.guarding import Guard, Vetting


def guard_of(config: Config) -> Guard:
    """What stands guard over the servers of `config`."""
    vettings: list[Vetting] = []
    definitions = Definitions()
    policies: dict[str, list[AnyPolicy]] = {
        name: [
            # What stands in arguments and answers, whoever wrote it.
            *contents_of(config, name),
            # By the server's own schemas, of what no policy before it has refused.
            *argument_checks(config, server, definitions),
        ]
        for name, server in config.enabled.items()
    }
    return Guard(vettings, policies, definitions)
