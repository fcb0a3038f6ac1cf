"""What must hold for the repository as a whole: layers, the weight of an import, docs, the scripts.

Must not know: what any part does.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from scripts import budgets

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "lockgate"
BOUNDED = ROOT / "scripts" / "bounded.py"


def run(*command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after a statement in a fresh interpreter."""
    code = f"{statement}; import sys, json; print(json.dumps([*sys.modules]))"
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_the_package_is_light() -> None:
    heavy = {"redis", "opentelemetry", "mcp", "mcp_types", "fastmcp", "starlette", "uvicorn"}
    terminal = {"rich", "click", "ruamel"}
    assert not loaded_by("import lockgate") & (heavy | terminal)


def test_starting_the_command_imports_no_sdk() -> None:
    pytest.importorskip("lockgate.cli.main")
    loaded = loaded_by("import lockgate.cli.main")
    assert not loaded & {"redis", "opentelemetry", "mcp", "mcp_types", "fastmcp"}


def test_every_folder_has_its_layer() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(one for one in contracts if one["id"] == "layers")["layers"]
    named = {word.strip(" ()") for line in layers for word in line.split("|")}
    folders = {path.parent.name for path in SOURCE.glob("*/*.py")}
    assert folders - named - {"testing"} == set()


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text):
        if "://" in target:
            continue
        other = page.parent / target if target else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What links into a page may end in: its headings, spelled as hosts of repositories do."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.strip().lower()).replace(" ", "-") for one in headings}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert {page for page in pages - {"index.md"} if f"({page})" not in index} == set()


def test_changelog_fragments_have_a_kind() -> None:
    kinds = "added|changed|fixed|removed|security"
    names = {path.name for path in (ROOT / "changelog.d").iterdir()} - {"README.md"}
    assert {name for name in names if not re.fullmatch(rf"({kinds})-[a-z0-9-]+\.md", name)} == set()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("src/lockgate/core/utils.py", "say what it does"),
        ("src/lockgate/core/http_backend.py", "Upstream"),
        ("tests/core/test_empty.py", None),
    ],
)
def test_budgets_judge_file_names(name: str, said: str | None) -> None:
    text = '"""What it is."""\n'
    breaches = list(budgets.judge(name, text, ast.parse(text)))
    assert breaches == [] if said is None else said in breaches[0]


def test_budgets_judge_length_docstring_and_class_names() -> None:
    text = "class SessionManager:\n    pass\n" + "x = 1\n" * 200
    breaches = list(budgets.judge("src/lockgate/policies/one.py", text, ast.parse(text)))
    for word, said in zip(("lines", "docstring", "manager"), breaches, strict=True):
        assert word in said


@pytest.mark.parametrize(
    ("line", "breaches"),
    [
        ("x = 1  # noqa: " + "N815", 1),
        ("x = 1  # noqa: " + "N815, S101 - the wire's spelling", 0),
        ("x = 1  # noqa: " + "N815  # the wire's spelling", 0),
        ("x = 1  # pyright: " + "ignore[reportArgumentType]", 1),
        ("x = 1  # type: " + "ignore[attr-defined]  # ours", 0),
        ("x = 1  # type: " + "ignore", 1),
    ],
)
def test_budgets_want_a_reason_beside_what_silences_a_check(line: str, breaches: int) -> None:
    assert len(list(budgets.unexplained(line))) == breaches


def test_budgets_do_not_count_a_docstring() -> None:
    text = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n'
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert budgets.length(function) == 2


def test_a_bounded_command_keeps_its_exit_code() -> None:
    done = run(sys.executable, str(BOUNDED), "30", sys.executable, "-c", "raise SystemExit(7)")
    assert done.returncode == 7


def test_a_bounded_command_is_ended_with_what_it_started() -> None:
    # The grandchild holds the pipe: reading ends only when it is gone as well.
    inner = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    command = [sys.executable, str(BOUNDED), "0.5", sys.executable, "-c", inner]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.read() == ""
        assert process.wait(60) == 124
    finally:
        process.kill()
        process.communicate()
