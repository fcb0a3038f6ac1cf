"""The compiled build: what may be compiled, and that what should be compiled is what runs.

Must not know: what the modules do. That a compiled Lockgate behaves as the other one is shown by
the tests of its parts, run with `make native-test`; LOCKGATE_BUILD tells this file which build they
are meant to run against.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from lockgate import build
from scripts import native

ROOT = Path(__file__).resolve().parents[1]
MODULES = native.modules()
LATER = (ast.Await, ast.AsyncWith, ast.AsyncFor)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def source(module: str) -> Path:
    return ROOT.joinpath("src", *module.split(".")).with_suffix(".py")


def tree(module: str) -> ast.Module:
    return ast.parse(source(module).read_text(encoding="utf-8"), module)


def within(nodes: list[ast.stmt]) -> Iterator[ast.AST]:
    """Everything in these statements but the functions defined there."""
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [one for one in ast.iter_child_nodes(node) if not isinstance(one, FUNCTIONS)]


def coroutines(module: str) -> Iterator[ast.AsyncFunctionDef]:
    return (one for one in ast.walk(tree(module)) if isinstance(one, ast.AsyncFunctionDef))


def classes(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The classes of a file with the names of their bases."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node.name, [ast.unparse(one).partition("[")[0] for one in node.bases]


def imported(path: Path) -> dict[str, tuple[str, str]]:
    """What a file calls by which name: the module and the name there."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {one.asname or one.name: (node.module, one.name) for one in node.names}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_module_named_is_there(module: str) -> None:
    assert source(module).is_file()


@pytest.mark.parametrize("module", MODULES)
def test_no_struct_is_compiled(module: str) -> None:
    """msgspec would find neither its options (frozen, gc) nor the types of its fields."""
    found = [name for name, bases in classes(source(module)) if "msgspec.Struct" in bases]
    assert found == []


@pytest.mark.parametrize("module", MODULES)
def test_no_compiled_coroutine_waits_while_an_error_is_handled(module: str) -> None:
    """The compiler would leave that error behind in whatever runs meanwhile, and may crash."""
    found: list[int] = []
    for coroutine in coroutines(module):
        for node in within(coroutine.body):
            if isinstance(node, ast.AsyncWith) and not _leaves_at_once(node):
                # How it is left is a handler of errors, which waits.
                found += [one.lineno for one in within(node.body) if isinstance(one, LATER)]
            if isinstance(node, ast.Try):
                handling = [one for handler in node.handlers for one in handler.body]
                found += [
                    one.lineno
                    for one in within(handling + node.finalbody)
                    if isinstance(one, LATER)
                ]
    assert found == []


def _leaves_at_once(node: ast.AsyncWith) -> bool:
    return all(ast.unparse(one.context_expr).startswith("asyncio.timeout(") for one in node.items)


@pytest.mark.parametrize("module", MODULES)
def test_no_compiled_coroutine_calls_two_kinds_of_errors_by_one_name(module: str) -> None:
    """The compiler would take the second for one of the first kind, and raise a TypeError."""
    for coroutine in coroutines(module):
        kinds: dict[str, set[str]] = {}
        for node in within(coroutine.body):
            if isinstance(node, ast.ExceptHandler) and node.name and node.type:
                kinds.setdefault(node.name, set()).add(ast.unparse(node.type))
        assert {name: one for name, one in kinds.items() if len(one) > 1} == {}


def test_nothing_interpreted_derives_from_what_is_compiled() -> None:
    compiled = {(module, name) for module in MODULES for name, _ in classes(source(module))}
    found: list[str] = []
    for path in sorted(ROOT.glob("src/lockgate/**/*.py")):
        if path in {source(module) for module in MODULES}:
            continue
        names = imported(path)
        for name, bases in classes(path):
            found += [f"{path.name}: {name}" for base in bases if names.get(base) in compiled]
    assert found == []


def test_which_build_runs() -> None:
    """Without LOCKGATE_BUILD, whatever there is, as long as it is one or the other throughout."""
    files = {module: import_module(module).__file__ or "" for module in MODULES}
    pure = {module for module, file in files.items() if file.endswith(".py")}
    assert pure == (set(MODULES) if build.kind() == "pure Python" else set())
    assert build.kind() == os.environ.get("LOCKGATE_BUILD", build.kind())
