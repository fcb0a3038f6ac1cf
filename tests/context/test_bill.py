"""The bill: what tools cost, who is to blame, and what settings would save."""

from __future__ import annotations

import json
from typing import Any

from lockgate.context.bill import MENU, bill
from lockgate.context.compact.levels import LEVELS
from lockgate.context.spent import definition_text
from lockgate.context.tokens import counter

COUNT = counter()


def tool(name: str, words: int) -> bytes:
    properties = {"query": {"type": "string", "title": "Query", "description": "word " * words}}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return json.dumps({"name": name, "description": "Does it.", "inputSchema": schema}).encode()


TOOLS = [("a", tool("small", 1)), ("b", tool("large", 500)), ("a", tool("other", 1))]


def test_every_tool_is_on_it_and_the_sum_is_right() -> None:
    found = bill(TOOLS, "off", COUNT)
    assert [(one.server, one.tool) for one in found.tools] == [
        ("b", "large"),
        ("a", "other"),
        ("a", "small"),
    ]
    real = [COUNT(definition_text(json.loads(data))) for _, data in TOOLS]
    assert found.tokens == sum(real) == sum(one.tokens for one in found.servers)
    assert [(one.server, one.tools) for one in found.servers] == [("b", 1), ("a", 2)]
    assert [one.tool for one in found.most] == ["large"]


def test_what_settings_would_save_is_what_they_save() -> None:
    found = bill(TOOLS, "lossless", COUNT)
    costs = {one.setting: one.tokens for one in found.settings}
    for level in LEVELS:
        assert costs[f"compact.tools: {level}"] == bill(TOOLS, level, COUNT).tokens
    assert costs["compact.tools: signature"] < costs["compact.tools: bare"] < found.tokens
    assert MENU < costs["expose: search (3 searches)"] < MENU + 200
    assert [one.loses for one in found.settings][:3] == [False, False, True]


def test_no_tools_cost_nothing() -> None:
    found = bill([], "lossless", COUNT)
    assert (found.tokens, found.most, found.servers) == (0, [], [])
