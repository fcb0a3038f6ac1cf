"""A configuration's guard, composed: one line for each check, in the order they are asked.

Must not know: how any check works.
"""

from __future__ import annotations

from lockgate.config.model import Config
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.guarding import Guard, Vetting
from lockgate.gateway.pin_gate import PatientPinGate
from lockgate.gateway.pin_keeper import PinKeeper
from lockgate.gateway.pinning import Pinned, Pinning


def guard_of(config: Config, pins: PinKeeper) -> Guard:
    """What stands guard over the servers of `config`; `pins` knows what was approved of them."""
    vettings: list[Vetting] = []
    policies: dict[str, list[AnyPolicy]] = {name: [] for name in config.enabled}
    # What is not as it was approved is judged no further: nobody gets to see it.
    pinning = Pinning(pins, pinned(config))
    vettings.append(pinning)
    for server, gate in pinning.gates.items():
        people = config.servers[server].auth is not None
        policies[server].append(PatientPinGate(gate) if people else gate)
    return Guard(vettings, policies, [pinning], pinning.look_into)


def pinned(config: Config) -> dict[str, Pinned]:
    """The servers that are held to what was approved of them, and how."""
    return {
        name: Pinned(mode, config.identity(name))
        for name in config.enabled
        if (mode := config.pins(name)) != "off"
    }
