"""Where in a function what a caller sent ends up, until something looks at it.

Must not know: rules, or which places are dangerous. Errs on the side of silence: a value counts as
looked at once anything that may be a check of it stands anywhere in the function.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from lockgate.lint.source import FunctionNode, Source, assignments, constant, root, within

Origins = frozenset[str]
NOTHING: Final[Origins] = frozenset()

_CHECKS: Final = re.compile(
    r"valid|check|safe|saniti|allow|ensure|verif|assert|permit|restrict|within|relative_to"
    r"|commonpath|startswith|fullmatch|^match$|is_public|resolve_path|secure|guard|quote|escape"
    r"|Literal|identifier",
    re.IGNORECASE,
)
_KEEPS: Final = frozenset(
    {
        "str",
        "bytes",
        "list",
        "tuple",
        "sorted",
        "reversed",
        "dict",
        "pathlib.Path",
        "pathlib.PurePath",
    }
    | {"anyio.Path", "os.path.join", "os.path.expanduser", "os.path.abspath", "os.path.realpath"}
    | {
        "os.path.normpath",
        "os.fspath",
        "os.path.expandvars",
        "urllib.parse.urljoin",
        "urllib.parse.urlsplit",
        "urllib.parse.urlparse",
        "textwrap.dedent",
    }
    | {"sqlalchemy.text", "psycopg.sql.SQL", "shlex.split", "enumerate", "zip"}
)
"""Calls that give back what they were given, in another form."""
_LOSES: Final = frozenset(
    {"exists", "is_file", "is_dir", "isdigit", "count", "index", "find", "endswith", "startswith"}
    | {"isalnum", "isidentifier", "bit_length", "is_absolute", "stat", "model_dump"}
)
"""Methods whose result holds nothing of the text."""


class Flow:
    """What of the callers' words each name in a function may hold.

    given  the parameters that callers fill, and what of theirs each holds.
    """

    def __init__(
        self, source: Source, function: FunctionNode, given: Mapping[str, Origins]
    ) -> None:
        self._source = source
        self._function = function
        self.held: dict[str, Origins] = dict(given)
        self.texts: dict[str, list[ast.expr]] = {}
        for _ in range(3):
            before = dict(self.held)
            for node in within(function):
                self._take(node)
            if self.held == before:
                break
        self.checked = self._checked()

    def origins(self, node: ast.AST | None) -> Origins:
        """The parameters whose words an expression may hold, but for those that are checked."""
        return self._origins(node) - self.checked if node is not None else NOTHING

    def written(self, node: ast.expr) -> list[ast.expr]:
        """What an expression was written as: itself, or what was assigned to its name."""
        if isinstance(node, ast.Name) and node.id in self.texts:
            return self.texts[node.id]
        return [node]

    def _take(self, node: ast.AST) -> None:
        for target, value in assignments(node):
            self._bind(target, self._origins(value))
            if isinstance(target, ast.Name) and value not in self.texts.get(target.id, ()):
                self.texts.setdefault(target.id, []).append(value)
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            self._bind(node.target, self._origins(node.iter))

    def _bind(self, target: ast.AST, origins: Origins) -> None:
        if not origins:
            return
        for one in ast.walk(target):
            if isinstance(one, ast.Name):
                self.held[one.id] = self.held.get(one.id, NOTHING) | origins

    def _origins(self, node: ast.AST) -> Origins:
        if isinstance(node, ast.Name):
            return self.held.get(node.id, NOTHING)
        if isinstance(
            node, (ast.Attribute, ast.Subscript, ast.Starred, ast.Await, ast.FormattedValue)
        ):
            return self._origins(node.value)
        if isinstance(node, ast.Call):
            return self._of_call(node)
        if isinstance(node, ast.NamedExpr):
            return self._origins(node.value)
        if isinstance(node, ast.IfExp):
            return self._origins(node.body) | self._origins(node.orelse)
        found = NOTHING
        for part in _parts(node):
            found |= self._origins(part)
        return found

    def _of_call(self, call: ast.Call) -> Origins:
        found = NOTHING
        called = self._source.called(call)
        if called in _KEEPS or called in self._source.classes or called.endswith("model_validate"):
            for one in (*call.args, *(named.value for named in call.keywords)):
                found |= self._origins(one)
        elif isinstance(call.func, ast.Attribute):
            word = call.func.attr
            if word in _LOSES:
                return NOTHING
            found = self._origins(call.func.value)
            if word in ("format", "join", "joinpath", "with_name"):
                for one in (*call.args, *(named.value for named in call.keywords)):
                    found |= self._origins(one)
        return found

    def _checked(self) -> Origins:
        found = NOTHING
        for node in within(self._function):
            if isinstance(node, ast.Call):
                called = self._source.called(node) or _last(node)
                if _CHECKS.search(called) and not _says_little(node, called):
                    found |= self._mentioned(node)
            elif isinstance(node, ast.Compare) and any(
                isinstance(one, (ast.In, ast.NotIn, ast.Eq, ast.NotEq)) for one in node.ops
            ):
                found |= self._compared(node)
        return found

    def _compared(self, node: ast.Compare) -> Origins:
        """What is compared with something: against a set of what is allowed, for example."""
        if isinstance(node.left, ast.Attribute) and node.left.attr == "scheme":
            return NOTHING
        if any(
            constant(one) in ("", None) and isinstance(one, ast.Constant)
            for one in node.comparators
        ):
            return NOTHING
        return self._mentioned(node)

    def _mentioned(self, node: ast.AST) -> Origins:
        found = NOTHING
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                found |= self.held.get(one.id, NOTHING)
        return found


def _says_little(call: ast.Call, called: str) -> bool:
    """Whether what sounds like a check is none: of a URL's scheme alone, or of types alone."""
    if called.endswith("model_validate"):
        return True
    texts = [one.value for part in call.args for one in ast.walk(part)
             if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
    return called.endswith("startswith") and any(one.startswith("http") for one in texts)


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else root(call.func)


def _parts(node: ast.AST) -> list[ast.expr]:
    """The parts of an expression whose words it holds."""
    if isinstance(node, (ast.JoinedStr, ast.BoolOp, ast.Dict)):
        return list(node.values)
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return node.elts
    return [node.elt] if isinstance(node, (ast.ListComp, ast.GeneratorExp)) else []


def head(node: ast.expr) -> ast.expr | None:
    """What a text begins with, if that is no literal: of a URL, what decides where it leads."""
    if isinstance(node, ast.JoinedStr):
        parts = [one for one in node.values if constant(one) not in ("http://", "https://", "")]
        first = parts[0] if parts else None
        return head(first.value) if isinstance(first, ast.FormattedValue) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return head(node.right if constant(node.left) in ("http://", "https://") else node.left)
    if isinstance(node, ast.BinOp):
        return None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
    ):
        return None
    return None if isinstance(node, ast.Constant) else node
