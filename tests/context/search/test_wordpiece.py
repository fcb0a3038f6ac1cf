"""Texts as the pieces that a model reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.context.search.wordpiece import MOST, WordPieces

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "issue",
    "create",
    "##s",
    "##d",
    "_",
    ".",
    "caf",
    "##e",
    "好",
    "e",
]
written = WordPieces(PIECES)


def pieces(text: str, most: int = MOST) -> list[str]:
    return [PIECES[number] for number in written(text, most)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Create ISSUES", ["create", "issue", "##s"]),
        ("created_issue.", ["create", "##d", "_", "issue", "."]),
        ("Caf\u00e9\t\ncreate", ["caf", "##e", "create"]),
        ("好好e", ["好", "好", "e"]),
        ("issue\u200b\x00s \ufffd", ["issue", "##s"]),
        ("issuex", ["[UNK]"]),
        ("s" * 101, ["[UNK]"]),
    ],
)
def test_the_longest_piece_again_and_again(text: str, expected: list[str]) -> None:
    assert pieces(text) == ["[CLS]", *expected, "[SEP]"]


@given(st.text(max_size=300), st.integers(2, 20))
def test_any_text_is_written_within_bounds(text: str, most: int) -> None:
    found = pieces(text, most)
    assert (found[0], found[-1]) == ("[CLS]", "[SEP]")
    assert len(found) <= most


def test_a_vocabulary_that_lacks_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[SEP\]"):
        WordPieces(("[UNK]", "[CLS]", "a"))
