"""The checks of arguments and outputs before one server, from its settings and the gateway's.

Must not know: how any of them works.
"""

from __future__ import annotations

import asyncio
from os.path import realpath
from pathlib import Path
from typing import Final, TypeVar

from lockgate.config.guard_arguments import ArgumentGuard, PlaceSettings
from lockgate.config.limits import Section
from lockgate.config.model import Config, ServerConfig
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.definitions import Definitions
from lockgate.guard.places.hosts import UrlRule
from lockgate.guard.places.rules import PlaceRule, Places, Where
from lockgate.guard.schemas.schema import Schemas
from lockgate.policies.arguments import ArgumentCheck
from lockgate.policies.outputs import OutputCheck
from lockgate.policies.places import PlaceCheck, PlaceLookup
from lockgate.upstreams.lookup import addresses

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
    found += _places(arguments, server, definitions)
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


def _places(
    settings: ArgumentGuard, server: ServerConfig, definitions: Definitions
) -> list[AnyPolicy]:
    local = server.transport == "stdio"
    # A child without a folder of its own has ours.
    base = str(Path(server.cwd or Path.cwd()).absolute()) if local else None
    places = Places(
        {
            pattern: {name: _rule(one) for name, one in rules.items()}
            for pattern, rules in settings.rules.items()
        },
        settings.urls,
        Where(base, realpath if local else str),
    )
    if not places.any:
        return []
    check = PlaceCheck(definitions, places)
    return [check, PlaceLookup(definitions, places, _addresses)] if places.looks_up else [check]


def _rule(one: PlaceSettings) -> PlaceRule:
    if one.under:
        return PlaceRule(under=tuple(one.under))
    schemes = tuple(scheme.lower() for scheme in one.schemes)
    return PlaceRule(url=UrlRule(schemes, one.public, tuple(one.allow)))


async def _addresses(host: str, port: int) -> list[str]:
    return await addresses(asyncio.get_running_loop(), host, port)


def in_effect(gateway: Settings, own: Settings) -> Settings:
    """The gateway's settings, with those the server has of its own."""
    return gateway.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})
