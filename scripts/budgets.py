"""The size budgets of this repository, checked: one line per breach, exit code 1 if there is any.

Must not know: what the code does. Complexity per function is ruff's (C901), layers are Import
Linter's; this is the rest: lengths, names, the docstring that opens every file, and the reason
beside whatever silences a check.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "lockgate"

# Lines a file may have, by folder; the first that matches counts.
FILE_LINES = {
    "src/lockgate/policies": 200,
    "src": 500,
    "scripts": 500,
    "demo": 500,
    "bench": 500,
    "tests": 600,
}
MEDIAN_FUNCTION_LINES = 10

SILENCED = re.compile(
    r"# (?:noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*|(?:type|pyright): ignore(?:\[[\w, -]+\])?)(.*)"
)
"""What silences a check for one line, and what stands behind it: the reason."""

# Names that say nothing, and names of other projects for things that have a word here.
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc"}
OTHER_WORDS = {
    "middleware": "Policy",
    "plugin": "Policy",
    "hook": "Policy",
    "pipeline": "Chain",
    "backend": "Upstream",
    "payload": "Call or Reply",
    "repository": "Store",
}


def main() -> int:
    """Check every Python file; returns the exit code."""
    breaches: list[str] = []
    lengths: list[int] = []
    files = 0
    for path in sorted(python_files()):
        files += 1
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, str(path))
        name = path.relative_to(ROOT).as_posix()
        breaches += [f"{name}: {what}" for what in judge(name, text, tree)]
        if path.is_relative_to(SOURCE):
            lengths += [length(node) for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    median = statistics.median(lengths)
    if median > MEDIAN_FUNCTION_LINES:
        breaches.append(
            f"src: the median function has {median:g} lines, at most {MEDIAN_FUNCTION_LINES}"
        )
    for breach in breaches:
        print(breach)
    print(
        f"{files} files, {len(lengths)} functions in src with a median of {median:g} lines: "
        f"{len(breaches)} over budget"
    )
    return 1 if breaches else 0


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def python_files() -> Iterator[Path]:
    """Every Python file this repository is made of."""
    for folder in ("src", "tests", "bench", "demo", "scripts"):
        yield from (ROOT / folder).rglob("*.py")


def judge(name: str, text: str, tree: ast.Module) -> Iterator[str]:
    """What is wrong with one file, if anything."""
    allowed = next(limit for folder, limit in FILE_LINES.items() if name.startswith(f"{folder}/"))
    lines = text.count("\n")
    if lines > allowed:
        yield f"{lines} lines, at most {allowed}: split it by concern"
    # A test file's name says what it tests.
    named = name.startswith("tests/") and Path(name).stem.startswith("test_")
    if text.strip() and not named and ast.get_docstring(tree) is None:
        yield "no docstring saying what this file is and what it must not know"
    yield from unexplained(text)
    yield from misnamed("file", Path(name).stem)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from misnamed("class", node.name)


def unexplained(text: str) -> Iterator[str]:
    """The lines that silence a check and do not say why, behind it or behind the line below."""
    lines = [*text.splitlines(), ""]
    for number, (line, below) in enumerate(pairwise(lines), 1):
        found = SILENCED.search(line)
        said = found is None or re.search(r"[A-Za-z]", SILENCED.sub(r"\1", found[1]))
        if not said and "# " not in below:
            yield f"line {number} silences a check: write the reason behind it"


def misnamed(kind: str, name: str) -> Iterator[str]:
    """What is wrong with the words a file or class name is made of."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    for word in sorted(words & EMPTY_WORDS):
        yield f"{kind} name {name!r} contains {word!r}: say what it does"
    for word in sorted(words & OTHER_WORDS.keys()):
        yield f"{kind} name {name!r} contains {word!r}: the word here is {OTHER_WORDS[word]}"


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


if __name__ == "__main__":
    sys.exit(main())
