"""What a menu of tools costs in every request, who is to blame, and what each setting would save.

Must not know: where the tools come from, or how the bill is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, cast

import msgspec

from lockgate.context.compact.levels import LEVELS, Level, shaped
from lockgate.context.signature import line
from lockgate.context.spent import definition_text
from lockgate.context.tokens import Count

SHARE: Final = 0.6
"""The fewest tools that are so much of the bill are named."""
MENU: Final = 300
"""What the tools cost together by which others are found; a bound that a test holds."""
FOUND: Final = 10
SEARCHES: Final = 3

_decode: Final = msgspec.json.Decoder().decode


class Cost(NamedTuple):
    """What something costs: a tool, or a server (`tool` is None) with so many tools."""

    server: str
    tool: str | None
    tools: int
    tokens: int


class Setting(NamedTuple):
    """What the menu would cost with a setting. `loses`: models are told less than there is."""

    setting: str
    tokens: int
    loses: bool


class Bill(NamedTuple):
    """The whole bill; `tokens` is what is paid now, in every request."""

    level: Level
    tokens: int
    servers: Sequence[Cost]
    tools: Sequence[Cost]
    settings: Sequence[Setting]

    @property
    def searched(self) -> Setting:
        """What it would be if tools were found instead of listed."""
        return self.settings[-1]

    @property
    def most(self) -> Sequence[Cost]:
        """The fewest tools that are `SHARE` of it."""
        found: list[Cost] = []
        left = self.tokens * SHARE
        for one in self.tools:
            if left <= 0:
                break
            found.append(one)
            left -= one.tokens
        return found


def bill(
    tools: Iterable[tuple[str, bytes]], level: Level, count: Count, *, type_lists: bool = False
) -> Bill:
    """The bill for these tools, each a server and its definition as that wrote it.

    Args:
        tools: see above.
        level: how they are listed now.
        count: what counts.
        type_lists: whether those who read them take lists of types.
    """
    every = list(tools)
    levels = {
        one: [_read(shaped(data, one, type_lists=type_lists)) for _, data in every]
        for one in LEVELS
    }
    costs = {one: [count(definition_text(tool)) for tool in read] for one, read in levels.items()}
    named = [
        Cost(server, str(tool.get("name", "")), 1, tokens)
        for (server, _), tool, tokens in zip(every, levels["off"], costs[level], strict=True)
    ]
    # The same each time: what costs as much stands in the order of names.
    named.sort(key=lambda one: (-one.tokens, one.server, one.tool or ""))
    servers: dict[str, Cost] = {}
    for one in named:
        before = servers.get(one.server, Cost(one.server, None, 0, 0))
        servers[one.server] = before._replace(
            tools=before.tools + 1, tokens=before.tokens + one.tokens
        )
    settings = [
        Setting(f"compact.tools: {one}", sum(costs[one]), one not in ("off", "lossless"))
        for one in LEVELS
    ]
    settings.append(_searched(levels["off"], count))
    return Bill(
        level,
        sum(costs[level]),
        sorted(servers.values(), key=lambda one: (-one.tokens, one.server)),
        named,
        settings,
    )


def _searched(tools: Sequence[dict[str, Any]], count: Count) -> Setting:
    """A menu that is searched, with what is found by a few searches: one line for each tool."""
    lines = [
        count(line(str(tool.get("name", "")), tool.get("description"), tool.get("inputSchema")))
        for tool in tools
    ]
    mean = sum(lines) / len(lines) if lines else 0
    found = SEARCHES * min(FOUND, len(lines)) * mean
    return Setting(f"expose: search ({SEARCHES} searches)", round(MENU + found), False)


def _read(data: bytes) -> dict[str, Any]:
    found: Any = _decode(data)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
