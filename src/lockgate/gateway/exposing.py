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

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from lockgate.config.endpoints import EndpointSettings
from lockgate.config.exposing import ExposeSettings, Mode
from lockgate.config.model import Config
from lockgate.context.compact.levels import Level
from lockgate.context.tokens import Estimate
from lockgate.core.message import Result, Target
from lockgate.core.raw import Raw
from lockgate.core.targets import Things
from lockgate.gateway import own_tools
from lockgate.gateway.endpoint_sights import endpoints_of
from lockgate.gateway.face import Face, relisted
from lockgate.gateway.own_tools import ROLES, Role
from lockgate.gateway.shaping import Dialect, Shaping

# An estimate everywhere, whatever is installed: replicas must not list differently.
_tokens: Final = Estimate()
_PIECE: Final = 16 * 1024
_SHORT: Final[frozenset[Level]] = frozenset({"bare", "signature"})


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


def listed(
    face: Face,
    exposure: Exposure,
    own: Mapping[str, Role],
    page_size: int,
    shaping: Shaping,
    dialect: Dialect,
    *,
    richer: bool,
) -> Face:
    """The face with what this exposure lists of it; what it routes to stays.

    `dialect` is what definitions are written in for these clients; see `relisted` for `richer`.
    """
    mode = exposure.mode
    if mode == "auto":
        mode = "search" if _longer(face.pages, exposure.most) else "full"
    if mode == "full":
        return face
    short = dialect if dialect.level in _SHORT else dialect._replace(level="bare")
    write = {
        True: shaping.writes(face.entry, dialect) or _as_it_is,
        False: shaping.writes(face.entry, short) or _as_it_is,
    }
    roles: tuple[Role, ...] = ROLES if mode == "search" else ("describe_tools",)
    items: list[Raw] = []
    for name, item in face.items.items():
        target = face.routes.get(name)
        # What leads nowhere is there for everybody to see: it asks them to log in.
        always = target is None or target in exposure.always
        if always or mode == "compact":
            items.append(Raw(write[always](item.encode())))
    items += [own_tools.definition(name, role) for name, role in own.items() if role in roles]
    return relisted(face, items, page_size, richer=richer)


def told(exposure: Exposure, target: Target) -> str:
    """How a tool is listed, for people."""
    found = "found with find_tools, and called by its name or with call_tool"
    if target in exposure.always:
        return "always listed in full"
    if exposure.mode == "compact":
        return "listed in short; describe_tools has all of it"
    if exposure.mode == "auto":
        return f"listed while all tools take at most {exposure.most} tokens, else {found}"
    return f"not listed: {found}"


def _as_it_is(data: bytes) -> bytes:
    return data


def _longer(pages: Sequence[Result], most: int) -> bool:
    """Whether a list has more tokens than this; not all of it is counted to find out."""
    found = 0
    for page in pages:
        data = page.raw.encode()
        for start in range(0, len(data), _PIECE):
            found += _tokens(data[start : start + _PIECE].decode("utf-8", "ignore"))
            if found > most:
                return True
    return False
