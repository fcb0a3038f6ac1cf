"""The checks of arguments and outputs before one server, from its settings and the gateway's.

Must not know: how any of them works.
"""

from __future__ import annotations

from typing import Final, TypeVar

from lockgate.config.limits import Section
from lockgate.config.model import Config, ServerConfig
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.definitions import Definitions
from lockgate.guard.schemas.schema import Schemas
from lockgate.policies.arguments import ArgumentCheck
from lockgate.policies.outputs import OutputCheck

SCHEMAS: Final = Schemas()
"""Of all servers, and over reloads: what a schema says is the same wherever it stands."""
Settings = TypeVar("Settings", bound=Section)


def argument_checks(
    config: Config, server: ServerConfig, definitions: Definitions
) -> list[AnyPolicy]:
    """What stands before `server`; nothing, where it is off."""
    found: list[AnyPolicy] = []
    arguments = in_effect(config.lockgate.guard.arguments, server.guard.arguments)
    if arguments.mode != "off":
        found.append(
            ArgumentCheck(
                definitions,
                SCHEMAS,
                enforce=arguments.mode == "enforce",
                strict=arguments.strict,
                refuse_unusable=arguments.unusable == "refuse",
            )
        )
    outputs = in_effect(config.lockgate.guard.outputs, server.guard.outputs)
    if outputs.mode != "off":
        found.append(
            OutputCheck(
                definitions,
                SCHEMAS,
                enforce=outputs.mode == "enforce",
                largest=outputs.largest,
                refuse_unusable=outputs.unusable == "refuse",
            )
        )
    return found


def in_effect(gateway: Settings, own: Settings) -> Settings:
    """The gateway's settings, with those the server has of its own."""
    return gateway.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
