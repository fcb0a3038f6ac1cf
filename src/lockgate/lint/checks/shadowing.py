"""Tools that take each other's place: in a file, between files, and by mounting.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from lockgate.guard.text.confusable import skeleton
from lockgate.lint.found import Found
from lockgate.lint.handlers import Handler
from lockgate.lint.project import File, absolute
from lockgate.lint.source import Source, keywords

_MOUNTS = frozenset({"mount", "import_server"})


def check(file: File) -> Iterator[Found]:
    """Tools of one server under one name, or under names that look like one."""
    yield from _in_file(file)
    yield from _elsewhere(file)
    yield from _mounted(file)


def _in_file(file: File) -> Iterator[Found]:
    seen: dict[tuple[str, str, ast.AST | None], Handler] = {}
    for handler in _tools(file):
        scope = file.source.function_of(handler.node)
        for form, rule in (
            (handler.name, "tool-shadowed"),
            (_looks(handler.name), "tool-look-alike"),
        ):
            before = seen.setdefault((f"{rule} {handler.server}", form, scope), handler)
            if before.node is not handler.node:
                said = f"{handler.name}, and {before.name} in line {before.node.lineno}"
                yield Found(rule=rule, node=handler.node, evidence=said)
                break


def _tools(file: File) -> list[Handler]:
    """The tools whose server is known to be one and the same, in the order of lines."""
    found = [
        one
        for one in file.handlers
        if one.kind == "tool"
        and one.server
        and not _varies(file.source, one)
        and len(file.source.assigned.get(one.server, ())) < 2
    ]
    return sorted(found, key=lambda one: one.node.lineno)


def _looks(name: str) -> str:
    return skeleton(re.sub(r"[-_.]", "", name))


def _varies(source: Source, handler: Handler) -> bool:
    """Whether versions of one tool stand beside each other on purpose."""
    return "version" in handler.settings or any(
        isinstance(one, (ast.If, ast.For, ast.Try)) for one in source.above(handler.node)
    )


def _origin(file: File, server: str) -> str:
    """Where a server is made: `FILE:NAME`; empty if it cannot be told."""
    if server in file.source.assigned:
        return f"{file.source.path}:{server}"
    if server in file.source.imports:
        module, _, name = absolute(file.source, file.source.imports[server]).rpartition(".")
        other = file.project.module(module, file.source)
        return f"{other.source.path}:{name}" if other is not None else ""
    return ""


def _offered(file: File, origin: str) -> Iterator[tuple[File, Handler]]:
    """The tools of a server that any file of the project registers at its top level."""
    for other in file.project.files:
        for one in _tools(other):
            known = _origin(other, one.server) == origin
            if known and other.source.function_of(one.node) is None:
                yield other, one


def _elsewhere(file: File) -> Iterator[Found]:
    """A tool that a file before this one has registered with the same server."""
    for origin in {_origin(file, one.server) for one in _tools(file)} - {""}:
        before: dict[str, tuple[File, Handler]] = {}
        for other, one in _offered(file, origin):
            first, earlier = before.setdefault(one.name, (other, one))
            if other is file and first is not file:
                place = f"{first.source.path.name}:{earlier.node.lineno}"
                yield Found(
                    rule="tool-shadowed", node=one.node, evidence=f"{one.name}, and {place}"
                )


def _mounted(file: File) -> Iterator[Found]:
    """Servers that are mounted without a name of their own, and have tools the other has, too."""
    taken: dict[str, set[str]] = {}
    for call in sorted(file.source.calls, key=lambda one: one.lineno):
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in _MOUNTS:
            continue
        if len(call.args) != 1 or {"namespace", "prefix"} & keywords(call).keys():
            continue
        host, guest = (_origin(file, ast.unparse(one)) for one in (call.func.value, call.args[0]))
        if not host or not guest:
            continue
        names = taken.setdefault(host, {one.name for _, one in _offered(file, host)})
        added = {one.name for _, one in _offered(file, guest)}
        if names & added:
            said = ", ".join(sorted(names & added))
            yield Found(rule="tool-shadowed", node=call, evidence=f"{ast.unparse(call)}: {said}")
        names |= added
