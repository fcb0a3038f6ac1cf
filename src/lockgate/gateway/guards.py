"""A configuration's guard, composed: one line for each check, in the order they are asked.

Must not know: how any check works.
"""

from __future__ import annotations

from lockgate.config.model import Config
from lockgate.core.message import Call, Failure
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.argument_checks import argument_checks
from lockgate.gateway.contents import contents_of
from lockgate.gateway.definition_rules import definition_rules
from lockgate.gateway.definitions import Definitions
from lockgate.gateway.guarding import Guard, Vetting
from lockgate.gateway.pin_gate import PatientPinGate
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.gateway.pinning import Pinned, Pinning
from lockgate.gateway.scanning import Scanning
from lockgate.gateway.shadowing import Shadowing
from lockgate.gateway.studying import Study
from lockgate.guard.remembering import Scanner
from lockgate.policies.quarantine import Quarantine
from lockgate.policies.withheld import Withheld


def guard_of(config: Config, pins: PinKeeper, quarantine: Quarantine) -> Guard:
    """What stands guard over the servers of `config`.

    `pins` knows what was approved of them; `quarantine` asks people about what is held.
    """
    vettings: list[Vetting] = []
    definitions = Definitions()
    # What is not as it was approved is judged no further: nobody gets to see it, or to call it.
    pinning = Pinning(pins, pinned(config))
    vettings.append(pinning)
    # Names are held against one another before what they stand for is read.
    named, read = definition_rules(config), definition_rules(config)
    shadowing, scanner = Shadowing(named), Scanner()
    vettings += [shadowing, Scanning(read, scanner)]
    study = Study(scanner, shadowing.remember, read.concerns)

    def withheld(call: Call) -> Failure | None:
        return named.refused(call) or read.refused(call)

    policies: dict[str, list[AnyPolicy]] = {
        name: [
            *_gate(pinning, config, name),
            *([Withheld(withheld, named.withheld, read.withheld)] if read.concerns(name) else []),
            # What stands in arguments and answers, whoever wrote it.
            *contents_of(config, name, definitions, quarantine),
            # By the server's own schemas, of what no policy before it has refused.
            *argument_checks(config, name, definitions),
        ]
        for name in config.enabled
    }
    return Guard(vettings, policies, [pinning], pinning.look_into, definitions, study)


def _gate(pinning: Pinning, config: Config, server: str) -> list[AnyPolicy]:
    gate = pinning.gates.get(server)
    if gate is None:
        return []
    # What a server lists that people log in to is not known before they have.
    return [gate if config.servers[server].auth is None else PatientPinGate(gate)]


def pinned(config: Config) -> dict[str, Pinned]:
    """The servers that are held to what was approved of them, and how."""
    return {
        name: Pinned(mode, config.identity(name))
        for name in config.enabled
        if (mode := config.pins(name)) != "off"
    }
