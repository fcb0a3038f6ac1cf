"""What callers send, on its way to where it does harm.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from lockgate.lint.flow import Flow, Origins
from lockgate.lint.found import Found
from lockgate.lint.handlers import Handler, given
from lockgate.lint.project import File
from lockgate.lint.sinks import sinks
from lockgate.lint.source import (
    FunctionNode,
    Source,
    assignments,
    defaults,
    keywords,
    parameters,
    within,
)

_HARMLESS: Final = frozenset(
    {
        "int",
        "float",
        "bool",
        "complex",
        "None",
        "datetime.date",
        "datetime.datetime",
        "datetime.time",
    }
    | {"datetime.timedelta", "uuid.UUID", "decimal.Decimal", "ipaddress.IPv4Address", "Literal"}
    | {"typing.Literal", "typing_extensions.Literal"}
)
_DEEPEST: Final = 4
_VALIDATES: Final = (
    "jsonschema",
    "pydantic",
    "msgspec",
    "fastjsonschema",
    "jsonschema_rs",
    "attrs",
)


def check(file: File) -> Iterator[Found]:
    """Each place that the words of a caller reach unchecked."""
    seen: set[tuple[str, int, int]] = set()
    for handler in file.handlers:
        start = _given(file.source, handler)
        for one in _followed(file, handler, handler.node, start, 0):
            place = (one.rule, getattr(one.node, "lineno", 0), getattr(one.node, "col_offset", 0))
            if place not in seen:
                seen.add(place)
                yield one
        yield from _shared_state(file.source, handler, start)
        yield from _unvalidated(file.source, handler)


def _given(source: Source, handler: Handler) -> dict[str, Origins]:
    if handler.kind == "call":
        found = [one for one in parameters(handler.node) if one.arg in ("arguments", "params")]
        return {one.arg: frozenset({one.arg}) for one in found}
    return {
        one.arg: frozenset({one.arg})
        for one in given(source, handler)
        if not _harmless(source, one.annotation) and not _says_pattern(handler.node, one)
    }


def _harmless(source: Source, annotation: ast.expr | None) -> bool:
    """Whether values of a type cannot hold words of a caller's choice."""
    if annotation is None:
        return False
    if isinstance(annotation, ast.Constant):
        return annotation.value is None or annotation.value in _HARMLESS
    if isinstance(annotation, ast.BinOp):
        return _harmless(source, annotation.left) and _harmless(source, annotation.right)
    if isinstance(annotation, ast.Subscript):
        outer = source.qualified(annotation.value).rpartition(".")[2]
        if outer == "Literal":
            return True
        inner = (
            annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        )
        if outer == "Annotated":
            return _harmless(source, inner[0])
        return all(_harmless(source, one) for one in inner)
    name = source.qualified(annotation)
    return name in _HARMLESS or _closed_class(source, name)


def _closed_class(source: Source, name: str) -> bool:
    """An enumeration of this file, or a model of it that validates."""
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            enumerates = any("Enum" in source.qualified(one) for one in node.bases)
            return enumerates or "validator(" in (ast.get_source_segment(source.text, node) or "")
    return False


def _says_pattern(function: FunctionNode, parameter: ast.arg) -> bool:
    """Whether the schema holds the parameter to a pattern, in its annotation or its default."""
    default = defaults(function).get(parameter.arg)
    places = [parameter, *([default] if default is not None else [])]
    calls = [one for place in places for one in ast.walk(place) if isinstance(one, ast.Call)]
    return any({"pattern", "regex"} & keywords(one).keys() for one in calls)


def _followed(
    file: File, handler: Handler, function: FunctionNode, start: Mapping[str, Origins], depth: int
) -> Iterator[Found]:
    flow = Flow(file.source, function, start)
    if not start or depth > _DEEPEST:
        return
    for node in within(function):
        if isinstance(node, ast.Call):
            for rule, where in sinks(file.source, function, node, flow):
                if flow.origins(where):
                    yield Found(rule=rule, node=node, handler=handler)
                    break
    for call, callee in file.reach.callees(function):
        passed = _passed(file.source, flow, call, callee)
        if passed and callee is not function:
            yield from _followed(file, handler, callee, passed, depth + 1)


def _passed(source: Source, flow: Flow, call: ast.Call, callee: FunctionNode) -> dict[str, Origins]:
    """What of the caller's words the parameters of a called function hold."""
    names = parameters(callee)
    found: dict[str, Origins] = {}
    pairs = [*zip(names, call.args, strict=False)]
    named = keywords(call)
    pairs += [(one, named[one.arg]) for one in names if one.arg in named]
    for parameter, value in pairs:
        origins = flow.origins(value)
        if origins and not _harmless(source, parameter.annotation):
            found[parameter.arg] = origins
    return found


def _shared_state(
    source: Source, handler: Handler, start: Mapping[str, Origins]
) -> Iterator[Found]:
    """What one caller sets for all, in a variable of the module."""
    names = {
        one for node in within(handler.node) if isinstance(node, ast.Global) for one in node.names
    }
    if not names:
        return
    every = {one.arg: frozenset({one.arg}) for one in given(source, handler)} | dict(start)
    flow = Flow(source, handler.node, every)
    for node in within(handler.node):
        for target, value in assignments(node):
            if isinstance(target, ast.Name) and target.id in names and flow.origins(value):
                yield Found(rule="state-shared", node=node)


def _unvalidated(source: Source, handler: Handler) -> Iterator[Found]:
    """A low-level handler of the second SDK, which checks no arguments, that checks none either."""
    if handler.kind != "call" or any(one.arg == "arguments" for one in parameters(handler.node)):
        return
    if any(one.partition(".")[0] in _VALIDATES for one in source.imports.values()):
        return
    if "validate" in (ast.get_source_segment(source.text, handler.node) or ""):
        return
    for node in within(handler.node):
        if isinstance(node, ast.Attribute) and node.attr == "arguments":
            yield Found(rule="arguments-unvalidated", node=node)
            return
