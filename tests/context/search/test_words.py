"""How texts become terms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context.search.words import LONGEST_TEXT, LONGEST_WORD, folded, joined, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("create_issues", ["creat", "issu"]),
        ("getUserByID", ["get", "user", "id", "getuserbyid"]),
        ("GitHub base64", ["git", "hub", "github", "base", "64", "base64"]),
        ("HTTPServer2", ["http", "server", "2", "httpserver2"]),
        ("the use of it", []),
        ("Café Ünï", ["cafe", "uni"]),
        ("\ufb01le \uff46\uff55ll", ["file", "full"]),
        ("搜索文件", ["搜索", "索文", "文件"]),
        ("用MCP搜索", ["用", "mcp", "搜索"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("поиск Товаров", ["поиск", "товаров"]),
        ("", []),
        ("--- …", []),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert list(terms(text)) == expected


def test_neighbours_that_may_be_one_word() -> None:
    assert list(joined("open a pull request")) == ["opena", "apul", "pullrequest"]


@pytest.mark.parametrize("name", ["create_issue", "createIssue", "Create-Issue", "create issue"])
def test_names_are_folded_alike(name: str) -> None:
    assert folded(name) == "createissue"


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_has_terms_of_bounded_length(text: str) -> None:
    found = list(terms(text))
    assert found == list(terms(text))
    assert all(found)
    assert all(len(one) <= LONGEST_WORD + 16 for one in found)


@pytest.mark.parametrize("piece", ["a", "aB", "a1", "é", "搜", "_", "a b ", "İ", "\u0301"])
def test_long_texts_are_cut(piece: str) -> None:
    few = list(terms(piece * LONGEST_TEXT))
    assert few == list(terms(piece * LONGEST_TEXT * 20))
    assert len(few) <= 2 * LONGEST_TEXT
