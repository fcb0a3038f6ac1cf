"""Which of ruff's findings matter in a server of MCP, and how grave they are there.

Must not know: how ruff is run. A generic linter says that a call blocks or a shell is used; here
counts whether it happens while a client waits, and whether the server speaks over standard output.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from lockgate.guard.finding import Severity
from lockgate.guard.secrets import find
from lockgate.lint.checks.errors import is_said
from lockgate.lint.checks.secrets import SHORTEST
from lockgate.lint.checks.stdout import is_print
from lockgate.lint.found import Found
from lockgate.lint.handlers import given
from lockgate.lint.project import File, ways
from lockgate.lint.ruffed import Said
from lockgate.lint.rules import BY_RUFF
from lockgate.lint.source import FunctionNode, constant, root

_READS: Final = frozenset(
    {"read_text", "read_bytes", "write_text", "write_bytes", "open", "glob", "rglob", "iterdir"}
)
_BEGINS: Final = re.compile(
    r"main|lifespan|start|setup|init|serve|run|shutdown|close|clean|load_config"
)
_CLOSES: Final = re.compile(r"\.(?:close|aclose|disconnect|shutdown|terminate|kill|unlink)\(")
_LENIENT: Final = "review"


def judged(file: File, findings: Iterable[Said]) -> Iterator[Found]:
    """What of it counts."""
    said = list(findings)
    nodes = _by_place(file, {one.location.row for one in said})
    for one in said:
        rule = BY_RUFF.get(one.code or "")
        if rule is None:
            continue
        at = nodes.get((one.location.row, one.location.column), [])
        judge = _JUDGES.get(rule.id, _anywhere)
        found = judge(file, rule.id, one, at)
        if found is not None:
            yield found


def _by_place(file: File, rows: set[int]) -> dict[tuple[int, int], list[ast.AST]]:
    """The nodes that begin at each place of some rows, the outermost first, as ruff counts them."""
    found: dict[tuple[int, int], list[ast.AST]] = {}
    for node in ast.walk(file.source.tree):
        row: int = getattr(node, "lineno", 0)
        if row in rows and row <= len(file.source.lines):
            column = _characters(file.source.lines[row - 1], getattr(node, "col_offset", 0)) + 1
            found.setdefault((row, column), []).append(node)
    return found


def _characters(line: str, offset: int) -> int:
    """How many characters so many bytes of a line are."""
    return offset if line.isascii() else len(line.encode()[:offset].decode(errors="replace"))


Judge = Callable[[File, str, Said, list[ast.AST]], Found | None]


def _anywhere(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    del file, one
    node = _first(at, (ast.Call,)) or (at[0] if at else None)
    return Found(rule=rule, node=node) if node is not None else None


def _first(at: list[ast.AST], kinds: tuple[type[ast.AST], ...]) -> ast.AST | None:
    return next((node for node in at if isinstance(node, kinds)), None)


def _blocking(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    node = _first(at, (ast.Call,))
    function = file.source.function_of(node) if node is not None else None
    if node is None or function is None or _begins(file, function):
        return None
    if one.code == "ASYNC240":
        reads = [
            call for call in at
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
            and call.func.attr in _READS
        ]  # fmt: skip
        return Found(rule=rule, node=reads[0]) if reads else None
    return Found(rule=rule, node=node)


def _begins(file: File, function: FunctionNode) -> bool:
    """Whether a function runs before or after there are clients."""
    if function in file.reach.handled:
        return False
    return _BEGINS.search(function.name) is not None or any(
        "contextmanager" in ast.unparse(one) for one in function.decorator_list
    )


def _swallowed(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    del one
    for start in at:
        for node in (start, *file.source.above(start)):
            if isinstance(node, ast.ExceptHandler):
                if file.reach.handler_of(node) is None or is_said(node):
                    return None
                if _explained(file, node) or _only_closes(file, node):
                    return None
                line = file.source.lines[node.lineno - 1].strip()
                return Found(rule=rule, node=node, evidence=line)
    return None


def _explained(file: File, node: ast.ExceptHandler) -> bool:
    """Whether a comment says why nothing is done about it."""
    end = node.body[-1].end_lineno or node.lineno
    return any("# " in line for line in file.source.lines[node.lineno - 1 : end])


def _only_closes(file: File, node: ast.ExceptHandler) -> bool:
    """Whether what was tried is closing something that may be closed already."""
    tried = file.source.parent(node)
    body = tried.body if isinstance(tried, ast.Try) else []
    last = ast.unparse(body[-1]) if body else ""
    return len(body) <= 2 and _CLOSES.search(last) is not None


def _while_handling(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    """What is grave when a caller's words get there, which ruff cannot know: so less grave."""
    if "seems safe" in one.message:
        return None
    call = next(
        (up for node in at for up in (node, *file.source.above(node)) if isinstance(up, ast.Call)),
        None,
    )
    if call is None or file.reach.handler_of(call) is None:
        return None
    if call.args and isinstance(call.args[0], ast.Constant):
        return None
    return Found(rule=rule, node=call, severity=_LENIENT)


def _asserted(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    del one
    node = _first(at, (ast.Assert,))
    handler = file.reach.handler_of(node) if node is not None else None
    if node is None or handler is None or file.source.function_of(node) is not handler.node:
        return None
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    sent = {parameter.arg for parameter in given(file.source, handler)}
    return Found(rule=rule, node=node) if names & sent else None


def _secret(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    """A value with the name of a secret, if it is none that stands for one."""
    del file, one
    for node in at:
        value = constant(node.value if isinstance(node, ast.keyword) else node)
        if isinstance(value, str) and len(value) >= SHORTEST and find(f'password="{value}"'):
            return Found(rule=rule, node=node, evidence="(not shown)")
    return None


def _printed(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    del one
    node = _first(at, (ast.Call,))
    if file.stdio is False or not is_print(node) or node is None or _elsewhere(file, node):
        return None
    function = file.source.function_of(node)
    handled = file.reach.handler_of(node) is not None
    if not handled and (file.calls_servers or not file.starts):
        return None
    scope = function if function is not None else file.source.tree
    started = list(ways(file.source, _calls(scope)))
    starts = any(way is not False for way in started)
    if not handled and started and not starts:
        return None
    severity: Severity = "block" if file.stdio and (handled or starts) else "review"
    return Found(rule=rule, node=node, severity=severity)


def _calls(scope: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(scope) if isinstance(one, ast.Call))


def _elsewhere(file: File, node: ast.AST) -> bool:
    """Whether it stands in a branch that serves over HTTP and over nothing else."""
    inner = node
    for one in file.source.above(node):
        if isinstance(one, (ast.If, ast.Try)):
            branch = one.body if inner in one.body else one.orelse if inner in one.orelse else []
            found = [way for part in branch for way in ways(file.source, _calls(part))]
            if found and not any(way is not False for way in found):
                return True
        inner = one
    return False


def _kept(file: File, rule: str, one: Said, at: list[ast.AST]) -> Found | None:
    """A task that is dropped, unless the loop ends with the function."""
    found = _anywhere(file, rule, one, at)
    if found is None or root(found.node) in ("tg", "group", "task_group"):
        return None
    return found


_JUDGES: Final[dict[str, Judge]] = {
    "blocking-call": _blocking,
    "error-swallowed": _swallowed,
    "shell-command": _while_handling,
    "code-executed": _while_handling,
    "unsafe-loading": _while_handling,
    "assert-checks": _asserted,
    "secret-in-code": _secret,
    "stdout-print": _printed,
    "task-dropped": _kept,
}
