"""What is found, in which order, and on what it does not depend."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.context import corpora, figures
from bench.context.searchers import Lockgate
from lockgate.context.search import index as index_module
from lockgate.context.search.documents import Document, document
from lockgate.context.search.index import LONGEST_QUERY, Index, Scope

WORDS = ("read", "write", "file", "issue", "createIssue", "weather", "currency", "搜索文件", "id")
texts = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
documents = st.builds(
    lambda number, name, description, server: Document(
        f"{server}/{number:03}", server, name or "x", "", description
    ),
    st.integers(0, 999),
    texts,
    texts,
    st.sampled_from(("git", "files", "mail")),
)
queries = st.one_of(
    texts, st.text(max_size=30), st.sampled_from(("isue", "wether", "curency file"))
)


def found(scope: Scope, query: str, most: int = 10, server: str = "") -> list[tuple[str, float]]:
    index = scope._index
    return [
        (index.documents[hit.number].key, hit.score)
        for hit in scope.search(query, most, server=server)
    ]


def of(*those: Document) -> tuple[Index, Scope]:
    index = Index()
    return index, Scope(index, [index.add(one) for one in those])


def tool(name: str, description: str = "", server: str = "s", **properties: Any) -> Document:
    schema = {"type": "object", "properties": properties}
    definition = {"name": name, "description": description, "inputSchema": schema}
    return document(f"{server}/{name}", server, name, definition)


@given(st.lists(documents, max_size=12, unique_by=lambda one: one.key), st.data())
@settings(max_examples=40, deadline=None)
def test_an_index_that_has_changed_is_equal_to_one_made_anew(
    those: list[Document], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(those))))) if those else set[int]()
    index = Index()
    numbers = [index.add(one) for one in those]
    for place in gone:
        index.remove(numbers[place])
    kept = [number for place, number in enumerate(numbers) if place not in gone]
    _, fresh = of(*(one for place, one in enumerate(those) if place not in gone))
    query, server = data.draw(queries), data.draw(st.sampled_from(("", "git", "mail tool")))
    assert found(Scope(index, kept), query, server=server) == found(fresh, query, server=server)
    if not kept:
        assert not index.postings
        assert not index.names


@given(st.lists(documents, max_size=12, unique_by=lambda one: one.key), st.data())
@settings(max_examples=40, deadline=None)
def test_what_may_not_be_seen_changes_nothing(those: list[Document], data: st.DataObject) -> None:
    """Neither what is found, nor its order, nor its scores."""
    seen = data.draw(st.sets(st.sampled_from(range(len(those))))) if those else set[int]()
    index = Index()
    numbers = [index.add(one) for one in those]
    scope = Scope(index, [numbers[place] for place in seen])
    _, alone = of(*(those[place] for place in sorted(seen)))
    query, server = data.draw(queries), data.draw(st.sampled_from(("", "git", "files")))
    assert found(scope, query, server=server) == found(alone, query, server=server)
    names = [{one._index.documents[n].key for n in one.nearest(query, 3)} for one in (scope, alone)]
    assert names[0] == names[1]


@given(st.lists(documents, max_size=12, unique_by=lambda one: one.key), queries)
@settings(max_examples=40, deadline=None)
def test_the_order_they_came_in_does_not_matter(those: list[Document], query: str) -> None:
    _, one = of(*those)
    _, other = of(*reversed(those))
    assert found(one, query) == found(other, query)


def test_equally_good_ones_are_in_the_order_of_their_keys() -> None:
    _, scope = of(*(tool("read", server=server) for server in "cab"))
    assert [key for key, _ in found(scope, "read it")] == ["a/read", "b/read", "c/read"]
    assert [key for key, _ in found(scope, "read it", most=2)] == ["a/read", "b/read"]


@pytest.mark.parametrize(
    "query",
    ["send_message", "sendMessage", "Send Message", "mail__send_message", "call send_message now",
     "mail.send_message"],
)  # fmt: skip
def test_an_exact_name_comes_first(query: str) -> None:
    other = tool("message", "Send a message: send message, send messages, call now.")
    _, scope = of(tool("send_message", server="mail"), *[other] * 3)
    first = scope.search(query, 5)[0]
    assert first.exact
    assert found(scope, query)[0][0] == "mail/send_message"


def test_a_server_is_a_hint_and_no_filter() -> None:
    _, scope = of(
        tool("search", "Search in messages.", server="mail"),
        tool("search", "Search in code.", server="forge"),
        tool("inbox", "All mail.", server="other"),
    )
    assert found(scope, "search things", server="forge")[0][0] == "forge/search"
    assert found(scope, "search things", server="my mail")[0][0] == "mail/search"
    everything = {key for key, _ in found(scope, "search things", server="forge")}
    assert everything == {"mail/search", "forge/search"}
    assert found(scope, "search", server="nobody") == found(scope, "search")


@pytest.mark.parametrize(
    ("query", "name"),
    [("look up a note", "search_notes"), ("get rid of my note", "delete_note"),
     ("write something down in a note", "add_note"), ("show me every note", "list_notes")],
)  # fmt: skip
def test_whoever_says_it_otherwise_finds_it_as_well(query: str, name: str) -> None:
    names = ("add_note", "delete_note", "list_notes", "read_note", "search_notes")
    _, scope = of(*(tool(one, f"{one.partition('_')[0].capitalize()}s notes.") for one in names))
    assert found(scope, query)[0][0] == f"s/{name}"


def test_a_name_that_is_asked_for_whole_is_better_than_a_part_of_a_longer_one() -> None:
    said = "Groups of resources in an account."
    _, scope = of(
        tool("group_list", said), tool("consumer_group_list", said), tool("group_member_list", said)
    )
    assert found(scope, "list my groups")[0][0] == "s/group_list"


def test_a_server_with_more_that_fits_is_likelier() -> None:
    _, scope = of(
        tool("fetch", "Price now.", server="a_zoo"),
        tool("feed", "All animals.", server="a_zoo"),
        tool("fetch", "Price now.", server="shares"),
        tool("history", "Price of a day.", server="shares"),
    )
    assert found(scope, "price")[0][0] == "shares/fetch"


def test_a_word_and_what_stands_for_it_count_once() -> None:
    index, scope = of(
        tool("a", "Remove, erase, delete, drop."), tool("b", "Remove."), tool("c", "Erase.")
    )
    terms = [{part.term for part in scope.explain("remove", number)} for number in range(3)]
    assert [those - {"its server"} for those in terms] == [{"remov"}, {"remov"}, {"eras"}]
    for hit in scope.search("remove", 3):
        assert sum(part.adds for part in scope.explain("remove", hit.number)) == pytest.approx(
            hit.score
        )
    assert index.documents[scope.search("remove", 3)[2].number].name == "c"


def test_the_first_sentence_says_more_than_the_rest() -> None:
    _, scope = of(
        tool("x", "Sends a parcel. It does not track anything."),
        tool("y", "Tracks anything. It does not send a parcel."),
    )
    assert found(scope, "send a parcel")[0][0] == "s/x"
    assert found(scope, "track")[0][0] == "s/y"


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("One. Two.", "One."),
        ("  One\n\nTwo", "  One\n\n"),
        ("One\n- two", "One\n"),
        ("One:\n  Args: two", "One:\n"),
        ("Version 1.2 of it", "Version 1.2 of it"),
        ("\u641c\u7d22\u3002\u6587\u4ef6", "\u641c\u7d22\u3002"),
        ("", ""),
        (None, ""),
    ],
)
def test_what_the_first_sentence_is(text: Any, lead: str) -> None:
    one = document("k", "s", "n", {"description": text})
    assert one.lead == lead
    assert one.lead + one.description == (text or "")


def test_by_parameters_titles_choices_and_arguments() -> None:
    nested = {"type": "object", "properties": {"postcode": {"description": "Of the parcel"}}}
    prompt = {"name": "p", "arguments": [{"name": "tone", "description": "friendly or stern"}]}
    index, scope = of(
        tool("a", address=nested, unit={"enum": ["kelvin", 3]}),
        document("s/b", "s", "b", {"title": "Translator", "annotations": {"title": "x"}}),
        document("s/p", "s", "p", prompt),
        document("s/r", "s", "file:///notes.md", {"name": "Minutes", "description": "Of meetings"}),
    )
    assert len(index) == 4
    for query, key in [("postcode", "s/a"), ("parcel", "s/a"), ("kelvin", "s/a"), ("stern", "s/p"),
                       ("translators", "s/b"), ("minutes", "s/r"), ("notes", "s/r")]:  # fmt: skip
        assert [one for one, _ in found(scope, query)] == [key], query


@pytest.mark.parametrize(
    "definition",
    [
        {"inputSchema": None},
        {"inputSchema": {"properties": []}},
        {"inputSchema": {"properties": {"a": True, "b": {"enum": 3, "items": []}}}},
        {"description": ["x"], "title": 5, "annotations": [], "arguments": {"a": 1}},
        {"arguments": ["x", {"name": 3}]},
    ],
)
def test_a_definition_may_have_any_shape(definition: Any) -> None:
    _, scope = of(document("k", "s", "the_name", definition))
    assert found(scope, "the_name")[0][0] == "k"


def test_nothing_found_and_what_is_near() -> None:
    _, scope = of(tool("create_invoice"), tool("read_file"))
    assert found(scope, "quantum") == []
    assert [scope._index.documents[n].name for n in scope.nearest("invoces", 3)] == [
        "create_invoice"
    ]
    assert scope.nearest("%%%", 3) == []


def test_what_is_kept_at_hand_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MOST_KEPT", 20)
    monkeypatch.setattr(index_module, "MOST_HELD", 12)
    index = Index()
    numbers = [index.add(tool(f"n{number}", f"same word{number}")) for number in range(10)]
    scope = Scope(index, numbers[:6])
    for number in range(100):
        scope.search(f"same word{number}", 1)
        assert len(scope._kept) <= 20
        assert sum(len(posting) for posting, _ in scope._kept.values()) <= 12


@pytest.mark.parametrize("piece", ["read ", "zzzz ", "a", "搜", "aB_", "isues "])
def test_time_grows_with_the_query_and_no_faster(piece: str) -> None:
    index = Index()
    scope = Scope(index, [index.add(tool(f"read_{n}", f"issue {n}")) for n in range(300)])
    scope.search("read", 10)

    def took(text: str) -> float:
        least = float("inf")
        for _ in range(3):
            began = process_time()
            scope.search(text, 10)
            least = min(least, process_time() - began)
        return least

    longest = took(piece * (LONGEST_QUERY // len(piece)))
    assert took(piece * 200_000) < 20 * longest + 0.02


@pytest.mark.parametrize("shape", ["long", "wide", "deep"])
def test_a_huge_definition_is_indexed_within_bounds(shape: str) -> None:
    properties: dict[str, Any] = {}
    description = ""
    if shape == "long":
        description = "".join(f"word{number} " for number in range(200_000))
    elif shape == "wide":
        properties = {f"p{number}": {"description": f"d{number}"} for number in range(50_000)}
    else:
        for _ in range(5000):
            properties = {"inner": {"properties": properties}}
    began = process_time()
    index, _ = of(tool("big", description, **properties))
    assert process_time() - began < 2
    assert len(index.postings) <= 1100


def test_the_own_examples_are_found() -> None:
    """The gate of every run: well above what FastMCP's search and FTS5 find of them."""
    data = corpora.own()
    searcher = Lockgate(data.tools["own"])
    rows = {
        source: figures.mean(
            [
                figures.measured(searcher.find(one.text, one.hint), one.relevant)
                for one in data.queries
                if one.source == source
            ]
        )
        for source in {one.source for one in data.queries}
    }
    least = {"own-task": 0.75, "own-name": 1.0, "own-typo": 0.9, "own-zh": 0.75, "own-hint": 1.0}
    for source, bar in least.items():
        assert rows[source][3] >= bar, (source, rows[source])


@pytest.mark.skipif(not corpora.SHARED.is_dir(), reason="the development data is not in git")
def test_the_development_data_is_found() -> None:
    data = corpora.read(corpora.SHARED / "ci_tools.jsonl", corpora.SHARED / "ci_queries.jsonl")
    searchers = {name: Lockgate(tools) for name, tools in data.tools.items() if name}
    by_source: dict[str, list[figures.Row]] = {}
    for one in data.queries:
        ranked = searchers[one.corpus].find(one.text)
        by_source.setdefault(one.source, []).append(figures.measured(ranked, one.relevant))
    macro = figures.mean([figures.mean(rows) for rows in by_source.values()])
    assert macro[3] >= 0.60
    assert macro[1] >= 0.66
