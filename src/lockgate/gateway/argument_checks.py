"""The checks of arguments before one server, put together from its settings and the gateway's.

Must not know: how any of them works.
"""

from __future__ import annotations

from typing import Final

from lockgate.config.guard_arguments import ArgumentGuard
from lockgate.config.model import Config, ServerConfig
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.definitions import Definitions
from lockgate.guard.schemas.schema import Schemas
from lockgate.policies.arguments import ArgumentCheck

SCHEMAS: Final = Schemas()
"""Of all servers, and over reloads: what a schema says is the same wherever it stands."""


def argument_checks(
    config: Config, server: ServerConfig, definitions: Definitions
) -> list[AnyPolicy]:
    """What stands before `server`; nothing, where it is off."""
    settings = in_effect(config.lockgate.guard.arguments, server.guard.arguments)
    if settings.mode == "off":
        return []
    return [
        ArgumentCheck(
            definitions,
            SCHEMAS,
            enforce=settings.mode == "enforce",
            strict=settings.strict,
            refuse_unusable=settings.unusable == "refuse",
        )
    ]


def in_effect(gateway: ArgumentGuard, own: ArgumentGuard) -> ArgumentGuard:
    """The gateway's settings, with those the server has of its own."""
    return gateway.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
