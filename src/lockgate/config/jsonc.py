"""JSON, and JSON with comments and trailing commas, read into nodes with positions.

Must not know: what any key means. `docs/why/config-parsing.md` says why this is written here.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from lockgate.config.finding import Findings
from lockgate.config.nodes import Node, Position

DEEPEST: Final = 100
_space = re.compile(r"(?:[ \t\r\n]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_string_start = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_string = re.compile(_string_start.pattern + '"')
_number = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_word = re.compile(r"[A-Za-z_$][\w$-]*")
_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_FOREIGN: Final = {"True": "true", "False": "false", "None": "null", "undefined": "null"}


class Unreadable(Exception):
    """The text is no JSON; where, why, and what to do."""

    def __init__(self, offset: int, summary: str, remedy: str) -> None:
        super().__init__(summary)
        self.offset = offset
        self.summary = summary
        self.remedy = remedy


def parse(text: str, findings: Findings) -> Node | None:
    """The value `text` holds, or None after noting why it cannot be read.

    Comments and trailing commas are accepted. A key that stands twice is noted; the first counts.
    """
    reader = _Reader(text, findings)
    try:
        return reader.document()
    except Unreadable as error:
        at = reader.position(min(error.offset, len(text)))
        findings.add("syntax", error.summary, error.remedy, at)
        return None


class _Reader:
    def __init__(self, text: str, findings: Findings) -> None:
        self.text = text
        self.findings = findings
        self.offset = 0
        self.lines = [0] + [found.end() for found in re.finditer("\n", text)]

    def position(self, offset: int) -> Position:
        low, high = 0, len(self.lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.lines[middle] <= offset else (low, middle)
        return low + 1, offset - self.lines[low] + 1

    def fail(self, summary: str, remedy: str, offset: int | None = None) -> NoReturn:
        raise Unreadable(self.offset if offset is None else offset, summary, remedy)

    def skip(self) -> str:
        """Pass blanks and comments; the next character, or an empty string at the end."""
        found = _space.match(self.text, self.offset)
        self.offset = found.end() if found else self.offset
        if self.text.startswith("/*", self.offset):
            self.fail("This comment is never closed.", "Close it with */.")
        return self.text[self.offset : self.offset + 1]

    def document(self) -> Node:
        if not self.skip():
            self.fail("The file is empty.", 'Write at least {"mcpServers": {}}.')
        node = self.value(0)
        if self.skip():
            self.fail(
                "There is more text after the end of the object.",
                "Look for a closing brace too many, or put everything into one object.",
            )
        return node

    def value(self, depth: int) -> Node:
        if depth > DEEPEST:
            self.fail(f"Nested more than {DEEPEST} deep.", "Flatten the file.")
        character = self.skip()
        at = self.position(self.offset)
        if character == "{":
            return Node(self.mapping(depth), at)
        if character == "[":
            return Node(self.sequence(depth), at)
        if character == '"':
            return Node(self.string(), at)
        start = self.offset
        scalar = self.bare(character)
        return Node(scalar, at, spelled=self.text[start : self.offset])

    def mapping(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        opened = self.offset
        self.offset += 1
        while (character := self.skip()) != "}":
            key_offset = self.offset
            key = self.key(character, opened)
            if self.skip() != ":":
                self.fail(f'After the key "{key}" a colon is missing.', "Write a colon here.")
            self.offset += 1
            node = self.value(depth + 1)
            at = self.position(key_offset)
            if key in members:
                first = members[key].key_at or members[key].at
                self.findings.add(
                    "duplicate-key",
                    f'The key "{key}" stands twice in this object, first in line {first[0]}.',
                    "Remove one of the two.",
                    at,
                )
            else:
                members[key] = Node(node.value, node.at, at, node.spelled)
            self.separator("}", opened)
        self.offset += 1
        return members

    def sequence(self, depth: int) -> list[Node]:
        items: list[Node] = []
        opened = self.offset
        self.offset += 1
        while self.skip() != "]":
            items.append(self.value(depth + 1))
            self.separator("]", opened)
        self.offset += 1
        return items

    def separator(self, closing: str, opened: int) -> None:
        ended = self.offset
        character = self.skip()
        if character == ",":
            self.offset += 1
        elif character != closing:
            self.unfinished(character, closing, opened)
            self.fail(
                "A comma is missing here.",
                "Write a comma between two entries.",
                ended,
            )

    def unfinished(self, character: str, closing: str, opened: int) -> None:
        line, _ = self.position(opened)
        if not character:
            what = "object" if closing == "}" else "list"
            self.fail(
                f"The file ends inside the {what} that opens in line {line}.",
                f"Close it with {closing}",
            )
        if character in "}]":
            self.fail(
                f"Here stands {character} where {closing} is needed: line {line} opens with "
                f"{'{' if closing == '}' else '['}.",
                f"Write {closing} instead of {character}, or look for one that is missing before.",
            )

    def key(self, character: str, opened: int) -> str:
        if character == '"':
            return self.string()
        if character == ",":
            self.fail("Here is a comma too many.", "Remove it.")
        self.unfinished(character, "}", opened)
        found = _word.match(self.text, self.offset)
        if found:
            self.fail(f"The key {found[0]} has no quotes.", f'Write "{found[0]}".')
        return self.bad_string(character)

    def string(self) -> str:
        found = _string.match(self.text, self.offset)
        if found is None:
            return self.bad_string('"')
        self.offset = found.end()
        token = found[0]
        return token[1:-1] if "\\" not in token else self.unescape(token)

    def unescape(self, token: str) -> str:
        text: str = json.loads(token)
        if any("\ud800" <= character <= "\udfff" for character in text):
            self.fail(
                "A \\u escape names half of a character.",
                "Write both halves of the surrogate pair, or the character itself.",
                self.offset - len(token),
            )
        return text

    def bad_string(self, character: str) -> NoReturn:
        if character == "'":
            self.fail("JSON strings stand in double quotes.", "Write \" instead of '.")
        if character != '"':
            self.fail(f"{character!r} cannot stand here.", "A key in double quotes belongs here.")
        start = self.offset
        found = _string_start.match(self.text, start)
        offset = found.end() if found else start
        if self.text.startswith("\\", offset):
            self.fail(
                f"{self.text[offset : offset + 2]!r} is no JSON escape.".replace("\\\\", "\\"),
                "Write \\\\ for one backslash, for example in Windows paths.",
                offset,
            )
        line, _ = self.position(start)
        self.fail(
            f"The string that begins in line {line} is not closed on that line.",
            'Close it with ", and write \\n for a line break and \\t for a tab in it.',
            start,
        )

    def bare(self, character: str) -> int | float | bool | None:
        word = _word.match(self.text, self.offset)
        if word and word[0] in _LITERALS:
            self.offset = word.end()
            return _LITERALS[word[0]]
        number = _number.match(self.text, self.offset)
        if number:
            return self.number(number)
        if word:
            remedy = _FOREIGN.get(word[0], f'"{word[0]}"')
            self.fail(f"{word[0]} is no JSON value.", f"Write {remedy}.")
        if character in {",", "}", "]", ""}:
            self.fail("A value is missing here.", "Write it, or remove the key.")
        if character == "'":
            self.bad_string(character)
        return self.fail(f"{character!r} cannot stand here.", "A value belongs here.")

    def number(self, found: re.Match[str]) -> int | float:
        self.offset = found.end()
        after = self.text[self.offset : self.offset + 1]
        if after and (after.isalnum() or after in "._+-"):
            self.fail(f"{found[0]}{after}… is no number.", "Put it in quotes if it is text.")
        if len(found[0]) > 40:
            self.fail("This number is too long.", "Put it in quotes if it is text.")
        return int(found[0]) if found[0].lstrip("-").isdigit() else float(found[0])
