"""Rules that contradict themselves or name what does not exist are found before the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lockgate.config.load import examine

SERVERS: dict[str, Any] = {"github": {"command": "true"}, "docs": {"command": "true"}}


def found(folder: Path, rules: list[Any], **settings: Any) -> list[tuple[str, str, str]]:
    """(finding, what it says, what to do) of a configuration with these rules."""
    path = folder / "mcp.json"
    text = {"servers": SERVERS, "lockgate": {"access": {"rules": rules}, **settings}}
    path.write_text(json.dumps(text))
    path.chmod(0o600)
    findings = examine(path, {"PATH": "/usr/bin:/bin", "KEYS": "{}"}).findings
    return [(one.id, one.summary, one.remedy) for one in findings if "access" in one.id]


@pytest.mark.parametrize(
    ("rule", "kind", "remedy"),
    [
        ({"allow": "gihub/x"}, "access-name", "Did you mean github/x?"),
        ({"allow": "github__x"}, "access-name", "Write github/x: a tool's own name"),
        ({"allow": "nothing*"}, "access-name", "There are: github, docs."),
        ({"deny": ["docs", "doc/x"]}, "access-name", "Did you mean docs/x?"),
        ({"allow": "docs", "endpoints": "/mpc"}, "access-name", "Did you mean /mcp?"),
        ({"allow": "github/github__x"}, "access-impossible", "Write github/x"),
        ({"allow": {"tools": "docs/file:///x"}}, "access-impossible", "below `resources`"),
        ({"allow": {"resources": "docs/x"}}, "access-impossible", "Write the whole URI"),
    ],
)
def test_names_that_lead_nowhere(rule: Any, kind: str, remedy: str, tmp_path: Path) -> None:
    [(id_, summary, does)] = found(tmp_path, [{"name": "mine", **rule}, {"allow": "*"}])
    assert id_ == kind
    assert summary.startswith("Access, mine: ")
    assert remedy in does


def test_sound_rules_are_not_complained_of(tmp_path: Path) -> None:
    rules = [
        {"allow": "*"},
        {"allow": ["docs", "git*/get_*"], "endpoints": "/open*/mcp"},
        {"hide": {"resources": ["docs/*", "docs/file:///x"], "prompts": "docs/p"}},
    ]
    assert found(tmp_path, rules, endpoints={"/openai/mcp": {}}) == []


def test_rules_of_one_name_and_rules_that_allow_nothing(tmp_path: Path) -> None:
    twice = [{"name": "x", "allow": "docs"}, {"name": "x", "deny": "docs"}]
    assert [one[0] for one in found(tmp_path, twice)] == ["access-name"]
    assert [one[0] for one in found(tmp_path, [{"deny": "docs"}])] == ["access-nothing"]


def test_rules_about_callers_whom_nobody_knows(tmp_path: Path) -> None:
    rules = [{"allow": "docs"}, {"allow": "github", "who": {"group": "a"}}]
    [(id_, summary, _)] = found(tmp_path, rules)
    assert id_ == "access-nobody"
    assert "rule 2: `who`" in summary
    assert found(tmp_path, rules, auth={"keys_env": "KEYS"}) == []


def test_scopes_that_nobody_can_have(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    server = {"command": "true", "tools": {"write_*": {"scopes": "w"}}}
    path.write_text(json.dumps({"servers": {"files": server}}))
    found = [one.id for one in examine(path, {"PATH": "/usr/bin:/bin"}).findings]
    assert found == ["access-nobody"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({}, "and this has none"),
        ({"allow": "docs", "deny": "docs"}, "`allow` and `deny`"),
        ({"deny": "docs", "scopes": "x"}, "`scopes` go with `allow`"),
        ({"hide": "docs", "args": {"x": 1}}, "cannot depend on arguments"),
        ({"allow": {"resources": "docs/*"}, "args": {"x": 1}}, "resources have no arguments"),
        ({"allow": {"prompts": "docs/*"}, "annotations": {"readOnlyHint": True}}, "only tools"),
        ({"allow": {}}, "name something"),
        ({"allow": "docs/"}, "is no pattern"),
        ({"allow": "docs", "who": {}}, "name somebody"),
        ({"allow": "docs", "args": {"x": {}}}, "say what has to hold"),
        ({"allow": "docs", "args": {"x": {"present": True, "at_least": 1}}}, "stands alone"),
        ({"allow": "docs", "annotations": {"niceHint": True}}, "annotations"),
        ({"allow": "docs", "alow": "x"}, "alow"),
    ],
)
def test_rules_that_contradict_themselves(rule: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"servers": SERVERS, "lockgate": {"access": {"rules": [rule]}}}))
    loaded = examine(path, {"PATH": "/usr/bin:/bin"})
    assert loaded.config is None
    assert any(says in one.summary for one in loaded.findings), list(loaded.findings)


def test_the_nearest_key_of_a_rule_is_suggested(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    rule = {"allow": "docs", "endpoint": "/mcp"}
    path.write_text(json.dumps({"servers": SERVERS, "lockgate": {"access": {"rules": [rule]}}}))
    [one] = examine(path, {"PATH": "/usr/bin:/bin"}).findings
    assert (one.id, "endpoints" in one.remedy) == ("unknown-key", True)


@pytest.mark.parametrize("key", ["who", "unless"])
def test_an_id_that_nobody_can_have_is_named(key: str, tmp_path: Path) -> None:
    rules: list[Any] = [{"allow": "*"}, {"name": "mine", "deny": "docs", key: {"id": "ci"}}]
    [(kind, said, remedy)] = found(tmp_path, rules, auth={"keys_env": "KEYS"})
    assert (kind, said) == ("access-impossible", "Access, mine: no caller has the id 'ci'.")
    assert "key:ci" in remedy
    for fine in ("key:ci", "c*", "https://idp.example.com#ci", "anonymous"):
        rules[1][key] = [{"id": ["key:x", fine]}]
        assert found(tmp_path, rules, auth={"keys_env": "KEYS"}) == []
