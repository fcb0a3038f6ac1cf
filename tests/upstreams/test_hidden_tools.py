"""A tool left out of the list for its annotations cannot be called by name either."""

from __future__ import annotations

import json

from lockgate.core.message import Result
from lockgate.core.raw import Raw
from lockgate.upstreams.annotations import ToolAnnotations


def listed(*tools: dict[str, object]) -> Result:
    return Result(Raw.of({"tools": list(tools)}))


BAD = {
    "name": "bad",
    "inputSchema": {
        "type": "object",
        "properties": {"a": {"type": "number", "x-mcp-header": "A"}},
    },
}
GOOD = {
    "name": "good",
    "inputSchema": {
        "type": "object",
        "properties": {"a": {"type": "string", "x-mcp-header": "A"}},
    },
}


def test_what_is_left_out_is_refused_until_it_is_mended() -> None:
    tools = ToolAnnotations()
    page = tools.note(listed(BAD, GOOD), first=True)
    assert [tool["name"] for tool in json.loads(page.raw.encode())["tools"]] == ["good"]
    assert tools.refused("bad")
    assert not tools.refused("good")
    tools.note(listed({**GOOD, "name": "bad"}), first=True)
    assert not tools.refused("bad")
