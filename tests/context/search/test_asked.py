"""What a query asks for: which terms, and what each counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context.search.asked import asked
from lockgate.context.search.synonyms import synonyms
from lockgate.context.search.weights import WEIGHTS
from lockgate.context.search.words import stem


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("look up a note", "search"),
        ("Look it up in my notes", "search"),
        ("looking up notes", "search"),
        ("get rid of a note", "delete"),
        ("write this down", "write"),
        ("turn off the light", "disable"),
        ("please set up the server", "configure"),
        ("LOG IN first", "login"),
    ],
)
def test_verbs_of_two_words_are_read_as_one(text: str, verb: str) -> None:
    found = asked(text, WEIGHTS)
    assert found[stem(verb)] == 1.0
    assert not {"look", "rid", "turn", "log"} & set(found)


@pytest.mark.parametrize("text", ["look at the sky, then go up", "up", "look", "off it turn"])
def test_other_words_stay_as_they_are(text: str) -> None:
    assert not {"search", "enabl", "disabl"} & set(asked(text, WEIGHTS))


def test_words_of_any_request_and_numbers_count_less() -> None:
    found = asked("please provide details of 3 invoices", WEIGHTS)
    assert found == {
        "provid": WEIGHTS.idle,
        "detail": WEIGHTS.idle,
        "3": WEIGHTS.number,
        "invoic": 1.0,
    }


def test_what_stands_for_a_word_stands_for_it_both_ways() -> None:
    known = synonyms()
    assert "delet" in known["remov"]
    assert all(term in known[other] for term, others in known.items() for other in others)
    assert all(term not in others for term, others in known.items())


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_can_be_asked(text: str) -> None:
    assert all(0 < weight <= 1 for weight in asked(text, WEIGHTS).values())
