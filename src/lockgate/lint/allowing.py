"""Comments that allow what a rule finds: `# lockgate: allow[rule] reason`.

Must not know: rules. One stands on a line of what it allows, or alone on the line above;
`allow-file` holds for the whole file.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import Final

from lockgate.lint.source import FUNCTIONS, Source, lines_in

_COMMENT: Final = re.compile(
    r"#\s{0,9}lockgate:\s{0,9}allow(-file)?\[([\w\-, ]{1,500})\](.{0,500})"
)


class Allowance:
    """One comment.

    rules   the rules it names.
    reason  what stands behind them.
    line    where it stands.
    lines   the lines it holds for; None: all of the file.
    """

    def __init__(self, rules: frozenset[str], reason: str, line: int, lines: range | None) -> None:
        self.rules = rules
        self.reason = reason
        self.line = line
        self.lines = lines
        self.used: set[str] = set()

    def covers(self, rule: str, lines: range) -> bool:
        """Whether it allows a finding on these lines; a comment without a reason allows nothing."""
        if rule not in self.rules or not self.reason:
            return False
        if self.lines is not None and not set(self.lines) & set(lines):
            return False
        self.used.add(rule)
        return True


def allowances(source: Source) -> list[Allowance]:
    """The comments of a file."""
    return list(_read(source.text))


def _read(text: str) -> Iterator[Allowance]:
    lines = lines_in(text)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        found = _COMMENT.match(token.string)
        if found is None:
            continue
        line = token.start[0]
        alone = not lines[line - 1][: token.start[1]].strip()
        rules = frozenset(one.strip() for one in found[2].split(",") if one.strip())
        below = range(line, line + 2) if alone else range(line, line + 1)
        yield Allowance(rules, found[3].strip(" -:"), line, None if found[1] else below)


def lines_of(node: ast.AST) -> range:
    """The lines on which a comment about a node may stand: of a function, its head."""
    start: int = getattr(node, "lineno", 1)
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        first = min([start, *(one.lineno for one in node.decorator_list)])
        return range(first, max(start + 1, node.body[0].lineno))
    if isinstance(node, ast.ExceptHandler):
        return range(start, node.body[0].lineno + 1)
    return range(start, (getattr(node, "end_lineno", None) or start) + 1)
