"""Secrets in the code, and secrets that pass through the model.

Must not know: other groups of rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lockgate.guard.secrets import find
from lockgate.lint.found import Found
from lockgate.lint.handlers import given
from lockgate.lint.project import File
from lockgate.lint.source import constant

SHORTEST: Final = 12
_SECRET: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|secret|api_?key|access_?key|secret_?key|private_?key"
    r"|(?:access|auth|api|bearer|refresh|bot)_?token|credentials?)$",
    re.IGNORECASE,
)

_JUDGED: Final = re.compile(
    r"(?:^|_)(?:signature|hmac|api_?key|(?:expected|secret|auth|bearer)_?token|password)$",
    re.IGNORECASE,
)
_FLAG: Final = re.compile(r"(?:hide|show|is|has|use|with|require|reset|mask)_", re.IGNORECASE)
_LOCAL: Final = re.compile(r"@(?:localhost|127\.0\.0\.1|\[::1\]|db|postgres|redis)\b")


def check(file: File) -> Iterator[Found]:
    """Credentials as text, and parameters that ask the model for one."""
    for node in ast.walk(file.source.tree):
        text = constant(node)
        if isinstance(text, str) and len(text) >= SHORTEST and _holds(file, node, text):
            yield Found(rule="secret-in-code", node=node, evidence="(not shown)")
        if isinstance(node, ast.Compare) and _compares(node):
            yield Found(rule="secret-compared", node=node)
    for handler in file.handlers:
        if handler.kind != "call":
            for one in given(file.source, handler):
                if _SECRET.search(one.arg) and not _FLAG.match(one.arg):
                    yield Found(rule="secret-asked-for", node=one, evidence=one.arg)


def _compares(node: ast.Compare) -> bool:
    """Whether a secret is held against what somebody sent, character by character."""
    if not isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
        return False
    sides = [node.left, *node.comparators]
    if any(isinstance(one, (ast.Constant, ast.List, ast.Tuple)) for one in sides):
        return False
    names = [_named(one) for one in sides]
    if any(
        one.isupper() and "." in ast.unparse(side) for one, side in zip(names, sides, strict=True)
    ):
        return False  # a member of an enumeration
    return any(map(_JUDGED.search, names)) or any(map(_bears, sides))


def _named(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _bears(node: ast.expr) -> bool:
    """Whether a text is what an `Authorization` header should be."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else None
    text = constant(first)
    return isinstance(text, str) and text.startswith("Bearer ")


def _holds(file: File, node: ast.AST, text: str) -> bool:
    """Whether a text is a credential; prose that tells of one, as docstrings do, is none."""
    found = [] if _LOCAL.search(text) else find(text)
    return bool(found) and not isinstance(file.source.parent(node), ast.Expr)
