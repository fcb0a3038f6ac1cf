"""Which functions of a file run when a client asks, and which of them on the event loop.

Must not know: rules. Follows calls inside the file only: what is called by name, and methods of
the same class.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cached_property

from lockgate.lint.handlers import Handler
from lockgate.lint.source import FunctionNode, Source, within


class Reach:
    """The functions that handlers lead to."""

    def __init__(self, source: Source, handlers: Sequence[Handler]) -> None:
        self._source = source
        self._handlers = handlers

    @cached_property
    def handled(self) -> dict[FunctionNode, Handler]:
        """Each function that runs for a client, with the first handler that leads to it."""
        found: dict[FunctionNode, Handler] = {}
        for handler in self._handlers:
            waiting = [handler.node]
            while waiting:
                function = waiting.pop()
                if function in found:
                    continue
                found[function] = handler
                waiting += [one for _, one in self.callees(function)]
                waiting += [one for one in self._nested(function) if one not in found]
        return found

    @cached_property
    def on_loop(self) -> dict[FunctionNode, Handler]:
        """The plain functions that asynchronous handlers call directly, so that they hold the loop.

        Handlers that are plain functions themselves run in threads, and so does what is handed to
        `asyncio.to_thread` and its like.
        """
        found: dict[FunctionNode, Handler] = {}
        for handler in self._handlers:
            if not isinstance(handler.node, ast.AsyncFunctionDef):
                continue
            waiting: list[FunctionNode] = [handler.node]
            seen: set[FunctionNode] = set()
            while waiting:
                function = waiting.pop()
                if function in seen:
                    continue
                seen.add(function)
                if isinstance(function, ast.FunctionDef):
                    found.setdefault(function, handler)
                waiting += [one for _, one in self.callees(function)]
        return found

    def handler_of(self, node: ast.AST) -> Handler | None:
        """The handler that leads to the function a node stands in."""
        function = self._source.function_of(node)
        while function is not None:
            if function in self.handled:
                return self.handled[function]
            function = self._source.function_of(function)
        return None

    def callees(self, function: FunctionNode) -> Iterator[tuple[ast.Call, FunctionNode]]:
        """The calls in a function's body that lead to functions of this file."""
        for node in within(function):
            if isinstance(node, ast.Call):
                called = self.resolve(node, function)
                if called is not None:
                    yield node, called

    def resolve(self, call: ast.Call, function: FunctionNode) -> FunctionNode | None:
        """The function of this file that a call leads to."""
        if isinstance(call.func, ast.Name):
            return self._named.get(call.func.id)
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            owner = self._class_of(call.func.value.id, function)
            return self._methods.get((owner, call.func.attr)) if owner else None
        return None

    def _class_of(self, name: str, function: FunctionNode) -> ast.ClassDef | None:
        """The class of this file that a name holds an object of: `self`, or one made at the top."""
        if name in ("self", "cls"):
            return self._source.class_of(function)
        for value in self._source.assigned.get(name, ()):
            made = self._source.called(value) if isinstance(value, ast.Call) else ""
            if made in self._source.classes:
                return self._source.classes[made]
        return None

    def _nested(self, function: FunctionNode) -> Iterator[FunctionNode]:
        for one in self._source.functions:
            if self._source.function_of(one) is function:
                yield one

    @cached_property
    def _named(self) -> dict[str, FunctionNode]:
        return {
            one.name: one for one in self._source.functions if self._source.method_of(one) is None
        }

    @cached_property
    def _methods(self) -> dict[tuple[ast.ClassDef, str], FunctionNode]:
        found: dict[tuple[ast.ClassDef, str], FunctionNode] = {}
        for one in self._source.functions:
            owner = self._source.method_of(one)
            if owner is not None:
                found[owner, one.name] = one
        return found
