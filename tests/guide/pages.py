"""The fenced blocks of the guide's pages, by what stands behind the three backticks.

Must not know: what any of them is about.

    python server    a server; what `http` blocks of the same page are sent to
    python run       a program that ends without an error
    http             a request, and behind it the response there has to be
    dockerfile, yaml, nginx, caddy, ini    files; see `test_files`
    json             a configuration; tests/test_docs.py has it checked
    sh, console, text    for people
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
GUIDE: Final = ROOT / "docs/guide"
PAGES: Final = ("protocol", "transports", "frameworks", "authentication", "deployment")
KINDS: Final = frozenset(
    {"python server", "python run", "http", "dockerfile", "yaml", "nginx", "caddy", "ini"}
    | {"json", "sh", "console", "text"}
)
_BLOCK: Final = re.compile(r"^```([a-z]+(?: [a-z]+)?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One block: the page, its kind, the line it begins in, and what it holds."""

    page: str
    kind: str
    line: int
    text: str


def blocks(page: str, *kinds: str) -> list[Block]:
    """The blocks of a page of these kinds; of all kinds, if none is named."""
    text = (GUIDE / f"{page}.md").read_text("utf-8")
    found = [
        Block(page, one[1], text.count("\n", 0, one.start()) + 1, one[2])
        for one in _BLOCK.finditer(text)
    ]
    return [one for one in found if not kinds or one.kind in kinds]


def every(*kinds: str) -> list[Block]:
    """The same of all pages."""
    return [one for page in PAGES for one in blocks(page, *kinds)]
