"""Flows in a running gateway: a person is asked, and a reload forgets nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine
from tests.fronts.served import run
from tests.gateway.reloading import Changing, changing, child
from tests.security.controls import holds

TRIFECTA: dict[str, Any] = {
    "name": "trifecta",
    "after": [["child/who"], ["old/*"]],
    "approve": "new/echo",
}


async def read_both(w: Changing, era: str, **facts: Any) -> Any:
    """A client that has read what strangers write, and something private."""
    client = await w.client(era, **facts)
    for tool in ("child__who", "old__echo"):
        assert (await client.call("new__echo")).result, "nothing was read yet that matters"
        assert (await client.call(tool)).result
    return client


@holds(38)
@pytest.mark.parametrize("era", ["H", "M"])
def test_a_person_is_asked_and_told_why(era: str) -> None:
    async def play() -> None:
        async with changing(access={"flows": [TRIFECTA]}) as w:
            client = await read_both(w, era)
            begun = await client.call("new__echo")
            [question] = begun.asked.values()
            assert question["params"]["message"].endswith(
                "It is asked because what was read before must not just flow to it (trifecta)."
            )
            assert (await client.answer(begun)).result

    run(play())


@holds(38)
def test_what_was_read_is_known_after_a_reload() -> None:
    async def play() -> None:
        async with changing(access={"flows": [TRIFECTA]}) as w:
            client = await read_both(w, "M", capabilities={})
            await w.reload(child=child("two"))
            refused = (await client.call("new__echo")).error
            assert refused["data"]["reason"] == "approval-required"
            assert refused["data"]["code"] == "LG-452"

    run(play())


@pytest.mark.parametrize(
    ("flow", "said"),
    [
        ({"after": ["nowhere"], "deny": "a"}, "no server 'nowhere'"),
        ({"after": ["a"], "deny": "nowhere/x"}, "no server 'nowhere'"),
        ({"after": ["a"]}, "one of `approve` and `deny`"),
        ({"after": [], "deny": "a"}, "at least 1"),
    ],
)
def test_a_flow_that_is_about_nothing_is_an_error(tmp_path: Path, flow: Any, said: str) -> None:
    config = tmp_path / "mcp.json"
    servers = {"a": {"url": "http://127.0.0.1:1/mcp"}}
    config.write_text(json.dumps({"servers": servers, "lockgate": {"access": {"flows": [flow]}}}))
    findings = examine(config, {}).findings
    assert any(said in one.summary and one.severity == "error" for one in findings), findings
