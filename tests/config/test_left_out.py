"""What does not fit is never served without: the file is refused, and the place is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine

WHOLE: dict[str, Any] = {
    "mcpServers": {
        "docs": {
            "url": "http://127.0.0.1:9/mcp",
            "headers": {"X-Team": "red"},
            "retry": {"attempts": 2},
            "tools": {"pay": {"scopes": ["pay"]}},
            "auth": {"type": "oauth", "client_id": "me"},
        },
        "notes": {"command": "true", "args": ["x"], "env": {"A": "b"}},
    },
    "lockgate": {
        "port": 4999,
        "auth": {
            "issuers": [
                {
                    "issuer": "https://idp.example.com",
                    "introspection": {"client_id": "me", "client_secret": "mine"},
                    "claims": {"groups": ["groups"]},
                }
            ],
            "scopes": ["mcp"],
        },
        "endpoints": {"/red/mcp": {"servers": ["docs"], "auth": {"scopes": ["red"]}}},
        "access": {
            "rules": [
                {"allow": "docs", "who": {"group": "red", "claims": {"team": "a"}}},
                {"allow": {"tools": "docs/*"}, "unless": [{"id": "key:x"}]},
                {"allow": ["docs"], "args": {"a": 1, "b": [1], "c": {"at_least": 1}}},
            ]
        },
        "limits": {"listen_streams": 10},
        "admin": {"port": 4998},
        "cache": {"enabled": True},
    },
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of everything in a value."""
    yield path
    inner: Any = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    for step, one in inner:
        yield from places(one, (*path, step))


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def look(folder: Path, value: Any) -> tuple[bool, list[str]]:
    """Whether a file is refused, and what is said; what is not refused has to be there in full."""
    path = folder / "mcp.json"
    path.write_text(json.dumps(value, indent=1))
    path.chmod(0o600)
    loaded = examine(path, {"PATH": "/usr/bin:/bin"})
    if loaded.config is not None:
        assert set(loaded.config.servers) == set(value["mcpServers"])
        assert loaded.config.lockgate.port == 4999
        assert loaded.config.lockgate.access.rules
    return loaded.config is None, [f"{one.summary} {one.remedy}" for one in loaded.findings]


def test_the_whole_of_it_is_fine(tmp_path: Path) -> None:
    refused, said = look(tmp_path, WHOLE)
    assert not refused, said


@pytest.mark.parametrize("wrong", [{"zzz": 1}, [[]], "", None, -1])
def test_nothing_that_does_not_fit_is_left_out_in_silence(wrong: Any, tmp_path: Path) -> None:
    for path in places(WHOLE):
        if not path or path == ("mcpServers",):
            continue
        value = deepcopy(WHOLE)
        at(value, path[:-1])[path[-1]] = wrong
        if len(path) == 2 and path[0] == "mcpServers":
            value["mcpServers"][path[1]] = wrong
        refused, said = (True, ["x"]) if path == ("lockgate",) else look(tmp_path, value)
        assert said or not refused, path


def test_a_key_nobody_knows_is_named_wherever_it_stands(tmp_path: Path) -> None:
    own = {"headers", "env", "tools", "endpoints", "args", "claims", "mcpServers"}
    for path in places(WHOLE):
        if not isinstance(at(WHOLE, path), dict) or (path and path[-1] in own):
            continue
        value = deepcopy(WHOLE)
        at(value, path)["zzzq"] = 1
        refused, said = look(tmp_path, value)
        assert refused, path
        assert any("The key 'zzzq' of " in one for one in said), (path, said)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (
            {"allow": "docs", "who": {"groups": "red"}},
            "The key 'groups' of `lockgate.access.rules.0.who` is not known. Did you mean 'group'?",
        ),
        (
            {"allow": "docs", "who": [{"id": "a"}, {"groups": "red"}]},
            (
                "The key 'groups' of `lockgate.access.rules.0.who.1` is not known. "
                "Did you mean 'group'?"
            ),
        ),
        (
            {"allow": "docs", "args": {"a": {"atleast": 1}}},
            (
                "The key 'atleast' of `lockgate.access.rules.0.args.a` is not known. "
                "Did you mean 'at_least'?"
            ),
        ),
        (
            {"allow": "docs", "who": {"group": 5}},
            (
                "`lockgate.access.rules.0.who.group`: a string is needed, not a number. "
                "See `group` in docs/configuration.md."
            ),
        ),
        (
            {"allow": ["docs", 5]},
            (
                "`lockgate.access.rules.0.allow.1`: a string is needed, not a number. "
                "See `allow` in docs/configuration.md."
            ),
        ),
        (
            {"allow": "docs", "args": {"a": [{}]}},
            (
                "`lockgate.access.rules.0.args.a.0`: a text, a number, true or false is needed. "
                "See `a` in docs/configuration.md."
            ),
        ),
    ],
)
def test_short_forms_are_named_as_they_were_written(rule: Any, says: str, tmp_path: Path) -> None:
    value = deepcopy(WHOLE)
    value["lockgate"]["access"]["rules"] = [rule]
    assert look(tmp_path, value) == (True, [says])
