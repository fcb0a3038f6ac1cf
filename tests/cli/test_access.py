"""`lockgate access explain`: the verdict, the rule that decided, and why others did not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lockgate.cli.main import program
from lockgate.config.load import examine
from tests.cli.program import config_file, run, tiny

DOCS = Path(__file__).parents[2] / "docs/security/access.md"
RULES: list[Any] = [
    {"name": "readers", "allow": ["a/add", "a/rows"]},
    {"name": "writers", "allow": "a", "who": {"group": "w", "claims": {"level": "3"}}},
    {"allow": "b/*", "scopes": ["x", "y"], "endpoints": "/mcp"},
    {"deny": "a/rows", "args": {"n": {"at_least": 10}}, "unless": {"client": "cli"}},
    {"allow": "b/look", "annotations": {"readOnlyHint": True}},
    {"approve": "a/fail"},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return config_file(
        tmp_path,
        {"a": tiny(), "b": tiny()},
        access={"rules": RULES},
        auth={"keys_env": "KEYS", "scopes_implied": {"all": ["x", "y"]}},
        endpoints={"/other": {}, "/some": {"servers": ["a"], "tools": "a/add", "naming": "auto"}},
    )


def explain(file: Path, *args: str) -> Any:
    """What is said; a slip of the pen ends with exit code 2, a verdict has a `return_value`."""
    words = ["access", "explain", str(file), *args]
    done = CliRunner().invoke(program, words, standalone_mode=False)
    return CliRunner().invoke(program, words) if done.exception else done


@pytest.mark.parametrize(
    ("args", "verdict", "rule", "exits"),
    [
        ("a/add", "allow", "readers", 0),
        ("a__add", "allow", "readers", 0),
        ("a/slow", "hide", None, 5),
        ("a/slow --group w --claim level=3", "allow", "writers", 0),
        ("a/rows n=9", "allow", "readers", 0),
        ("a/rows n=10", "deny", "rule 4", 5),
        ("a/rows n:=[1,20]", "deny", "rule 4", 5),
        ("a/rows n=10 --client cli", "allow", "readers", 0),
        ("b/put --as bob --scope x", "scopes", "rule 3", 5),
        ("b/put --as bob --scope all", "allow", "rule 3", 0),
        ("b/put --endpoint /other --scope all", "hide", None, 5),
        ("add --endpoint /some", "allow", "readers", 0),
        ("rows --endpoint /some", "hide", None, 5),
        ("b/put --endpoint /some --scope all", "hide", None, 5),
        ("b/look", "scopes", "rule 3", 5),
        ("b/look --annotation readOnlyHint=true", "allow", "rule 5", 0),
        ("a/fail --group w --claim level=3", "approve", "rule 6", 5),
        ("b/file:///x --kind resource --scope all", "allow", "rule 3", 0),
    ],
)
def test_verdicts(file: Path, args: str, verdict: str, rule: str | None, exits: int) -> None:
    done = explain(file, *args.split(), "--json")
    assert done.return_value == exits, done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == verdict
    assert (told["rule"] or {"name": None})["name"] == rule
    assert len(told["rules"]) == len(RULES)
    for one in told["rules"]:
        assert one["matches"] == (not one["missed"])
        assert re.fullmatch(r".*mcp\.json:\d+", one["place"])


def test_the_verdict_is_the_exit_code(file: Path) -> None:
    assert run("access", "explain", file, "a/slow").returncode == 5


def test_it_is_written_for_people(file: Path) -> None:
    said = explain(file, "b/put", "--as", "bob", "--scope", "x").stdout
    assert said.startswith("tool b/put: refused: scopes are missing\n")
    assert "  missing  y\n" in said
    assert "→ allow   rule 3: matches" in said
    assert "deny    rule 4: is about other things" in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["c/x"], "No server of the configuration is meant by 'c/x'"),
        (["aa/x"], "Did you mean a/x?"),
        (["a/x", "--endpoint", "/othr"], "Did you mean /other?"),
        (["a/x", "word"], "'word' is not of the form KEY=VALUE"),
        (["a/x", "k:={"], "no JSON"),
        (["a/x", "k=1", "k.j=2"], "k has a value already"),
        (["a/x", "--annotation", "nice=true"], "is no annotation"),
    ],
)
def test_slips_are_told(file: Path, args: list[str], says: str) -> None:
    done = explain(file, *args)
    assert done.exit_code == 2
    assert says in done.stderr


def test_a_caller_with_a_key_has_what_the_key_has(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    new = ["keys", "new", str(keys), "builds", "--group", "w", "--scope", "all"]
    assert CliRunner().invoke(program, new).exit_code == 0
    rules = [{"allow": "a/put", "who": {"group": "w"}, "scopes": "x"}]
    file = config_file(
        tmp_path,
        {"a": tiny(), "b": tiny()},
        access={"rules": rules},
        auth={"keys_file": "keys.json", "scopes_implied": {"all": ["x"]}},
        endpoints={"/one": {"servers": ["a"], "naming": "bare"}},
    )
    known = explain(file, "a/put", "--as", "key:builds")
    assert known.return_value == 0, known.output
    assert "caller   key:builds (groups w; scopes all, x)" in known.stdout
    unknown = explain(file, "a/put", "--as", "key:bulids")
    assert unknown.return_value == 5
    assert "no API key of the name 'bulids'. Did you mean key:builds?" in unknown.stderr
    told = explain(file, "a/put", "--as", "key:bulids", "--group", "w", "--scope", "x")
    assert told.return_value == 0
    slip = explain(file, "bb/put", "--endpoint", "/one")
    assert "Did you mean b/put?" in slip.stderr
    keys.write_text("[]")
    unread = explain(file, "a/put", "--as", "key:builds")
    assert unread.return_value == 5
    assert "Groups and scopes are those of the options alone." in unread.stderr


def test_without_a_tool_everything_that_is_seen_is_listed(file: Path) -> None:
    done = run("access", "explain", file, "--json", KEYS='{"keys": []}')
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tools"] == ["a__add", "a__rows"] + [
        f"b__{name}" for name in ("add", "fail", "rows", "slow", "colour")
    ]
    text = run("access", "explain", file, "--endpoint", "/mcp", KEYS='{"keys": []}')
    assert "tool     a__add\n" in text.stdout


SERVERS = ("github", "files", "bank", "web", "crm", "mail")
CONFIGURED = """\
servers:
  {servers}
lockgate:
  access:
    rules:
"""


def test_rules_of_the_documentation_are_sound(tmp_path: Path) -> None:
    found = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found
    servers = "\n  ".join(f"{name}: {{command: python3}}" for name in SERVERS)
    for number, block in enumerate(found):
        path = tmp_path / f"{number}.yaml"
        if block.startswith("lockgate:"):
            path.write_text(f"servers:\n  {servers}\n{block}")
        else:
            rules = "".join(f"      {line}\n" for line in block.splitlines())
            path.write_text(CONFIGURED.format(servers=servers) + rules)
        findings = examine(path, {"PATH": "/usr/bin:/bin"}).findings
        assert [one for one in findings if one.severity == "error"] == []
