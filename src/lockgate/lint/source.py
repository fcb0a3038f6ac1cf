"""One Python file, read: its tree, what stands above each node, and what its names mean.

Must not know: servers, rules.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_LONGEST_EVIDENCE: Final = 120


class Source:
    """A file that could be parsed.

    path    where it is.
    module  its dotted name, as far as folders with `__init__.py` tell it.
    """

    def __init__(self, path: Path, text: str, module: str = "") -> None:
        """Raises SyntaxError or ValueError when it is no Python of this version."""
        self.path = path
        self.text = text
        self.module = module or path.stem
        self.is_package = path.stem == "__init__"
        self.tree = ast.parse(text)
        self._parents: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node

    @cached_property
    def lines(self) -> list[str]:
        """Its lines with their ends, where Python sees them: not at every end Unicode knows."""
        return lines_in(self.text)

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: `{"Path": "pathlib.Path"}`."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    found[one.asname or one.name.partition(".")[0]] = (
                        one.name if one.asname else one.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                for one in node.names:
                    found[one.asname or one.name] = f"{origin}.{one.name}"
        return found

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call in the file."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    @cached_property
    def functions(self) -> list[FunctionNode]:
        """Every function in the file, methods included."""
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes at the top level of the file that check nothing themselves."""
        return {
            node.name: node
            for node in self.tree.body
            if isinstance(node, ast.ClassDef)
            and "validator" not in (ast.get_source_segment(self.text, node) or "")
        }

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """What is assigned to each name at the top level of the file."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.tree.body:
            for target, value in assignments(node):
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(value)
        return found

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What the node stands in, from the inside out."""
        while node in self._parents:
            node = self._parents[node]
            yield node

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What the node directly stands in."""
        return self._parents.get(node)

    def function_of(self, node: ast.AST) -> FunctionNode | None:
        """The innermost function a node stands in."""
        return next((one for one in self.above(node) if isinstance(one, FUNCTIONS)), None)

    def method_of(self, function: FunctionNode) -> ast.ClassDef | None:
        """The class a function is a method of; None for one that only stands inside a method."""
        parent = self._parents.get(function)
        return parent if isinstance(parent, ast.ClassDef) else None

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class a node stands in."""
        return next((one for one in self.above(node) if isinstance(one, ast.ClassDef)), None)

    def qualified(self, node: ast.AST | None) -> str:
        """What an expression names, with imports followed: `httpx.get`; empty if it is no name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imports.get(node.id, node.id), *reversed(parts)])

    def called(self, call: ast.Call) -> str:
        """What a call calls, with imports followed."""
        return self.qualified(call.func)

    def shown(self, node: ast.AST) -> str:
        """The source of a node on one line, shortened."""
        text = " ".join((ast.get_source_segment(self.text, node) or "").split())
        return text if len(text) <= _LONGEST_EVIDENCE else f"{text[: _LONGEST_EVIDENCE - 1]}…"


def lines_in(text: str) -> list[str]:
    """The lines of a program with their ends."""
    return io.StringIO(text, newline="").readlines()


def assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets and values of a statement that assigns."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value
    elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)) and node.value:
        yield node.target, node.value


def within(function: FunctionNode) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))


def parameters(function: FunctionNode) -> list[ast.arg]:
    """The parameters a caller names, `self` and `cls` left out."""
    found = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [one for one in found if one.arg not in ("self", "cls")]


def defaults(function: FunctionNode) -> dict[str, ast.expr]:
    """The default of each parameter that has one."""
    spec = function.args
    placed = [*spec.posonlyargs, *spec.args]
    found = {
        one.arg: value
        for one, value in zip(reversed(placed), reversed(spec.defaults), strict=False)
    }
    for one, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if value is not None:
            found[one.arg] = value
    return found


def keywords(call: ast.Call) -> dict[str, ast.expr]:
    """The named arguments of a call."""
    return {one.arg: one.value for one in call.keywords if one.arg is not None}


def constant(node: ast.AST | None) -> object:
    """The value of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def root(node: ast.AST) -> str:
    """The name an expression begins with: `a` of `a.b[0].c()`; empty if it begins otherwise."""
    while True:
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Await, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return node.id if isinstance(node, ast.Name) else ""
