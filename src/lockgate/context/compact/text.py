"""Descriptions without what only their source code needed: indents, ends of lines, blank lines.

Must not know: where a text stands.
"""

from __future__ import annotations

from typing import Final

FENCES: Final = ("```", "~~~")


def tidy(text: str) -> str:
    """The same words in the same lines. Linear; what stands between fences keeps its spaces."""
    if "\n" not in text and "  " not in text and "\t" not in text:
        return text.strip()
    lines = [line.rstrip() for line in text.strip().split("\n")]
    # As for docstrings: the first line has no indent of its own.
    indent = min((_indent(line) for line in lines[1:] if line), default=0)
    found: list[str] = []
    fenced = False
    for number, whole in enumerate(lines):
        line = whole[indent:] if number else whole
        if line.lstrip().startswith(FENCES):
            fenced = not fenced
        elif not fenced:
            if not line:
                continue
            found.append(line[: _indent(line)] + " ".join(line.split()))
            continue
        found.append(line)
    return "\n".join(found)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def first_sentence(text: str, most: int) -> str:
    """The first sentence of the first line, cut at a word where it is longer than `most`."""
    line = tidy(text).split("\n", 1)[0]
    for end in (". ", "! ", "? ", "。"):
        at = line.find(end)
        if 0 < at < most:
            line = line[: at + 1]
            break
    return cut(line, most)


def cut(text: str, most: int) -> str:
    """At most so many characters, ending with a word and an ellipsis where something is gone."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    space = kept.rfind(" ")
    return (kept[:space] if space > most // 2 else kept).rstrip(" ,;:") + "…"
