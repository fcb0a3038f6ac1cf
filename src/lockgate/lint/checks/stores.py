"""What grows with every call: variables of the module, and attributes of objects that live as long.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from lockgate.lint.found import Found
from lockgate.lint.project import File
from lockgate.lint.source import Source, assignments, parameters, within

_EMPTY_CALLS: Final = frozenset(
    {"dict", "list", "set", "collections.defaultdict", "collections.OrderedDict"}
    | {"collections.Counter"}
)
_GROWS: Final = frozenset({"append", "add", "setdefault", "update", "extend", "insert"})
_SHRINKS: Final = frozenset({"pop", "popitem", "popleft", "clear", "remove", "discard"})


def check(file: File) -> Iterator[Found]:
    """Stores that something is put into while a client waits, and that nothing is taken out of."""
    source = file.source
    empty = set(_made_empty(source))
    if not empty:
        return
    for node in ast.walk(source.tree):
        empty -= set(_taken_from(source, node))
    for function in file.reach.handled:
        local = {one.arg for one in parameters(function)}
        for node in within(function):
            name = _grown(source, node)
            if name in empty - local:
                yield Found(rule="store-unbounded", node=node)
                empty.discard(name)


def _place(source: Source, node: ast.AST | None) -> str:
    """What a store is called: `name`, or `Class.name` for an attribute of `self`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner = source.class_of(node) if node.value.id == "self" else None
        return f"{owner.name}.{node.attr}" if owner is not None else ""
    return ""


def _made_empty(source: Source) -> Iterator[str]:
    for name, values in source.assigned.items():
        if len(values) == 1 and _is_empty(source, values[0]):
            yield name
    for function in source.functions:
        if function.name == "__init__":
            for node in within(function):
                for target, value in assignments(node):
                    if isinstance(target, ast.Attribute) and _is_empty(source, value):
                        yield _place(source, target)


def _is_empty(source: Source, value: ast.expr) -> bool:
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List):
        return not value.elts
    return (
        isinstance(value, ast.Call)
        and source.called(value) in _EMPTY_CALLS
        and not any(isinstance(one, (ast.Dict, ast.List)) for one in value.args)
    )


def _taken_from(source: Source, node: ast.AST) -> Iterator[str]:
    """What something is taken out of, is made anew, or has its size looked at."""
    if isinstance(node, ast.Global):
        yield from node.names
    elif isinstance(node, ast.Delete):
        yield from (_place(source, _holder(one)) for one in node.targets)
    elif isinstance(node, ast.Attribute) and node.attr in _SHRINKS:
        yield _place(source, node.value)
    elif isinstance(node, ast.Compare):
        calls = (one for one in ast.walk(node) if isinstance(one, ast.Call))
        sized = (one.args[0] for one in calls if source.called(one) == "len" and one.args)
        yield from (_place(source, one) for one in sized)
    for target, value in assignments(node):
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
            yield _place(source, target.value)
        elif isinstance(target, ast.Attribute) and not _is_empty(source, value):
            yield _place(source, target)


def _holder(target: ast.AST) -> ast.AST | None:
    """What an item is of: `a` of `a[b]`."""
    return target.value if isinstance(target, ast.Subscript) else None


def _grown(source: Source, node: ast.AST) -> str:
    """What a statement puts something into, under a key that is no literal."""
    for target, _ in assignments(node):
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Constant):
            return _place(source, target.value)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return ""
    fixed = node.func.attr == "setdefault" and isinstance(node.args[0], ast.Constant)
    grows = node.func.attr in _GROWS and not fixed
    return _place(source, node.func.value) if grows else ""
