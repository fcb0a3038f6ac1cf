"""What a rule is, and what it finds.

Must not know: any rule, or how anything is found.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from lockgate.guard.finding import Severity

Group = Literal["waiting", "errors", "growth", "definitions", "input", "secrets", "serving"]

GROUPS: Final[dict[Group, str]] = {
    "waiting": "Waiting",
    "errors": "Errors",
    "growth": "What grows",
    "definitions": "What the model is shown",
    "input": "What callers send",
    "secrets": "Secrets",
    "serving": "How it is served",
}
OPENING: Final = """\
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

mcp = MCPServer("demo")
"""
"""What an example begins with that does not make its own server."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    id        stable, as it stands in a comment that allows it.
    summary   what is wrong, in one sentence.
    why       what it leads to.
    remedy    what to do.
    bad       a server in which it is found.
    good      the same server as it should be.
    ruff      the rules of ruff whose findings become findings of this one.
    fixable   whether `--fix` repairs it.
    """

    id: str
    group: Group
    severity: Severity
    summary: str
    why: str
    remedy: str
    bad: str
    good: str
    ruff: tuple[str, ...] = ()
    fixable: bool = False


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a rule is broken.

    line, column  where, counted from 1.
    evidence      what stands there, shortened.
    within        the function it is in.
    kind          what that function is: `tool`, `resource`, `prompt` or `code`.
    severity      that of the rule, unless the place makes it graver or milder.
    """

    rule: str
    line: int
    column: int
    severity: Severity
    evidence: str = ""
    within: str = ""
    kind: str = "code"


def whole(example: str) -> str:
    """An example as a module, with the lines that it leaves out."""
    makes_its_own = any(one in example for one in ("import MCPServer", "import FastMCP", "Server("))
    return example if makes_its_own else OPENING + "\n\n" + example
