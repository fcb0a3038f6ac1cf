"""Words and meaning in one ranking: what each adds, and that nothing hidden counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.context.search.documents import Document
from lockgate.context.search.fusion import LEAST, LONGEST, meant, shares
from lockgate.context.search.index import Index, Scope

TEXTS = ("send mail", "read mail", "erase file", "drive car", "send file", "weather")


def filled(texts: tuple[str, ...] = TEXTS) -> Index:
    index = Index()
    for place, text in enumerate(texts):
        index.add(Document(f"s/{place}", "s", f"t{place}", description=text))
    return index


def test_the_best_word_and_the_nearest_meaning_count_one_half_each() -> None:
    assert shares({1: 8.0, 2: 2.0}, {1: 0.4, 3: 1.0}) == {
        1: (0.5, 0.2),
        2: (0.125, 0.0),
        3: (0.0, 0.5),
    }
    assert shares({}, {}) == {}
    # What is not near at all says nothing, and is not found by it.
    assert shares({1: 1.0}, {1: LEAST / 2, 2: LEAST / 2, 3: -1.0}) == {1: (0.5, 0.0)}


def test_a_document_without_a_word_of_the_query_is_found_by_its_meaning() -> None:
    index = filled()
    scope = Scope(index, range(len(index)))
    assert scope.search("limousine", 5) == []
    (hit,) = scope.search("limousine", 5, meaning={3: 0.9, 0: 0.1})
    assert (hit.number, hit.shares) == (3, (0.0, 0.45))
    words, both = scope.search("mail", 5), scope.search("mail", 5, meaning={1: 0.8, 0: 0.3})
    assert [hit.number for hit in words] == [0, 1]
    assert [hit.number for hit in both] == [1, 0]
    assert both[0].shares is not None
    assert both[0].score == sum(both[0].shares)


def test_the_exact_name_stays_first_and_a_hint_counts() -> None:
    index = Index()
    for server in ("a", "b"):
        index.add(Document(f"{server}/echo", server, f"echo_{server}", description="Says it."))
    scope = Scope(index, (0, 1))
    near = {0: 0.9, 1: 0.8}
    assert [hit.number for hit in scope.search("echo_b", 5, meaning=near)] == [1, 0]
    assert [hit.number for hit in scope.search("repeat", 5, meaning=near)] == [0, 1]
    assert [hit.number for hit in scope.search("repeat", 5, meaning=near, server="b")] == [1, 0]
    # Equally good ones stand in the order of their keys.
    assert [hit.number for hit in scope.search("repeat", 5, meaning={1: 0.5, 0: 0.5})] == [0, 1]


NEAR = st.floats(-1, 1, allow_nan=False, width=32)


@given(
    seen=st.sets(st.integers(0, len(TEXTS) - 1)),
    near=st.lists(NEAR, min_size=len(TEXTS), max_size=len(TEXTS)),
    query=st.sampled_from(("mail", "send a file", "limousine", "t3", "wether")),
)
def test_what_may_not_be_seen_changes_nothing(
    seen: set[int], near: list[float], query: str
) -> None:
    """Neither found, nor in the scores, whatever its words and meaning are."""
    every = dict(enumerate(near))
    index = filled()
    told = Scope(index, seen).search(query, 10, meaning=every)
    assert {hit.number for hit in told} <= seen
    for number in set(every) - seen:
        index.remove(number)
    alone = Scope(index, seen).search(query, 10, meaning={n: every[n] for n in seen})
    assert told == alone


def test_a_model_is_told_names_as_words_and_never_too_much() -> None:
    one = Document("k", "git-hub", "createIssue", description="Opens it.", parameters="repo_name")
    assert meant(one) == "git hub create Issue : Opens it. repo name"
    long = Document("k", "s", "n", description="word " * 10_000)
    assert len(meant(long)) <= LONGEST
