"""`lockgate lint`, for people and for programs, and the pages made from its rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lockgate.cli.main import program
from lockgate.lint import page
from lockgate.lint.rule import OPENING
from lockgate.lint.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
MILD = OPENING + "\n@mcp.tool()\ndef t(n) -> int:\n    '''Do.'''\n    return n\n"
GRAVE = MILD + "\n\n@mcp.tool()\ndef e(x: str) -> str:\n    '''Run.'''\n    return eval(x)\n"


def lint(*args: object) -> Result:
    return CliRunner().invoke(program, ["lint", *map(str, args)], standalone_mode=False)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(GRAVE)
    return path


def test_the_exit_code_says_how_grave(server: Path) -> None:
    assert lint(server).return_value == 8
    assert lint(server, "--fail-on", "never").return_value == 0
    server.write_text(MILD)
    assert lint(server).return_value == 7
    assert lint(server, "--fail-on", "block").return_value == 0
    server.write_text(MILD.replace("(n)", "(number: int)").replace("return n", "return number"))
    assert lint(server, "--fail-on", "note").return_value == 0
    server.write_text("def f(:")
    assert lint(server).return_value == 1


def test_one_object_a_line(server: Path) -> None:
    rows: list[dict[str, Any]] = [
        json.loads(one) for one in lint(server, "--json").stdout.splitlines()
    ]
    (grave,) = [one for one in rows if one["severity"] == "block"]
    assert grave["id"] == "code-executed"
    assert (grave["line"], grave["where"], grave["evidence"]) == (15, "tool e", "eval(x)")
    assert grave["file"].endswith("server.py")
    assert grave["remedy"] == RULES["code-executed"].remedy


def test_sarif(server: Path) -> None:
    report = json.loads(lint(server, "--sarif").stdout)
    (run,) = report["runs"]
    rules = {one["id"]: one for one in run["tool"]["driver"]["rules"]}
    (grave,) = [one for one in run["results"] if one["ruleId"] == "code-executed"]
    assert grave["level"] == rules["code-executed"]["defaultConfiguration"]["level"] == "error"
    assert rules["code-executed"]["shortDescription"]["text"] == RULES["code-executed"].summary
    assert grave["locations"][0]["physicalLocation"]["region"]["startLine"] == 15


def test_for_people(server: Path) -> None:
    told = lint(server).stdout
    assert f"{server}:15:12" in told
    assert "block: Text is run as a program of this process." in told
    assert "in tool e  [code-executed]" in told
    assert "1 file of servers (1 read), 2 handlers: 1 block, 1 review, 2 notes" in told


def test_a_rule_explains_itself_and_a_slip_is_corrected() -> None:
    told = lint("--explain", "sql-built").stdout
    assert RULES["sql-built"].why.split()[0] in told
    assert "Not found in:" in told
    refused = lint("--explain", "sql-bulit")
    assert "Did you mean 'sql-built'?" in str(refused.exception)


def test_the_page_is_that_of_the_rules() -> None:
    written = (ROOT / page.PAGE).read_text("utf-8")
    assert written == page.written(), "run: python -m lockgate.lint.page"
