"""The checks of arguments and outputs before one server, from its settings and the gateway's.

Must not know: how any of them works.
"""

from __future__ import annotations

import asyncio
from os.path import realpath
from pathlib import Path
from typing import Final

from lockgate.config.guard_arguments import ArgumentGuard, PlaceSettings
from lockgate.config.model import Config, ServerConfig
from lockgate.core.match import ByTool
from lockgate.core.policy import AnyPolicy
from lockgate.gateway.definitions import Definitions
from lockgate.gateway.guard_settings import settings_of
from lockgate.guard.places.hosts import UrlRule
from lockgate.guard.places.rules import PlaceRule, Places, Where
from lockgate.guard.schemas.schema import Schemas
from lockgate.policies.arguments import ArgumentCheck
from lockgate.policies.links import LinkCheck
from lockgate.policies.outputs import OutputCheck
from lockgate.policies.places import PlaceCheck, PlaceLookup
from lockgate.policies.sizes import SizeCheck, Sizes
from lockgate.upstreams.lookup import addresses

SCHEMAS: Final = Schemas()
"""Of all servers, and over reloads: what a schema says is the same wherever it stands."""


def argument_checks(config: Config, name: str, definitions: Definitions) -> list[AnyPolicy]:
    """What stands before the server of this name; nothing, where it is off."""
    found: list[AnyPolicy] = []
    server, guard = config.servers[name], settings_of(config, name)
    arguments, outputs = guard.arguments, guard.outputs
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
    if outputs.schemes or outputs.media:
        found.append(LinkCheck(outputs.schemes, outputs.media))
    return [*_sizes(server), *found]


def _sizes(server: ServerConfig) -> list[AnyPolicy]:
    bounds = [
        (pattern, Sizes(tool.arguments_bytes, tool.result_bytes))
        for pattern, tool in server.tools.items()
    ]
    bounded = any(one != Sizes() for _, one in bounds)
    return [SizeCheck(ByTool(bounds, Sizes()))] if bounded else []


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
