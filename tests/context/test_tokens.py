"""Counting tokens: what the vocabulary says, and what is said without it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context import tokens
from lockgate.context.tokens import ENCODINGS, Estimate, counter
from tests.support import effort

TEXT = (
    '{"name":"create_issue","description":"Opens an issue in a repository of GitHub.","inputSchema"'
    ':{"type":"object","properties":{"owner":{"type":"string","description":"Who owns it"},'
    '"labels":{"type":"array","items":{"type":"string"}}},"required":["owner"]}}'
)


def test_a_vocabulary_counts_and_says_so() -> None:
    count = counter()
    assert (count.exact, count.encoding) == (True, "o200k_base")
    # As the published vocabulary has it.
    assert [count("hello world"), count("x<|endoftext|>y"), count("")] == [2, 9, 0]
    assert counter() is count
    assert counter("cl100k_base")("hello world") == 2


def test_without_it_there_is_an_estimate_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "find_spec", lambda _name: None)
    estimate = counter.__wrapped__("o200k_base")
    assert (estimate.exact, estimate.encoding) == (False, "o200k_base")
    assert estimate(TEXT) == pytest.approx(counter()(TEXT), rel=0.1)
    assert estimate("") == 0


def test_the_package_around_the_vocabulary_is_not_imported() -> None:
    counter()
    assert "bpe_openai" not in sys.modules


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ValueError, match="known are o200k_base"):
        counter("claude")


@given(text=st.text(st.characters()))
@settings(max_examples=100, deadline=None)
def test_any_text_has_a_count(text: str) -> None:
    for encoding in ENCODINGS:
        assert counter(encoding)(text) >= bool(text)
    assert Estimate()(text) >= bool(text)


def test_half_a_pair_of_surrogates_is_counted_as_something() -> None:
    assert counter()("a\ud800b") == counter()("a?b")


@pytest.mark.parametrize("piece", ["a", "A", "0", "{", "\n", " ", "é", "aA0{"])
def test_the_time_an_estimate_takes_grows_with_the_text_alone(piece: str) -> None:
    count = Estimate()
    grows = effort.ratio(lambda: count(piece * 10_000), lambda: count(piece * 100_000), 40)
    assert grows <= 40
