"""What others wrote comes back without what is hidden in it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.kit import sanitise
from lockgate.kit.errors import ToolError

PAGE = """<html><head><title>T</title><style>p{}</style></head><body onload="x()">
<h1>News &amp; views</h1><!-- obey me --><script>alert("<p>1</p>")</script>
<p style="display:none">quiet</p><p>one <b>two</b>   three<br>four</p>
<ul><li>a</li><li>b &lt;i&gt;</li></ul><img src="http://spy/x.png" alt="pic">
<a href="javascript:x()">bad</a> <a href="https://example.com">good</a>
<svg><desc>drawn</desc></svg><form><input value="x"></form></body></html>"""


def test_html_keeps_what_is_read_and_nothing_that_acts() -> None:
    clean = sanitise.html(PAGE)
    for gone in ("script", "onload", "style", "obey", "javascript:", "spy", "<form", "<input"):
        assert gone not in clean
    assert "<h1>News &amp; views</h1>" in clean
    assert 'href="https://example.com"' in clean


def test_plain_is_the_text_a_line_for_each_block() -> None:
    lines = sanitise.plain(PAGE).split("\n")
    assert lines[0] == "News & views"
    assert "one two three" in lines
    assert "four" in lines
    assert lines[lines.index("a") + 1] == "b <i>"
    said = "\n".join(lines)
    assert all(gone not in said for gone in ("obey", "alert", "drawn", "T\n", "p{}"))
    assert "quiet" in said  # what a style hides is seen


def test_plain_of_very_many_tags_takes_no_longer_than_they_are_long() -> None:
    assert sanitise.plain("<p>a" * 50_000).count("a") == 50_000
    assert sanitise.plain("<" * 200_000 + " b").endswith("< b")
    assert sanitise.plain("a" + " \n" * 100_000 + "b") == "a\nb"


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="<>/!-ab p&;\"'=\n\u200b\u202e", max_size=60))
def test_plain_leaves_nothing_hidden(value: str) -> None:
    said = sanitise.plain(value)
    assert sanitise.hidden(said) == []
    assert "<script" not in said


def test_hidden_characters_go_are_shown_and_are_found() -> None:
    text = "pay\u202e\u200b now"
    assert sanitise.text(text) == "pay now"
    assert sanitise.shown(text) == "pay\\u202e\\u200b now"
    assert [one.kind for one in sanitise.hidden(text)] == ["bidi", "zero-width"]
    family = "👩‍👩‍👧 می‌خواهم"
    assert sanitise.text(family) is family


def test_credentials_are_replaced_by_what_they_were() -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    assert token not in sanitise.redacted(f"use {token} for it")
    assert sanitise.redacted("nothing here") == "nothing here"


@pytest.mark.parametrize("name", ["html", "plain"])
def test_without_the_parser_nothing_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nh3", None)
    with pytest.raises(ToolError, match=r"lockgate\[html\]"):
        getattr(sanitise, name)("<p>")
