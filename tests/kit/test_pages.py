"""What docs/kit says of results and of memory is true: its examples run."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

DOCS = Path(__file__).resolve().parents[2] / "docs" / "kit"


def example(page: str) -> dict[str, Any]:
    found = re.search(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert found is not None
    made: dict[str, Any] = {}
    exec(compile(found[1], page, "exec"), made)  # noqa: S102 - the page's own code
    return made


def test_the_example_of_results() -> None:
    async def main() -> None:
        async with Client(example("results.md")["server"]) as client:
            said = (await client.call_tool("orders", {"month": "May"})).content
        assert "array of 5000 objects" in str(said[0])

    asyncio.run(main())


def test_the_example_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(example("memory.md")["example"]())
    assert capsys.readouterr().out == "user Where is my order?\n"
