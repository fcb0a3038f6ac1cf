"""Rules about what only grows.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

GROWTH: Final = (
    Rule(
        id="store-unbounded",
        group="growth",
        severity="review",
        summary="Every call may add to this, and nothing ever leaves it.",
        why=(
            "Servers run for weeks. What is kept under a key that callers choose grows with every "
            "one they think of, until the machine kills the process and everybody's sessions."
        ),
        remedy="Bound it: evict the oldest, or let entries expire.",
        bad='''\
seen = {}


@mcp.tool()
def lookup(word: str) -> str:
    """Look a word up."""
    if word not in seen:
        seen[word] = word.upper()
    return seen[word]
''',
        good='''\
from collections import OrderedDict

MOST = 1000
seen: OrderedDict[str, str] = OrderedDict()


@mcp.tool()
def lookup(word: str) -> str:
    """Look a word up."""
    if word not in seen:
        seen[word] = word.upper()
        if len(seen) > MOST:
            seen.popitem(last=False)
    return seen[word]
''',
    ),
    Rule(
        id="cache-unbounded",
        group="growth",
        severity="review",
        summary="The cache keeps every result for ever.",
        why="One entry for each combination of arguments that anybody ever used.",
        remedy="Give it a `maxsize`, or use a cache whose entries expire.",
        fixable=True,
        bad='''\
from functools import lru_cache


@lru_cache(maxsize=None)
def spelled(word: str) -> str:
    return "-".join(word)


@mcp.tool()
def spell(word: str) -> str:
    """Spell a word."""
    return spelled(word)
''',
        good='''\
from functools import lru_cache


@lru_cache(maxsize=1024)
def spelled(word: str) -> str:
    return "-".join(word)


@mcp.tool()
def spell(word: str) -> str:
    """Spell a word."""
    return spelled(word)
''',
    ),
    Rule(
        id="result-unbounded",
        group="growth",
        severity="review",
        summary="All of it is returned at once, however long it is.",
        why=(
            "A result goes into the model's context whole. One long file can fill it, and every "
            "later turn pays for it again."
        ),
        remedy=(
            "Return a part and say how to get the next, or keep the whole as a resource and return "
            "a link with a preview."
        ),
        bad='''\
from pathlib import Path


@mcp.tool()
def journal() -> str:
    """Read the journal."""
    return Path("journal.txt").read_text()
''',
        good='''\
from pathlib import Path


@mcp.tool()
def journal(offset: int = 0, limit: int = 4000) -> str:
    """Read the journal from `offset` on, at most `limit` characters."""
    return Path("journal.txt").read_text()[offset : offset + limit]
''',
    ),
)
