"""What a file offers over MCP: its servers, and the functions they call for their clients.

Must not know: rules. Knows the official SDK (`MCPServer` and the low-level `Server`), FastMCP, and
the first SDK's FastMCP, by their public words.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from lockgate.lint.source import (
    FUNCTIONS,
    FunctionNode,
    Source,
    assignments,
    constant,
    defaults,
    keywords,
    parameters,
    root,
)

Kind = Literal["tool", "resource", "prompt", "call"]
"""What a function is registered as; `call`: it answers every tool call of a low-level server."""

_PACKAGES: Final = ("mcp", "fastmcp", "mcp_types")
_SERVERS: Final = frozenset({"MCPServer", "FastMCP", "Server", "FastMCPServer", "LocalProvider"})
_KINDS: Final[dict[str, Kind]] = {"tool": "tool", "resource": "resource", "prompt": "prompt"}
_ADDS: Final[dict[str, Kind]] = {"add_tool": "tool", "from_function": "tool"}
_OLD_LOW: Final[dict[str, Kind]] = {
    "call_tool": "call", "read_resource": "resource", "get_prompt": "prompt",
}  # fmt: skip
_NEW_LOW: Final[dict[str, Kind]] = {
    "on_call_tool": "call", "on_read_resource": "resource", "on_get_prompt": "prompt",
}  # fmt: skip
_METHODS: Final[dict[object, Kind]] = {
    "tools/call": "call", "resources/read": "resource", "prompts/get": "prompt",
}  # fmt: skip
_INJECTED: Final = ("Depends", "CurrentContext", "Resolve", "Elicit", "Sample", "ListRoots")


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """A function that answers clients.

    name        what clients call it, or its URI.
    server      the expression it is registered with, as it is written.
    settings    the named arguments of the registration.
    explicit    whether the name is written where it is registered.
    """

    kind: Kind
    name: str
    node: FunctionNode
    server: str
    settings: dict[str, ast.expr]
    explicit: bool


def knows_mcp(source: Source) -> bool:
    """Whether the file imports a package servers are made with."""
    return any(one.partition(".")[0] in _PACKAGES for one in source.imports.values())


def is_server(source: Source, value: ast.AST | None) -> bool:
    """Whether an expression makes a server."""
    if not isinstance(value, ast.Call):
        return False
    called = source.called(value)
    package, _, _ = called.partition(".")
    return package in _PACKAGES and called.rpartition(".")[2] in _SERVERS


def is_server_class(source: Source, node: ast.ClassDef) -> bool:
    """Whether a class is a server: one that derives from a server of a framework."""
    return any(
        one.partition(".")[0] in _PACKAGES and one.rpartition(".")[2] in _SERVERS
        for one in map(source.qualified, node.bases)
    )


def registered_elsewhere(
    source: Source, *, shared: frozenset[str]
) -> Iterator[tuple[str, Kind, ast.Call | None]]:
    """Functions that a file imports and registers: their origin, and the call that names them."""
    for call in source.calls:
        value = call.args[0] if call.args else None
        if not isinstance(value, (ast.Name, ast.Attribute)):
            continue
        named = call.func if isinstance(call.func, ast.Call) else call
        if not isinstance(named.func, ast.Attribute):
            continue
        kind = _KINDS.get(named.func.attr) or _ADDS.get(named.func.attr)
        origin = source.qualified(value)
        imported = root(value) in source.imports
        if kind and imported and _may_serve(source, named.func.value, call, shared):
            yield origin, kind, named if isinstance(call.func, ast.Call) else None


def adopted(source: Source, name: str, kind: Kind, call: ast.Call | None) -> list[Handler]:
    """The function of this name as a handler that another file registers."""
    return [
        _handler(kind, one, call, "")
        for one in source.functions
        if one.name == name and source.method_of(one) is None
    ][:1]


def handlers(source: Source, *, shared: frozenset[str] = frozenset()) -> list[Handler]:
    """The functions of a file that answer clients, each once.

    shared  names of servers that other files of the same project make.
    """
    found: dict[tuple[FunctionNode, str, str], Handler] = {}
    for one in _registered(source, shared):
        found.setdefault((one.node, one.server, one.name), one)
    return list(found.values())


def _registered(source: Source, shared: frozenset[str]) -> Iterator[Handler]:
    for function in source.functions:
        for decorator in function.decorator_list:
            made = _decorated(source, function, decorator, shared)
            if made is not None:
                yield made
    for call in source.calls:
        yield from _by_call(source, call, shared)


def _decorated(
    source: Source, function: FunctionNode, decorator: ast.expr, shared: frozenset[str]
) -> Handler | None:
    call = decorator if isinstance(decorator, ast.Call) else None
    target = call.func if call else decorator
    if isinstance(target, ast.Name):  # FastMCP's stand-alone @tool
        full = source.qualified(target)
        kind = _KINDS.get(full.rpartition(".")[2]) if full.startswith("fastmcp.") else None
        return _handler(kind, function, call, "") if kind else None
    if not isinstance(target, ast.Attribute):
        return None
    kind = _KINDS.get(target.attr) or (_OLD_LOW.get(target.attr) if call else None)
    if kind is None or not _may_serve(source, target.value, function, shared):
        return None
    return _handler(kind, function, call, ast.unparse(target.value))


def _handler(kind: Kind, node: FunctionNode, call: ast.Call | None, server: str) -> Handler:
    settings = keywords(call) if call else {}
    first = call.args[0] if call and call.args else None
    named = settings.get("name") or (first if kind != "resource" else None)
    if kind == "resource":
        named = settings.get("uri") or first
    written = constant(named)
    return Handler(
        kind=kind,
        name=written if isinstance(written, str) else node.name,
        node=node,
        server=server,
        settings=settings,
        explicit=isinstance(written, str),
    )


def _by_call(source: Source, call: ast.Call, shared: frozenset[str]) -> Iterator[Handler]:
    """`server.tool(…)(f)`, `server.add_tool(f)`, `Server(on_call_tool=f)` and the like."""
    if is_server(source, call):
        for word, value in keywords(call).items():
            node = _local(source, value) if word in _NEW_LOW else None
            if node is not None:
                yield _handler(_NEW_LOW[word], node, None, "")
        return
    if isinstance(call.func, ast.Call) and call.args:
        inner = call.func
        kind = _KINDS.get(inner.func.attr) if isinstance(inner.func, ast.Attribute) else None
        node = _local(source, call.args[0])
        place = inner.func.value if isinstance(inner.func, ast.Attribute) else None
        if kind and node and place is not None and _may_serve(source, place, call, shared):
            yield _handler(kind, node, inner, ast.unparse(place))
        return
    yield from _added(source, call, shared)


def _added(source: Source, call: ast.Call, shared: frozenset[str]) -> Iterator[Handler]:
    if not isinstance(call.func, ast.Attribute) or not call.args:
        return
    place, word = call.func.value, call.func.attr
    if word == "add_request_handler" and knows_mcp(source):
        kind, last = _METHODS.get(constant(call.args[0])), call.args[-1]
        node = _local(source, last)
        if kind and node is not None:
            yield _handler(kind, node, None, ast.unparse(place))
    elif (word in _ADDS or word in _KINDS) and _may_serve(source, place, call, shared):
        node = _local(source, call.args[0])
        if node is not None:
            kind = _ADDS.get(word) or _KINDS[word]
            made = _handler(kind, node, None, ast.unparse(place))
            named = constant(keywords(call).get("name"))
            yield msgspec.structs.replace(
                made,
                name=named if isinstance(named, str) else made.name,
                settings=keywords(call),
                explicit=isinstance(named, str),
            )


def _local(source: Source, value: ast.AST) -> FunctionNode | None:
    """The function of this file that an expression names, or wraps: `f`, `wrapped(f)`."""
    while isinstance(value, ast.Call) and value.args:
        value = value.args[0]
    if isinstance(value, ast.Name):
        wanted, owner = value.id, None
    elif isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
        if value.value.id not in ("self", "cls"):
            return None
        wanted, owner = value.attr, source.class_of(value)
    else:
        return None
    for one in source.functions:
        if one.name == wanted and source.method_of(one) is owner:
            return one
    return None


def _may_serve(source: Source, place: ast.expr, at: ast.AST, shared: frozenset[str]) -> bool:
    """Whether `place.tool(…)` registers with a server of MCP, and not with something else."""
    if not isinstance(place, ast.Name):
        return knows_mcp(source)
    name = place.id
    owner = source.class_of(at) if name == "self" else None
    if name == "self":
        return owner is not None and is_server_class(source, owner)
    values = [*source.assigned.get(name, ()), *_nearby(source, name, at)]
    if values:
        return any(is_server(source, one) or _unknown(source, one) for one in values)
    if name in source.imports:
        return _from_project(source, name, shared)
    return knows_mcp(source)


def _nearby(source: Source, name: str, at: ast.AST) -> Iterator[ast.expr]:
    """What is assigned to a name in the functions around."""
    for function in source.above(at):
        if isinstance(function, FUNCTIONS):
            for node in ast.walk(function):
                for target, value in assignments(node):
                    if isinstance(target, ast.Name) and target.id == name:
                        yield value


def _unknown(source: Source, value: ast.expr) -> bool:
    """Whether an expression may make a server unseen: by a function of one's own."""
    if not isinstance(value, ast.Call) or not knows_mcp(source):
        return False
    called = source.called(value)
    return called.startswith((".", *_PACKAGES)) or called.partition(".")[0] not in _origins(source)


def _origins(source: Source) -> frozenset[str]:
    return frozenset(one.partition(".")[0] for one in source.imports.values())


def _from_project(source: Source, name: str, shared: frozenset[str]) -> bool:
    origin = source.imports[name]
    return origin.rpartition(".")[2] in shared or origin.partition(".")[0] in _PACKAGES


def is_context(source: Source, function: FunctionNode, parameter: ast.arg) -> bool:
    """Whether a parameter is filled by the framework and not by the caller."""
    if parameter.annotation is not None:
        for node in ast.walk(parameter.annotation):
            word = (
                source.qualified(node).rpartition(".")[2] if not constant(node) else constant(node)
            )
            if isinstance(word, str) and (word.endswith("Context") or "Context[" in word):
                return True
            if word in _INJECTED:
                return True
    default = defaults(function).get(parameter.arg)
    if isinstance(default, ast.Call):
        return source.called(default).rpartition(".")[2] in _INJECTED
    return False


def given(source: Source, handler: Handler) -> list[ast.arg]:
    """The parameters that callers fill: those of the tool's schema."""
    if handler.kind == "call":
        return []
    return [one for one in parameters(handler.node) if not is_context(source, handler.node, one)]
