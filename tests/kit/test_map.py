"""The map leads to every block, and looking at it loads nothing heavy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate import kit

HEAVY = {"redis", "pydantic", "mcp", "mcp_types", "fastmcp", "starlette", "uvicorn", "nh3", "click"}
ROOT = Path(__file__).resolve().parents[2]


def loaded(*names: str) -> set[str]:
    asked = "; ".join(["from lockgate import kit", *(f"kit.{name}" for name in names)])
    code = f"{asked}; import sys, json; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


def test_every_block_is_on_the_map_and_has_a_page() -> None:
    listed = re.findall(r"^\s*\| `(\w+)` ", str(kit.__doc__), re.MULTILINE)
    assert listed == kit.__all__ == dir(kit)
    pages = {path.stem for path in ROOT.glob("docs/kit/*.md")} - {"index"}
    assert pages == set(kit.__all__)
    assert all(getattr(kit, name).__name__ == f"lockgate.kit.{name}" for name in listed)


def test_no_block_is_loaded_before_it_is_asked_for() -> None:
    assert not {name for name in loaded() if name.startswith("lockgate.kit.")}


def test_all_blocks_together_load_no_sdk_and_no_extra() -> None:
    found = {name.partition(".")[0] for name in loaded(*kit.__all__)}
    assert not found & HEAVY


def test_what_is_not_there_is_no_block() -> None:
    with pytest.raises(AttributeError, match="no attribute 'everything'"):
        _ = kit.everything  # pyright: ignore[reportAttributeAccessIssue] - that is the test
