"""Every program of the guide is run, and every other block is of a kind that something looks at."""

from __future__ import annotations

import ast
import sys
from types import ModuleType

import pytest

from tests.guide.pages import GUIDE, KINDS, Block, blocks, every

PROGRAMS = every("python run")


@pytest.mark.parametrize("page", [path.stem for path in sorted(GUIDE.glob("*.md"))])
def test_every_block_is_of_a_known_kind(page: str) -> None:
    text = (GUIDE / f"{page}.md").read_text("utf-8")
    fences = sum(line.startswith("```") for line in text.splitlines())
    assert fences % 2 == 0
    found = blocks(page)
    assert len(found) == fences // 2
    others = {"python", "jsonc"}  # of pages that are generated from what is tested
    assert {one.kind for one in found} <= KINDS | others


@pytest.mark.parametrize("block", PROGRAMS, ids=[f"{one.page}-{one.line}" for one in PROGRAMS])
def test_a_program_runs(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("mcp", "fastmcp"):
        pytest.importorskip(package)
    source = "\n" * block.line + block.text  # so that a traceback names the page's own lines
    module = ModuleType("guide_program")
    monkeypatch.setitem(sys.modules, "guide_program", module)
    exec(compile(source, f"{block.page}.md", "exec"), module.__dict__)  # noqa: S102 - a page of ours


def test_a_program_shows_something() -> None:
    """One that asserts nothing would pass whatever happens."""
    for block in PROGRAMS:
        found = [one for one in ast.walk(ast.parse(block.text)) if isinstance(one, ast.Assert)]
        assert found, f"{block.page}, line {block.line}"
