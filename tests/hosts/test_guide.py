"""The page about hardening: its programs run, and its tables are true."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from lockgate.hosts import ROWS, Hardened
from tests.hosts.serving import call, headers, served

PAGE = (Path(__file__).resolve().parents[2] / "docs/guide/harden.md").read_text("utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


async def asked(app: Any, path: str) -> None:
    """A client calls the tool of the page."""
    async with (
        served(app) as serving,
        httpx2.AsyncClient(base_url=serving.base, trust_env=False) as http,
    ):
        body = call("price", {"item": "tea"})
        answer = await http.post(path, json=body, headers=headers("price"))
        assert "tea: 3.50" in answer.text


WHERE = {"app": "/mcp", "site": "/tools/mcp", "both": "/mcp"}
"""What the page makes, and where clients find the server in it."""


def after(number: int) -> dict[str, Any]:
    """What there is once the first so many snippets have run."""
    names: dict[str, Any] = {}
    for source in SNIPPETS[:number]:
        exec(compile(source, "harden.md", "exec"), names)  # noqa: S102 - the page of this repository
    return names


def test_every_snippet_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, int | None]] = []

    def run(self: Hardened, transport: str = "http", *, port: int | None = None) -> None:
        ran.append((transport, port))

    monkeypatch.setattr(Hardened, "run", run)
    made: list[str] = []
    for number, source in enumerate(SNIPPETS, 1):
        for name in re.findall(r"^(app|site|both) = ", source, re.MULTILINE):
            made.append(name)
            asyncio.run(asked(after(number)[name], WHERE[name]))
    assert made == ["app", "app", "app", "site", "both"]
    assert set(ran) == {("http", 8000), ("stdio", None)}


def test_the_settings_it_names_are_in_the_table() -> None:
    (said,) = re.findall(r"silently absent: (.*?)`PolicyUncovered`", PAGE, re.DOTALL)
    keys = {row.key for row in ROWS}
    named = {one.partition(":")[0] for one in re.findall(r"`([^`]+)`", said)}
    assert named
    assert named <= keys
