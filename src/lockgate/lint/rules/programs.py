"""Rules about what callers send that ends up in a shell, a program or an interpreter.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

PROGRAMS: Final = (
    Rule(
        id="shell-command",
        group="input",
        severity="block",
        summary="A shell reads what may come from a caller.",
        why="`; rm -rf ~` is a valid argument, and so are `$(…)` and a line break.",
        remedy="Start the program without a shell, with its arguments as a list.",
        ruff=("S602", "S604", "S605", "S609"),
        bad='''\
import subprocess


@mcp.tool()
def lookup(host: str) -> str:
    """Look a host up."""
    return subprocess.run(f"host {host}", shell=True, capture_output=True, text=True).stdout[:2000]
''',
        good='''\
import re
import subprocess


@mcp.tool()
def lookup(host: str) -> str:
    """Look a host up."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}", host):
        raise ToolError("That is no host name.")
    return subprocess.run(
        ["host", host], capture_output=True, text=True, timeout=10, check=True
    ).stdout[:2000]
''',
    ),
    Rule(
        id="program-chosen",
        group="input",
        severity="review",
        summary="The caller chooses which program is started.",
        why="Without a shell it is still any program on the machine, `sh` and `curl` among them.",
        remedy="Choose it from a table of your own.",
        bad='''\
import subprocess


@mcp.tool()
def version(program: str) -> str:
    """The version of a program."""
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout[:200]
''',
        good='''\
import subprocess
from typing import Literal


@mcp.tool()
def version(program: Literal["git", "python3"]) -> str:
    """The version of a program."""
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout[:200]
''',
    ),
    Rule(
        id="option-smuggled",
        group="input",
        severity="review",
        summary="An argument from the caller may be taken for an option.",
        why=(
            "`--output=…`, `-c …` and their like make most programs write files or run others; "
            "that is how servers for git were broken."
        ),
        remedy="Put `--` before it, or refuse what begins with `-`.",
        bad='''\
import subprocess


@mcp.tool()
def history(revision: str) -> str:
    """The last commits before a revision."""
    return subprocess.run(
        ["git", "log", "-n", "20", revision], capture_output=True, text=True
    ).stdout[:4000]
''',
        good='''\
import subprocess


@mcp.tool()
def history(revision: str) -> str:
    """The last commits before a revision."""
    if revision.startswith("-"):
        raise ToolError("A revision does not begin with a dash.")
    return subprocess.run(
        ["git", "log", "-n", "20", "--end-of-options", revision], capture_output=True, text=True
    ).stdout[:4000]
''',
    ),
    Rule(
        id="code-executed",
        group="input",
        severity="block",
        summary="Text is run as a program of this process.",
        why=(
            "Whoever decides what stands in it has everything the server has. Taking away "
            "`__builtins__` does not change that."
        ),
        remedy="Parse what you expect; run code that has to be run in a sandbox.",
        ruff=("S102", "S307"),
        bad='''\
@mcp.tool()
def calculate(expression: str) -> float:
    """Calculate."""
    return eval(expression)
''',
        good='''\
import operator
from typing import Literal

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@mcp.tool()
def calculate(left: float, operation: Literal["+", "-", "*"], right: float) -> float:
    """Calculate."""
    return OPERATIONS[operation](left, right)
''',
    ),
    Rule(
        id="unsafe-loading",
        group="input",
        severity="review",
        summary="Loading this data can run code.",
        why="Pickles and full YAML name functions to call; data from a caller calls what it likes.",
        remedy="Use JSON, or `yaml.safe_load`.",
        ruff=("S301", "S302", "S506"),
        bad='''\
import yaml


@mcp.tool()
def keys(document: str) -> list[str]:
    """The keys of a YAML document."""
    return list(yaml.load(document, Loader=yaml.Loader))
''',
        good='''\
import yaml


@mcp.tool()
def keys(document: str) -> list[str]:
    """The keys of a YAML document."""
    return list(yaml.safe_load(document))
''',
    ),
    Rule(
        id="assert-checks",
        group="input",
        severity="note",
        summary="The check is not there when Python runs with `-O`.",
        why="Assertions are for what cannot happen; optimised bytecode leaves them out.",
        remedy="Raise a `ToolError` that says what was expected.",
        ruff=("S101",),
        bad='''\
@mcp.tool()
def root(number: float) -> float:
    """The square root of a number."""
    assert number >= 0
    return number**0.5
''',
        good='''\
@mcp.tool()
def root(number: float) -> float:
    """The square root of a number."""
    if number < 0:
        raise ToolError("Give a number that is not negative.")
    return number**0.5
''',
    ),
)
