"""What of a client's calls is on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine
from lockgate.observe import audit
from lockgate.observe.chained import verify, whole_lines
from tests.bridge.clients import Json
from tests.cli.program import run as program
from tests.fronts.served import run
from tests.gateway.reloading import changing
from tests.security.controls import holds
from tests.support.waiting import until

CANARY = "sk-canary-of-a-caller"


def on_record(file: Path) -> list[Json]:
    """Every line of calls and of the gateway's own deeds, seals left out; the log is whole."""
    lines = list(whole_lines(file.read_bytes()))
    verify(lines)
    return [one for one in map(json.loads, lines) if one["event"] != "seal"]


@holds(43)
@pytest.mark.parametrize("era", ["H", "M"])
def test_who_called_what_and_what_became_of_it(tmp_path: Path, era: str) -> None:
    file = tmp_path / "audit.jsonl"

    async def play() -> None:
        async with changing(audit={"file": str(file)}) as w:
            client = await w.client(era)
            for value in (CANARY, CANARY, "other"):
                _ = (await client.call("new__echo", value=value)).result
            await client.call("new__nothing")
            await w.reload(child=None)

    run(play())
    found = on_record(file)
    assert [one["event"] for one in found] == [
        "started", "call", "call", "call", "call", "reloaded", "stopped",
    ]  # fmt: skip
    first, same, another, unknown = found[1:5]
    assert (first["server"], first["target"]) == ("new", "echo")
    assert (first["method"], first["name"], first["outcome"]) == (
        "tools/call", "new__echo", "answered",
    )  # fmt: skip
    assert (first["principal"], first["endpoint"]) == ("anonymous", "/mcp")
    assert first["arguments"] == same["arguments"] != another["arguments"]
    assert (unknown["outcome"], unknown["reason"]) == ("failed", "unknown-tool")
    assert found[5]["removed"] == ["child"]
    assert CANARY not in file.read_text()


def test_only_what_was_refused(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    async def play() -> None:
        async with changing(audit={"file": str(file), "calls": "refused"}) as w:
            client = await w.client("M")
            _ = (await client.call("new__echo")).result
            await client.call("new__nothing")

    run(play())
    assert [one["name"] for one in on_record(file) if one["event"] == "call"] == ["new__nothing"]


@holds(44)
def test_without_a_record_there_is_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    async def play() -> None:
        async with changing(audit={"file": str(tmp_path / "audit.jsonl")}) as w:
            client = await w.client("M")
            _ = (await client.call("new__echo")).result
            log = w.gateway._audit
            assert log is not None
            monkeypatch.setattr(audit.os, "write", full)
            await client.call("new__echo")
            await until(lambda: not log.ready)
            refused = (await client.call("new__echo")).error
            assert refused["data"]["reason"] == "audit-unwritable"

    run(play())


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"

    async def play() -> None:
        async with changing(audit={"file": str(file)}) as w:
            _ = (await (await w.client("M")).call("new__echo")).result

    run(play())
    return file


def _changed(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"new__echo", b"new__else"))


def _cut(file: Path) -> None:
    file.write_bytes(b"".join(list(whole_lines(file.read_bytes()))[:2]))


@holds(43)
@pytest.mark.parametrize("spoil", [_changed, _cut])
def test_verifying_from_the_command_line(recorded: Path, spoil: Callable[[Path], None]) -> None:
    done = program("audit", "verify", str(recorded), "--json")
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)["key"]
    assert program("audit", "verify", str(recorded), "--key", key).returncode == 0
    spoil(recorded)
    done = program("audit", "verify", str(recorded))
    assert done.returncode == 1
    assert "LG-945" in done.stderr


def test_where_it_is_to_lie(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"servers": {}, "lockgate": {"audit": {"file": "a/b.jsonl"}}}))
    [finding] = [one for one in examine(config, {}).findings if one.id == "path-missing"]
    assert "lockgate.audit.file" in finding.summary


def test_a_gateway_without_its_log_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("not a log\n")
    config = tmp_path / "mcp.json"
    settings = {"audit": {"file": "audit.jsonl"}, "port": 0}
    config.write_text(json.dumps({"servers": {}, "lockgate": settings}))
    done = program("up", str(config))
    assert done.returncode == 1
    assert "LG-946" in done.stderr
