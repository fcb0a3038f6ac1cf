"""Which functions are taken for handlers, in the ways the frameworks have."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.errors import LockgateError
from lockgate.lint.run import Report, lint
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
    "wrapped": "import fastmcp, w\nm = fastmcp.FastMCP('x')\ndef f(a): ...\nm.tool()(w.w(f))\n",
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


def found_in(report: Report) -> set[tuple[str, str, str]]:
    return {
        (file.path.stem, one.rule, one.evidence)
        for file in report.files
        for one in file.problems
        if one.severity != "note"
    }


ADD = "@mcp.tool()\ndef add(a: int, b: int) -> int:\n    '''Add {}.'''\n    return a + b\n"


def test_a_tool_that_another_file_has_registered_already(tmp_path: Path) -> None:
    report = looked(
        tmp_path,
        app____init__="",
        app__first="from mcp.server import MCPServer\nmcp = MCPServer('x')\n" + ADD.format(1),
        app__second="from .first import mcp\n" + ADD.format(2),
        app__third="from mcp.server import MCPServer\nmcp = MCPServer('y')\n" + ADD.format(3),
    )
    assert found_in(report) == {("second", "tool-shadowed", "add, and first.py:4")}


@pytest.mark.parametrize(
    ("mounting", "found"),
    [
        ("main.mount(mcp)", True),
        ("main.mount(mcp, namespace='sub')", False),
        ("main.mount(mcp, 'sub')", False),
    ],
)
def test_a_tool_that_is_mounted_over_another(mounting: str, found: bool, tmp_path: Path) -> None:
    head = "from fastmcp import FastMCP\n"
    report = looked(
        tmp_path,
        sub=head + "mcp = FastMCP('sub')\n" + ADD.format(1),
        server=head
        + "from sub import mcp\nmain = FastMCP('main')\n"
        + ADD.format(2).replace("@mcp", "@main")
        + mounting,
    )
    wanted = {("server", "tool-shadowed", "main.mount(mcp): add")}
    assert found_in(report) == (wanted if found else set())


def test_a_store_in_an_object_that_lives_as_long_as_the_server(tmp_path: Path) -> None:
    text = (
        "from mcp.server import MCPServer\nmcp = MCPServer('x')\n"
        "class Limiter:\n    def __init__(self) -> None:\n        self.seen = {}\n"
        "    def allow(self, who: str) -> bool:\n        self.seen[who] = 1\n        return True\n"
        "limiter = Limiter()\n"
        "@mcp.tool()\ndef ask(who: str) -> bool:\n    '''Ask.'''\n    return limiter.allow(who)\n"
    )
    report = looked(tmp_path, server=text)
    assert found_in(report) == {("server", "store-unbounded", "self.seen[who] = 1")}
    bounded = text.replace("= 1\n", "= 1\n        if len(self.seen) > 9:\n            pass\n")
    assert found_in(looked(tmp_path, server=bounded)) == set()
