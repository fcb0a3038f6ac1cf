"""What a check says of results that other processes cannot read, or that nobody keeps."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine

ON: dict[str, Any] = {"enabled": True}
KEYS: dict[str, Any] = {"keys": [base64.b64encode(bytes(32)).decode()]}
STORE = "sqlite:state.db"
DIFF: dict[str, Any] = {"repeats": "diff"}
SERVER: dict[str, Any] = {"command": "sh"}


def found(tmp_path: Path, server: dict[str, Any], **lockgate: Any) -> list[str]:
    path = tmp_path / "lockgate.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps({"servers": {"a": {**SERVER, **server}}, "lockgate": lockgate}))
    return [one.id for one in examine(path, {}).findings.ordered()]


@pytest.mark.parametrize(
    ("server", "lockgate", "noted"),
    [
        ({}, {"results": ON}, False),
        ({}, {"session": KEYS}, False),
        ({}, {"results": ON, "session": KEYS}, True),
        ({}, {"results": ON, "session": KEYS, "store": STORE}, False),
        ({}, {"results": {**ON, "shared": False}, "session": KEYS, "store": STORE}, True),
        ({"results": ON}, {"session": KEYS}, True),
        ({"results": {"enabled": False}}, {"results": ON, "session": KEYS}, False),
        ({}, {"session": KEYS, "endpoints": {"/two": {"results": ON}}}, True),
        ({}, {"session": KEYS, "endpoints": {"/two": {"results": {"budget": 100}}}}, False),
    ],
)
def test_results_that_other_processes_cannot_read(
    server: dict[str, Any], lockgate: dict[str, Any], noted: bool, tmp_path: Path
) -> None:
    assert found(tmp_path, server, **lockgate) == (["results-unshared"] if noted else [])


@pytest.mark.parametrize(
    ("lockgate", "noted"),
    [
        ({"compact": DIFF}, 1),
        ({"compact": DIFF, "results": ON}, 0),
        ({"compact": {"repeats": "suppress"}}, 0),
        ({"endpoints": {"/mcp": {}, "/two": {"compact": DIFF}}}, 1),
        ({"endpoints": {"/two": {"compact": DIFF, "results": ON}}}, 0),
        ({"results": ON, "endpoints": {"/two": {"compact": DIFF, "servers": ["a"]}}}, 0),
        (
            {
                "results": ON,
                "endpoints": {"/two": {"compact": DIFF, "results": {"enabled": False}}},
            },
            1,
        ),
    ],
)
def test_changes_of_results_that_nobody_keeps(
    lockgate: dict[str, Any], noted: int, tmp_path: Path
) -> None:
    assert found(tmp_path, {}, **lockgate) == ["repeats-unkept"] * noted
