"""What a project may be called."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.scaffold.names import LONGEST, fault, nearest


@pytest.mark.parametrize("name", ["a", "my-server", "notes2", "x9-y8-z7", "a" * LONGEST])
def test_good_names(name: str) -> None:
    assert fault(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a_b",
            "a.b",
            "a/b",
            "..",
            "1a",
            "é",
            "a b",
            "a\n",
            "a" * 41,
        ),
        *("class", "match", "mcp", "json", "tests", "lockgate", "identity-provider"),
    ],
)
def test_bad_names(name: str) -> None:
    assert fault(name)


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_what_is_suggested_can_be_taken(name: str) -> None:
    guess = nearest(name)
    assert guess is None or fault(guess) is None


@settings(max_examples=50)
@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_ ]{0,50}", fullmatch=True))
def test_something_is_suggested_for_a_name_with_letters(name: str) -> None:
    assert nearest(name)


@settings(max_examples=50)
@given(st.text(alphabet="abcdefgh-0123456789", max_size=LONGEST))
def test_a_good_name_is_a_package_and_a_label(name: str) -> None:
    if fault(name) is None:
        package = name.replace("-", "_")
        assert package.isidentifier()
        assert not keyword.iskeyword(package)
        assert not name.endswith("-")
