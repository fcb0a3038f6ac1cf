"""Rules about the comments that allow what another rule finds.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

ALLOWANCES: Final = (
    Rule(
        id="allowed-without-reason",
        group="serving",
        severity="review",
        summary="A finding is allowed, and nothing says why.",
        why="The next reader cannot tell what was considered from what was silenced.",
        remedy="Write the reason behind it; until then it allows nothing.",
        bad='''\
@mcp.tool()
def double(number) -> int:  # lockgate: allow[parameter-untyped]
    """Twice a number."""
    return number * 2
''',
        good='''\
@mcp.tool()
def double(number) -> int:  # lockgate: allow[parameter-untyped] numbers of any kind will do
    """Twice a number."""
    return number * 2
''',
    ),
    Rule(
        id="allowed-for-nothing",
        group="serving",
        severity="note",
        summary="What is allowed here is not found here.",
        why="A comment that outlives its reason hides the next mistake on that line.",
        remedy="Remove the comment, or correct the name in it.",
        bad='''\
@mcp.tool()
def double(number: int) -> int:  # lockgate: allow[parameter-untyped] numbers of any kind
    """Twice a number."""
    return number * 2
''',
        good='''\
@mcp.tool()
def double(number: int) -> int:
    """Twice a number."""
    return number * 2
''',
    ),
)
