"""What a list of tools shows at an endpoint, of all that a caller may use there.

Must not know: how anything is searched, who callers are.

What a list shows depends on what there is for its caller and on nothing else: not on the
connection, nor on what was asked before. So it can be kept by whoever read it.

    | mode      | listed                                                                |
    |-----------|-----------------------------------------------------------------------|
    | `full`    | every tool                                                            |
    | `compact` | every tool, in short, and `describe_tools`                            |
    | `search`  | what is always listed, and `find_tools`, `describe_tools`, `call_tool` |
    | `auto`    | as `full` where that is small enough, else as `search`                |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from lockgate.config.endpoints import EndpointSettings
from lockgate.config.exposing import ExposeSettings, Mode
from lockgate.config.model import Config
from lockgate.context.compact.levels import shaped
from lockgate.context.tokens import Estimate
from lockgate.core.raw import Raw
from lockgate.core.targets import Things
from lockgate.gateway import own_tools
from lockgate.gateway.endpoint_sights import endpoints_of
from lockgate.gateway.face import Face, relisted
from lockgate.gateway.own_tools import ROLES, Role

# An estimate everywhere, whatever is installed: replicas must not list differently.
_tokens: Final = Estimate()


class Exposure(msgspec.Struct, frozen=True):
    """What one endpoint lists.

    most  tokens that a full list may have, for `auto`.
    """

    mode: Mode
    most: int
    always: Things


def exposures_of(config: Config) -> dict[str, Exposure]:
    """By path, of the endpoints that do not list everything as it is."""
    every = {path: _settings(config, one) for path, one in endpoints_of(config).items()}
    return {
        path: Exposure(one.mode, round(one.share * one.window), Things(one.always))
        for path, one in every.items()
        if one.mode != "full"
    }


def _settings(config: Config, one: EndpointSettings) -> ExposeSettings:
    return one.expose or config.lockgate.expose


def listed(face: Face, exposure: Exposure, own: Mapping[str, Role], page_size: int) -> Face:
    """The face with what this exposure lists of it; what it routes to stays."""
    mode = exposure.mode
    if mode == "auto":
        mode = "search" if _longer(face, exposure.most) else "full"
    if mode == "full":
        return face
    always = exposure.always
    roles: tuple[Role, ...] = ROLES if mode == "search" else ("describe_tools",)
    items: list[Raw] = []
    for name, item in face.items.items():
        target = face.routes.get(name)
        # What leads nowhere is there for everybody to see: it asks them to log in.
        if target is None or target in always:
            items.append(item)
        elif mode == "compact":
            items.append(Raw(shaped(item.encode(), "bare", type_lists=True)))
    items += [own_tools.definition(name, role) for name, role in own.items() if role in roles]
    return relisted(face, items, page_size)


def _longer(face: Face, most: int) -> bool:
    """Whether the list has more tokens than this; not all of it is counted to find out."""
    found = 0
    for item in face.items.values():
        found += _tokens(item.encode().decode("utf-8", "replace"))
        if found > most:
            return True
    return False
