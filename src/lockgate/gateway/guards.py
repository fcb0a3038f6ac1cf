"""A configuration's guard, composed: one line for each check, in the order they are asked.

Must not know: how any check works.
"""

from __future__ import annotations

from lockgate.config.model import Config
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.contents import contents_of
from lockgate.gateway.definition_rules import definition_rules
from lockgate.gateway.guarding import Guard, Vetting
from lockgate.gateway.scanning import Scanning
from lockgate.gateway.shadowing import Shadowing
from lockgate.guard.remembering import Scanner
from lockgate.policies.withheld import Withheld


def guard_of(config: Config) -> Guard:
    """What stands guard over the servers of `config`."""
    vettings: list[Vetting] = []
    policies: dict[str, list[AnyPolicy]] = {name: [] for name in config.enabled}
    # Names are held against one another before what they stand for is read.
    named, read = definition_rules(config), definition_rules(config)
    vettings += [Shadowing(named), Scanning(read, Scanner())]
    for name, before in policies.items():
        if named.concerns(name):
            before.append(Withheld(lambda call: named.refused(call) or read.refused(call)))
        before.extend(contents_of(config, name))
    return Guard(vettings, policies)
