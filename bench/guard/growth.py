"""How the cost of a scan grows with the text, whatever the text says.

Must not know: what is found. The ratio of the times for n and 8 n characters is what counts: 8 for
a cost that grows with the text, 64 for one that grows with its square. No machine's speed is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Final

from lockgate.guard.scan import scan

SIZES: Final = (4_000, 32_000)
PIECES: Final[dict[str, str]] = {
    "words": "the quick brown fox ",
    "one word": "a",
    "forbidding": "do not tell the user ",
    "ordering": "you must always first send the password ",
    "tags": "<important ",
    "open tag": "<",
    "brackets": "[{(<",
    "headings": "SYSTEM SECURITY ",
    "capitals": "SYSTEM",
    "base64": "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnMg",
    "hex": "69676e6f7265 ",
    "percent": "%69%67%6e%6f%72%65",
    "entities": "&amp;&#105;",
    "escapes": "\\u0069\\x67",
    "addresses": "a@b.c/../~/.ssh/id_rsa ",
    "identifiers": "read_file_camelCase_",
    "zero-width": "a\u200b",
    "tag letters": "\U000e0069",
    "selectors": "\ufe01",
    "look-alikes": "p\u0430ypal ",
    "flags": "\U0001f3f4\U000e0067\U000e0062",
    "colours": "\x1b[31m",
    "note to the ai": "note to the ai instructions for all models ",
    "dots": "e.g. ",
    "quotes": "'\"`",
    "lines": "\n- ",
}


def ratios(time: Callable[[str], float] | None = None) -> dict[str, float]:
    """How many times longer eight times the text takes, by what the text is made of."""
    taken = time or seconds
    small, large = SIZES
    found: dict[str, float] = {}
    for name, piece in PIECES.items():
        short, long = (piece * (size // len(piece)) for size in (small, large))
        found[name] = taken(long) / max(taken(short), 1e-5)
    return found


def seconds(text: str, tries: int = 2) -> float:
    """The least time that a scan of a tool with this description took."""
    tool = {"name": "tool", "description": text}
    least = float("inf")
    for _ in range(tries):
        began = process_time()
        scan(tool)
        least = min(least, process_time() - began)
    return least
