"""The files that are looked at together: which of them make servers, and how those are served.

Must not know: rules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

from lockgate.lint.handlers import (
    Handler,
    adopted,
    handlers,
    is_server,
    is_server_class,
    knows_mcp,
    registered_elsewhere,
)
from lockgate.lint.reaching import Reach
from lockgate.lint.source import Source, constant, keywords, root

_OVER_HTTP: Final = frozenset({"streamable-http", "streamable_http", "http", "sse"})
_STDIO_CALLS: Final = frozenset({"stdio_server", "run_stdio_async"})
_HTTP_CALLS: Final = frozenset(
    {"streamable_http_app", "http_app", "sse_app", "run_http_async", "run_streamable_http_async"}
)


class Project:
    """Files that belong together."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.shared = frozenset(
            name
            for source in sources
            for name, values in source.assigned.items()
            if any(is_server(source, one) for one in values)
        )

    @cached_property
    def files(self) -> list[File]:
        """The files that run in a server: those that make or add to one, and what they import."""
        made = self._made
        self._share(made)
        serving = [one for one in made if one.serves]
        waiting, found = list(serving), {id(one): one for one in serving}
        while waiting:
            one = waiting.pop()
            for name in _imported(one.source):
                other = self.module(name, one.source)
                if other is not None and id(other) not in found:
                    found[id(other)] = other
                    waiting.append(other)
        return [one for one in made if id(one) in found]

    @cached_property
    def _made(self) -> list[File]:
        return [File(self, source) for source in self.sources]

    @cached_property
    def _by_module(self) -> dict[str, list[File]]:
        found: dict[str, list[File]] = {}
        for one in self._made:
            found.setdefault(one.source.module, []).append(one)
        return found

    def module(self, name: str, near: Source) -> File | None:
        """The file that another imports by this name; outside of packages, one beside it."""
        for one in self._by_module.get(name, ()):
            beside = one.source.path.parent == near.path.parent
            if beside or "." in name or one.source.is_package:
                return one
        return None

    def _share(self, made: Sequence[File]) -> None:
        """Give each file what other files register of its functions."""
        for file in made:
            for origin, kind, call in registered_elsewhere(file.source, shared=self.shared):
                module, _, name = absolute(file.source, origin).rpartition(".")
                other = self.module(module, file.source)
                if other is not None:
                    other.handlers += adopted(other.source, name, kind, call)

    @cached_property
    def stdio(self) -> bool | None:
        """Whether its servers speak over stdio; None: nothing in these files says."""
        ways = [way for source in self.sources for way in _ways(source)]
        if True in ways:
            return True
        return None if None in ways or not ways else False


class File:
    """One file of a project, and what it offers."""

    def __init__(self, project: Project, source: Source) -> None:
        self.project = project
        self.source = source
        self.handlers: list[Handler] = handlers(source, shared=project.shared)

    @cached_property
    def reach(self) -> Reach:
        """What of it runs when a client asks."""
        return Reach(self.source, self.handlers)

    @cached_property
    def stdio(self) -> bool | None:
        """Whether it speaks over stdio; what the file itself starts counts before the project."""
        ways = list(_ways(self.source))
        if not ways:
            return self.project.stdio
        return True if True in ways else None if None in ways else False

    @property
    def starts(self) -> bool:
        """Whether a server is started in it."""
        return any(way is not False for way in _ways(self.source))

    @cached_property
    def calls_servers(self) -> bool:
        """Whether it is a client as well, as demonstrations and tests are."""
        return any(
            one.endswith(("fastmcp.Client", "mcp.Client", "ClientSession")) or "mcp.client" in one
            for one in self.source.imports.values()
        )

    @property
    def serves(self) -> bool:
        """Whether it makes a server or answers its clients."""
        return (
            bool(self.handlers)
            or any(is_server(self.source, one) for one in self.source.calls)
            or any(is_server_class(self.source, one) for one in self.source.classes.values())
        )


def absolute(source: Source, origin: str) -> str:
    """A dotted name with the dots that lead it resolved against a file's package."""
    level = len(origin) - len(origin.lstrip("."))
    package = source.module.split(".")
    if not source.is_package:
        package = package[:-1]
    start = package[: len(package) - level + 1] if level else []
    return ".".join([*start, *filter(None, [origin.lstrip(".")])])


def _imported(source: Source) -> Iterator[str]:
    """The modules of the same project that a file may import."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(source, "." * node.level + (node.module or ""))
            yield origin
            yield from (f"{origin}.{one.name}" for one in node.names)


def ways(source: Source, calls: Iterable[ast.Call]) -> Iterator[bool | None]:
    """For each of these calls that starts a server: over stdio, over something else, or unknown."""
    return (way for call in calls for way in _way(source, call))


def _ways(source: Source) -> Iterator[bool | None]:
    return ways(source, source.calls)


def _way(source: Source, call: ast.Call) -> Iterator[bool | None]:
    word = source.called(call).rpartition(".")[2]
    if not word and isinstance(call.func, ast.Attribute):
        word = call.func.attr
    if word in _STDIO_CALLS:
        yield True
    elif word in _HTTP_CALLS or _is_web_server(source, call):
        yield False
    elif word in ("run", "run_async") and knows_mcp(source) and _runs_server(source, call):
        yield _transport(call)


def _is_web_server(source: Source, call: ast.Call) -> bool:
    """Whether a call is one of a web server, or runs sessions for one; none speaks over a pipe."""
    if isinstance(source.parent(call), ast.withitem):
        return isinstance(call.func, ast.Attribute) and call.func.attr == "run"
    known = source.imports.get(root(call), "").partition(".")[0]
    return known in ("uvicorn", "hypercorn", "granian") or "sockets" in keywords(call)


def _runs_server(source: Source, call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute):
        return False
    place = call.func.value
    if isinstance(place, ast.Name) and place.id in source.imports:
        return source.imports[place.id].partition(".")[0] not in (
            "asyncio", "anyio", "trio", "subprocess", "uvicorn", "uvloop",
        )  # fmt: skip
    return True


def _transport(call: ast.Call) -> bool | None:
    way = keywords(call).get("transport") or (call.args[0] if call.args else None)
    if way is None:
        return not call.keywords or not any(one.arg is None for one in call.keywords) or None
    said = constant(way)
    return None if not isinstance(said, str) else said not in _OVER_HTTP
