"""What a check says: a rule, and the node that breaks it.

Must not know: how it is shown.
"""

from __future__ import annotations

import ast

import msgspec

from lockgate.guard.finding import Severity
from lockgate.lint.handlers import Handler


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is broken.

    handler   the handler it matters to, if the node itself does not stand in one.
    severity  when it is not that of the rule.
    """

    rule: str
    node: ast.AST
    handler: Handler | None = None
    severity: Severity | None = None
    evidence: str | None = None
