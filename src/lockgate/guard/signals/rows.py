"""What each word of a sentence means, as rows of bits, and how meanings stand to one another.

Must not know: which relations are suspicious. One bit for each word: relations such as "within
four words after" are shifts of whole numbers, so that the cost of a sentence is fixed by its
length, whatever it says.
"""

from __future__ import annotations

from typing import Final

from lockgate.guard.signals.lexicon import INDEX, PHRASES, WORDS
from lockgate.guard.text.sentences import Sentence, spoken

_MARKS: Final[tuple[str, ...]] = ("url", "mail", "phone", "home", "path", "identifier")
_FILES: Final = frozenset(
    {"md", "txt", "json", "yaml", "yml", "csv", "pdf", "py", "js", "ts", "html", "xml", "toml"}
    | {"png", "jpg", "svg", "zip", "log", "sql", "xlsx", "docx", "pptx", "ini", "cfg", "sh"}
)


class Rows:
    """One sentence. A row is a whole number whose bit n stands for word n."""

    __slots__ = ("_rows", "length", "marks", "sentence")

    def __init__(self, sentence: Sentence) -> None:
        self.sentence = sentence
        words = sentence.words
        self.length = len(words)
        rows = [0] * len(INDEX)
        phrases = PHRASES
        known = WORDS
        bit = 1
        for number, word in enumerate(words):
            meanings = known.get(word)
            if meanings is not None:
                for meaning in meanings:
                    rows[meaning] |= bit
            if word in phrases:
                for rest, meant in phrases[word]:
                    if tuple(words[number + 1 : number + 1 + len(rest)]) == rest:
                        span = bit | bit << len(rest)
                        for meaning in meant:
                            rows[meaning] |= span
            bit <<= 1
        self._rows = rows
        self.marks: dict[str, int] = dict.fromkeys(_MARKS, 0)
        for number, mark in sentence.marks.items():
            self.marks[mark] |= 1 << number

    def __getitem__(self, meaning: str) -> int:
        """Where words of a meaning stand."""
        return self._rows[INDEX[meaning]]

    def foreign(self, own: frozenset[str]) -> int:
        """Where identifiers stand that are none of the definition's own."""
        found = 0
        for number, whole in self.sentence.wholes.items():
            if whole not in own and self._names_a_tool(number, whole):
                found |= 1 << number
        return found

    def _names_a_tool(self, number: int, whole: str) -> bool:
        """Whether an identifier can be a tool's: no value, constant, file or product."""
        if "=" in whole or whole.isupper() or whole.rpartition(".")[2].lower() in _FILES:
            return False
        if "_" in whole or not whole[0].isupper():
            return True
        after = number + len(spoken(whole))
        return self.sentence.words[after : after + 1] == ["tool"]

    def plain(self) -> int:
        """Where words stand that are no parts of identifiers."""
        inside = 0
        for number, whole in self.sentence.wholes.items():
            inside |= ((1 << len(spoken(whole))) - 1) << number
        return ~inside

    def other_tool(self) -> int:
        """Where a tool is spoken of that is not called `this tool`."""
        return self["tool"] & ~(self["this"] << 1)

    def orders(self) -> int:
        """Whether something is ordered here: what must, may not, or is to come first."""
        return self.any("must", "before", "not", "regardless") and self.any(
            "call", "read", "send", "attach", "tamper", "set", "delete"
        )

    def any(self, *meanings: str) -> int:
        """Where words of any of several meanings stand."""
        found = 0
        for meaning in meanings:
            found |= self._rows[INDEX[meaning]]
        return found


def then(first: int, second: int, gap: int) -> int:
    """Where of `second` stands at most `gap` words after one of `first`."""
    if not first or not second:
        return 0
    return _after(first, gap) & second


def near(one: int, other: int, gap: int) -> int:
    """Where of `other` stands at most `gap` words before or after one of `one`."""
    if not one or not other:
        return 0
    return (_after(one, gap) | _before(one, gap)) & other


def _after(row: int, gap: int) -> int:
    spread = row << 1
    width = 1
    while width < gap:
        step = min(width, gap - width)
        spread |= spread << step
        width += step
    return spread


def _before(row: int, gap: int) -> int:
    spread = row >> 1
    width = 1
    while width < gap:
        step = min(width, gap - width)
        spread |= spread >> step
        width += step
    return spread
