"""The examples with a gateway start with one command and do what their READMEs say."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from lockgate.kit import execute
from tests.examples.loading import FOLDER
from tests.support.running import await_ready, free_port, gateway, plain_environment, process

pytest.importorskip("mcp.client")


SOURCE = str(FOLDER.parent / "src")


def installed(config: str) -> str:
    """A configuration whose servers find this working copy, where Lockgate would be installed."""
    whole: Any = YAML(typ="safe").load(config)
    for server in whole["mcpServers"].values():
        server["allow_unsafe_env"] = True
        server["env"] = {**server.get("env", {}), "PYTHONPATH": SOURCE}
        if "sandbox" in server:
            server["sandbox"]["read"] = [SOURCE]
    return json.dumps(whole)


async def asked(url: str, *calls: tuple[str, dict[str, Any]], key: str = "") -> list[Any]:
    import httpx2
    from mcp import MCPError
    from mcp.client import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as plain,
        Client(streamable_http_client(url, http_client=plain)) as client,
    ):
        tools = sorted(tool.name for tool in (await client.list_tools()).tools)
        found: list[Any] = []
        for name, given in calls:
            try:
                found.append(await client.call_tool(name, given))
            except MCPError as refused:
                found.append(refused)
        return [tools, *found]


def test_two_servers_of_two_frameworks_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fastmcp")
    shutil.copytree(FOLDER / "multi_server", tmp_path, dirs_exist_ok=True)
    config = (tmp_path / "lockgate.yaml").read_text()
    (tmp_path / "lockgate.yaml").write_text(installed(config))
    monkeypatch.setenv("PYTHON", sys.executable)
    with gateway(tmp_path / "lockgate.yaml") as url:
        tools, oslo, again, degrees, cold = asyncio.run(
            asked(
                url,
                ("weather__forecast", {"city": "Oslo"}),
                ("weather__forecast", {"city": "Oslo"}),
                ("units__fahrenheit", {"celsius": 20}),
                ("units__fahrenheit", {"celsius": -300}),
            )
        )
    assert tools == ["units__fahrenheit", "weather__forecast"]
    assert oslo.structured_content == again.structured_content
    assert degrees.structured_content == {"result": 68.0}
    assert cold.is_error
    assert "Nothing is colder" in cold.content[0].text


@pytest.mark.skipif(bool(execute.missing()), reason="this host enforces no sandbox")
def test_orders_are_for_whoever_has_the_key_for_it(tmp_path: Path) -> None:
    port = free_port()
    config = (FOLDER / "secure" / "lockgate.yaml").read_text()
    (tmp_path / "lockgate.yaml").write_text(installed(config))
    command = [sys.executable, str(FOLDER / "secure" / "run.py"), "--folder", str(tmp_path)]
    with process(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, env=plain_environment()
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline().decode().split(": ") for _ in range(2)]
        keys = {name: key.strip() for name, key in lines}
        await_ready(child, f"http://127.0.0.1:{port}/ready")
        url = f"http://127.0.0.1:{port}/mcp"
        order = {"customer": "ada", "item": "tea"}
        (tmp_path / "data" / "invoices").mkdir(exist_ok=True)
        (tmp_path / "data" / "invoices" / "1.txt").write_text("paid")
        tools, placed, bulk, found, odd, invoice, outside = asyncio.run(
            asked(
                url,
                ("place_order", order),
                ("place_order", {**order, "amount": 11}),
                ("list_orders", {"customer": "ada", "order_by": "item"}),
                ("list_orders", {"customer": "ada", "order_by": "item; DROP TABLE orders"}),
                ("read_invoice", {"name": "1.txt"}),
                ("read_invoice", {"name": "../orders.sqlite"}),
                key=keys["seller"],
            )
        )
        assert tools == ["list_orders", "place_order", "read_invoice"]
        assert placed.structured_content["id"] == 1
        assert "do not let this caller use place_order" in str(bulk)
        assert found.structured_content["result"][0]["item"] == "tea"
        assert "must be" in odd.content[0].text
        assert invoice.content[0].text == "paid"
        assert outside.is_error
        with pytest.raises(Exception, match=r"."):
            asyncio.run(asked(url))
    record = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert any("place_order" in json.dumps(line) for line in record)
