"""Which functions are taken for handlers, in the ways the frameworks have."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import LockgateError
from lockgate.lint.run import lint
from tests.lint.servers import looked

WAYS = {
    "sdk": "from mcp.server import MCPServer\nm = MCPServer('x')\n@m.tool()\ndef f(a): ...\n",
    "first sdk": (
        "from mcp.server.fastmcp import FastMCP\nm = FastMCP('x')\n@m.tool()\ndef f(a): ...\n"
    ),
    "no brackets": "from fastmcp import FastMCP\nm = FastMCP('x')\n@m.tool\ndef f(a) -> int: ...\n",
    "alone": "from fastmcp.tools import tool\n@tool\ndef f(a) -> int: ...\n",
    "called": "from fastmcp import FastMCP\nm = FastMCP('x')\ndef f(a): ...\nm.tool(f)\n",
    "called twice": (
        "import fastmcp\nm = fastmcp.FastMCP('x')\ndef f(a): ...\nm.tool(name='g')(f)\n"
    ),
    "added": "from fastmcp import FastMCP\nm = FastMCP('x')\ndef f(a): ...\nm.add_tool(f)\n",
    "in a function": (
        "from fastmcp import FastMCP\ndef register(m: FastMCP):\n    @m.tool()\n    def f(a): ...\n"
    ),
    "method": (
        "from fastmcp import FastMCP\nclass T:\n    def __init__(self, m: FastMCP):\n"
        "        m.tool()(self.f)\n    def f(self, a): ...\n"
    ),
    "subclass": (
        "from fastmcp import FastMCP\nclass S(FastMCP):\n    def set_up(self):\n"
        "        def f(a): ...\n        self.tool(f)\n"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_tool_is_known_however_it_is_registered(way: str, tmp_path: Path) -> None:
    report = looked(tmp_path, server=WAYS[way])
    found = {one.rule for file in report.files for one in file.problems}
    assert {"parameter-untyped", "tool-undescribed"} <= found
    assert report.handlers == 1


OTHERS = {
    "another framework": (
        "import fastmcp\nfrom pydantic_ai import Agent\nm = Agent('x')\n@m.tool\ndef f(a): ...\n"
        "fastmcp.FastMCP('x')\n"
    ),
    "a context": (
        "from fastmcp import Context, FastMCP\nm = FastMCP('x')\n@m.tool\n"
        "def f(c: Context | None = None) -> int:\n    '''Say.'''\n"
    ),
    "an injected value": (
        "from fastmcp import FastMCP\nfrom fastmcp.dependencies import Depends\nm = FastMCP('x')\n"
        "@m.tool\ndef f(secret=Depends(print)) -> int:\n    '''Say.'''\n"
    ),
}


@pytest.mark.parametrize("way", OTHERS)
def test_what_is_no_parameter_of_a_tool_is_left_alone(way: str, tmp_path: Path) -> None:
    report = looked(tmp_path, server=OTHERS[way])
    assert [one.rule for file in report.files for one in file.problems] == []


def test_a_server_of_another_file_and_functions_of_another_file(tmp_path: Path) -> None:
    report = looked(
        tmp_path,
        app____init__="",
        app__server=(
            "from mcp.server import MCPServer\nfrom .work import halve\nmcp = MCPServer('x')\n"
            "mcp.tool()(halve)\nfrom . import more\n"
        ),
        app__work="def halve(n): ...\n",
        app__more="from .server import mcp\n@mcp.tool()\ndef double(n): ...\n",
        app__apart="def apart(n):\n    print(n)\n",
    )
    found = {(file.path.stem, one.within) for file in report.files for one in file.problems}
    assert found == {("work", "halve"), ("more", "double")}


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    report = looked(tmp_path, server=WAYS["sdk"], broken="def f(:\n", odd="\0")
    errors = {file.path.stem: file.error for file in report.files if file.error}
    assert errors.keys() == {"broken", "odd"}
    assert "line 1" in str(errors["broken"])


def test_no_server_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(LockgateError) as caught:
        looked(tmp_path, plain="x = 1\n")
    assert caught.value.reason == "lint-nothing"
    with pytest.raises(LockgateError) as caught:
        lint([tmp_path / "nothing"])
    assert caught.value.reason == "lint-unreadable"


def test_without_ruff_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ruff", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LockgateError) as caught:
        looked(tmp_path, server=WAYS["sdk"])
    assert "lockgate[lint]" in (caught.value.remedy or "")
