"""Errors that a client never learns of, or takes for results.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lockgate.lint.found import Found
from lockgate.lint.project import File
from lockgate.lint.source import FunctionNode, constant, keywords, within

_SAYS_ERROR: Final = re.compile(
    r"^\W*(error|failed|failure|exception|could ?n[o']t|unable)\b|❌", re.IGNORECASE
)
_ERROR_KEYS: Final = frozenset({"error", "errors", "err", "error_message", "isError", "is_error"})
_PLAIN: Final = frozenset(
    {"ValueError", "TypeError", "KeyError", "LookupError", "RuntimeError", "PermissionError"}
    | {"FileNotFoundError", "Exception", "ConnectionError", "TimeoutError", "NotImplementedError"}
)
_TRACES: Final = ("traceback.format_exc", "traceback.format_exception", "traceback.print_exc")


def check(file: File) -> Iterator[Found]:
    """Handlers whose errors do not reach the client as errors."""
    masks = any(
        one.startswith("mcp.") and one.endswith(".MCPServer")
        for one in file.source.imports.values()
    )
    for handler in file.handlers:
        if masks and handler.kind == "tool":
            yield from _masked(file, handler.node)
        if handler.kind in ("tool", "call"):
            for node in within(handler.node):
                if isinstance(node, ast.ExceptHandler):
                    for answer in _answers(node):
                        yield Found(rule="error-flattened", node=answer)
    for function in file.reach.handled:
        yield from _shown(file, function)


def _masked(file: File, function: FunctionNode) -> Iterator[Found]:
    """Exceptions with words for the caller that the framework takes for crashes."""
    for node in within(function):
        raised = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(raised, ast.Call) and file.source.called(raised) in _PLAIN and raised.args:
            tried = any(isinstance(one, ast.Try) for one in file.source.above(node))
            if not tried or _in_handler(file, node):
                yield Found(rule="error-masked", node=node)


def _in_handler(file: File, node: ast.AST) -> bool:
    """Whether it is raised in place of what was caught, and nothing around catches it again."""
    above = list(file.source.above(node))
    tries = [one for one in above if isinstance(one, ast.Try)]
    return len(tries) == 1 and any(isinstance(one, ast.ExceptHandler) for one in above)


def _answers(caught: ast.ExceptHandler) -> Iterator[ast.Return]:
    """What is returned in place of an error, and looks like a result."""
    for node in ast.walk(caught):
        if isinstance(node, ast.Return) and node.value is not None and _is_error(node.value):
            yield node


def _is_error(value: ast.expr) -> bool:
    if isinstance(value, ast.Dict):
        for key, one in zip(value.keys, value.values, strict=True):
            said = constant(key)
            if said in _ERROR_KEYS or (said == "success" and constant(one) is False):
                return True
            if said in ("status", "result") and constant(one) in ("error", "failed", "failure"):
                return True
        return False
    if isinstance(value, ast.JoinedStr):
        text = constant(value.values[0]) if value.values else None
        return isinstance(text, str) and _SAYS_ERROR.search(text) is not None
    if isinstance(value, ast.BinOp):
        return _is_error(value.left)
    if isinstance(value, ast.Call):
        word = value.func.attr if isinstance(value.func, ast.Attribute) else ""
        if word == "to_dict":  # of the error that was caught, or of one made of it
            return not value.args
        return word == "dumps" and bool(value.args) and _is_error(value.args[0])
    if isinstance(value, ast.List):
        return any(_is_error_block(one) for one in value.elts)
    text = constant(value)
    return isinstance(text, str) and _SAYS_ERROR.search(text) is not None


def _is_error_block(value: ast.expr) -> bool:
    if not isinstance(value, ast.Call):
        return False
    text = keywords(value).get("text")
    return text is not None and _is_error(text)


def is_said(node: ast.ExceptHandler) -> bool:
    """Whether anybody learns of the error: it is raised, used, logged, or returned as one."""
    if next(_answers(node), None) is not None:
        return True
    for one in ast.walk(node):
        if isinstance(one, ast.Raise):
            return True
        if node.name and isinstance(one, ast.Name) and one.id == node.name:
            return True
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute):
            said = one.func.attr in (
                "exception",
                "format_exc",
                "print_exc",
                "critical",
                "error",
                "warning",
            )
            if said or "exc_info" in keywords(one) or "sys.exc_info" in ast.unparse(one):
                return True
    return False


def _shown(file: File, function: FunctionNode) -> Iterator[Found]:
    """Traces of the program that are part of an answer."""
    for node in within(function):
        if isinstance(node, (ast.Return, ast.Raise)):
            for one in ast.walk(node):
                if isinstance(one, ast.Call) and file.source.called(one) in _TRACES:
                    yield Found(rule="trace-shown", node=one)
