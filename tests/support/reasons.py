"""Which errors the source can make, read from its syntax: the reasons, and what goes with each.

Must not know: the table of errors. A Failure is often made by a function that is given the reason,
the code or the origin; such a function's callers are followed until the words are found.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "lockgate"

ORDER = ("code", "message", "origin", "reason", "policy", "data", "remedy", "detail")
FIELDS = ("code", "origin", "reason")
TROUBLE = ("lockgate.identity.outbound.trouble", "Trouble")
TABLES = {"CODES", "ENTRIES"}
REPORTS = {"add", "note", "report"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Parameter:
    """A value that the caller of this function decides."""

    name: str


@dataclass(frozen=True)
class Unknown:
    """What this reading of the source cannot follow."""

    text: str


PASSED = object()
"""Taken over from another failure, whose own maker has been seen."""

Found = frozenset[Any]


@dataclass(frozen=True)
class Use:
    """One place where an error is made."""

    place: str
    reason: str
    codes: Found = frozenset()
    origins: Found = frozenset()
    remedy: bool = True
    timed: bool = False


@dataclass
class Module:
    """A source file and the names that matter in it."""

    name: str
    tree: ast.Module
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    scopes: dict[ast.AST, Function | None] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.name.replace(".", "/") + ".py"


@dataclass(frozen=True)
class Maker:
    """A function that makes a Failure of what it is given."""

    function: Function
    values: Mapping[str, Found]
    remedy: bool
    timed: bool


def modules() -> list[Module]:
    """Every file of the package, but for the table itself."""
    made: list[Module] = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        # What the kit tells policies of, no client is told: it has errors of its own.
        if not name.startswith(("lockgate.core.codes", "lockgate.testing", "lockgate.kit.")):
            made.append(read(name, path.read_text("utf-8")))
    return made


def read(name: str, text: str) -> Module:
    """One file, with each node's function and each imported name's origin."""
    module = Module(name, ast.parse(text))
    _scope(module, module.tree, None)
    for node in module.scopes:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for one in node.names:
                module.imported[one.asname or one.name] = (node.module, one.name)
    return module


def _scope(module: Module, node: ast.AST, function: Function | None) -> None:
    for child in ast.iter_child_nodes(node):
        module.scopes[child] = function
        _scope(module, child, child if isinstance(child, Function) else function)


def parameters(function: Function) -> list[str]:
    """The names of the parameters, without `self`."""
    spec = function.args
    names = [one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    return names[1:] if names[:1] == ["self"] else names


def evaluate(node: ast.expr, module: Module, function: Function | None) -> Found:
    """Every value an expression can have, as far as reading goes."""
    if isinstance(node, ast.IfExp):
        both = (node.body, node.orelse)
        return frozenset().union(*(evaluate(one, module, function) for one in both))
    if isinstance(node, ast.BoolOp):
        return frozenset().union(*(evaluate(one, module, function) for one in node.values))
    if isinstance(node, ast.Attribute):
        return frozenset({PASSED})
    if isinstance(node, ast.Name):
        return _of_name(node.id, module, function)
    if isinstance(node, ast.Call):
        return _of_get(node, module, function)
    try:
        return frozenset({ast.literal_eval(node)})
    except ValueError:
        return frozenset({Unknown(ast.unparse(node))})


def _of_name(name: str, module: Module, function: Function | None) -> Found:
    if function is not None:
        if name in parameters(function):
            return frozenset({Parameter(name)})
        values = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
        ]
        if values:
            return frozenset().union(*(evaluate(one, module, function) for one in values))
    value = getattr(importlib.import_module(module.name), name, Unknown(name))
    return frozenset({value if isinstance(value, int | str | Unknown) else Unknown(name)})


def _of_get(node: ast.Call, module: Module, function: Function | None) -> Found:
    """`TABLE.get(key, default)` of a mapping in the same file."""
    called = node.func
    if isinstance(called, ast.Attribute) and called.attr == "get" and len(node.args) == 2:
        table = getattr(importlib.import_module(module.name), ast.unparse(called.value), None)
        if isinstance(table, Mapping):
            return frozenset(table.values()) | evaluate(node.args[1], module, function)
    # The code of another's error, checked to be a number: chosen by the other side.
    return frozenset({PASSED})


class Reader:
    """Follows Failures through the functions that make them."""

    def __init__(self, sources: list[Module]) -> None:
        self.sources = sources
        self.makers: dict[tuple[str, str], Maker] = {}
        self.uses: list[Use] = []
        self.unknown: list[str] = []

    def run(self) -> list[Use]:
        """Every use; what cannot be followed is in `unknown`."""
        nodes = [
            (module, node)
            for module in self.sources
            for node in module.scopes
            if isinstance(node, ast.Call | ast.Subscript)
        ]
        known = -1
        while known != len(self.makers):
            known = len(self.makers)
            self.uses, self.unknown = [], []
            for module, node in nodes:
                if isinstance(node, ast.Call):
                    self._call(module, node)
                elif ast.unparse(node.value) in TABLES:
                    self._lookup(module, node)
        for module in self.sources:
            self._others(module)
        return self.uses

    def _call(self, module: Module, node: ast.Call) -> None:
        given, maker = self._given(module, node)
        if given is None:
            return
        function = module.scopes[node]
        values = {name: self._value(given[name], module, function) for name in FIELDS}
        remedy = self._has_remedy(given.get("remedy"), maker, function)
        about = function or node
        timed = "retry_after" in ast.unparse(about) or (maker is not None and maker.timed)
        open_ = {one for found in values.values() for one in found if isinstance(one, Parameter)}
        if open_ and function is not None:
            self.makers[module.name, function.name] = Maker(function, values, remedy, timed)
        place = f"{module.path}:{node.lineno}"
        for reason in values["reason"]:
            if isinstance(reason, Unknown):
                self.unknown.append(f"{place}: {reason.text}")
            elif isinstance(reason, str):
                codes, origins = values["code"], values["origin"]
                self.uses.append(Use(place, reason, codes, origins, remedy, timed))

    def _lookup(self, module: Module, node: ast.Subscript) -> None:
        """An error that is no JSON-RPC: its reason is looked up where it is written."""
        function = module.scopes[node]
        found = evaluate(node.slice, module, function)
        if function is not None and any(isinstance(one, Parameter) for one in found):
            values = {name: frozenset({PASSED}) for name in FIELDS} | {"reason": found}
            self.makers[module.name, function.name] = Maker(function, values, True, False)

    def _given(
        self, module: Module, node: ast.Call
    ) -> tuple[dict[str, ast.expr | Found] | None, Maker | None]:
        """What a call gives to the Failure it makes; None for a call that makes none."""
        target = self._target(module, node.func)
        if target == ("lockgate.core.message", "Failure"):
            made: dict[str, ast.expr | Found] = dict(zip(ORDER, node.args, strict=False))
            made |= {one.arg: one.value for one in node.keywords if one.arg is not None}
            made.setdefault("reason", frozenset({"error"}))
            return made, None
        if target == TROUBLE:
            # It becomes a Failure wherever it is caught; the code is then always the same.
            told: dict[str, ast.expr | Found] = dict(
                zip(("reason", "message", "remedy"), node.args, strict=False)
            )
            told |= {one.arg: one.value for one in node.keywords if one.arg in FIELDS}
            told.setdefault("origin", frozenset({"upstream"}))
            return {**told, "code": frozenset({-32603})}, None
        maker = self.makers.get(target)
        if maker is None:
            return None, None
        arguments: dict[str, ast.expr] = dict(
            zip(parameters(maker.function), node.args, strict=False)
        )
        arguments |= {one.arg: one.value for one in node.keywords if one.arg is not None}
        passed: dict[str, ast.expr | Found] = {}
        for name, found in maker.values.items():
            passed[name] = self._passed(found, arguments, maker.function)
        if "remedy" in arguments:
            passed["remedy"] = arguments["remedy"]
        return passed, maker

    def _passed(
        self, found: Found, arguments: dict[str, ast.expr], function: Function
    ) -> ast.expr | Found:
        for one in found:
            if isinstance(one, Parameter):
                given = arguments.get(one.name)
                return _default(function, one.name) if given is None else given
        return found

    def _target(self, module: Module, called: ast.expr) -> tuple[str, str]:
        if isinstance(called, ast.Name):
            return module.imported.get(called.id, (module.name, called.id))
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            if called.value.id == "self":
                return module.name, called.attr
            package, name = module.imported.get(called.value.id, ("", ""))
            return f"{package}.{name}", called.attr
        return "", ""

    def _value(self, given: ast.expr | Found, module: Module, function: Function | None) -> Found:
        return given if isinstance(given, frozenset) else evaluate(given, module, function)

    def _has_remedy(
        self, given: ast.expr | Found | None, maker: Maker | None, function: Function | None
    ) -> bool:
        if isinstance(given, ast.Name) and function is not None and given.id == "remedy":
            return _default(function, "remedy") != frozenset({None})
        if isinstance(given, ast.Constant) and given.value is None:
            return False
        return given is not None or (maker is not None and maker.remedy)

    # Errors that are no Failure: exceptions, findings, states, and what a table is asked for.

    def _others(self, module: Module) -> None:
        for node in module.scopes:
            for given in _spoken(node, module):
                place = f"{module.path}:{given.lineno}"
                found = evaluate(given, module, module.scopes[given])
                self.uses += [
                    Use(place, one) for one in found if isinstance(one, str) and one != ""
                ]


def _assigned(node: ast.Assign | ast.AnnAssign) -> str:
    return ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0])


def _default(function: Function, name: str) -> Found:
    spec = function.args
    both = [*spec.posonlyargs, *spec.args]
    pairs = [*zip(reversed(both), reversed(spec.defaults), strict=False)]
    pairs += [
        (one, value)
        for one, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
        if value is not None
    ]
    values = {one.arg: value for one, value in pairs}
    return frozenset({ast.literal_eval(values[name])}) if name in values else frozenset({PASSED})


def _spoken(node: ast.AST, module: Module) -> Iterator[ast.expr]:
    """The expressions of a node that name a reason outside of a Failure."""
    if isinstance(node, ast.Call):
        called = node.func
        word = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        yield from (one.value for one in node.keywords if one.arg == "reason" and word != "Failure")
        finds = module.name.startswith(("lockgate.config", "lockgate.gateway.launches"))
        if finds and word in REPORTS and node.args:
            yield node.args[0]
        if module.name == "lockgate.upstreams.launch":
            yield from (one.value for one in node.keywords if one.arg == "id")
    elif isinstance(node, Function):
        spec = node.args
        both = [*spec.posonlyargs, *spec.args]
        pairs = [
            *zip(spec.kwonlyargs, spec.kw_defaults, strict=True),
            *zip(reversed(both), reversed(spec.defaults), strict=False),
        ]
        yield from (value for one, value in pairs if one.arg == "reason" and value is not None)
    elif isinstance(node, ast.ClassDef):
        for one in node.body:
            if isinstance(one, ast.Assign | ast.AnnAssign) and _assigned(one) == "reason":
                yield from [] if one.value is None else [one.value]
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in TABLES:
        yield node.slice
