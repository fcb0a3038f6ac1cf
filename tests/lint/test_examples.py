"""The examples of the rules against the frameworks themselves: what is good there also runs."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import ModuleType
from unittest.mock import MagicMock

import pytest

from lockgate.lint.rule import whole
from lockgate.lint.rules import RULES

pytest.importorskip("mcp")
pytest.importorskip("fastmcp")
_IMPORTS = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("name", RULES)
def test_a_good_example_makes_a_server(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = whole(RULES[name].good)
    for package in sorted(set(_IMPORTS.findall(text)) - {"__future__"}):
        if importlib.util.find_spec(package) is None:  # a client library: nothing is called
            monkeypatch.setitem(sys.modules, package, MagicMock())
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)  # where its annotations are looked up
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)  # noqa: S102 - an example of ours
    assert {"mcp", "server", "app"} & module.__dict__.keys()
