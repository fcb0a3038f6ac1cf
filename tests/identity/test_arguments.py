"""Conditions on arguments: what holds for certain is possible, whatever is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config.access import ArgumentSettings
from lockgate.core.targets import Words, divided, readings
from lockgate.gateway.access import condition
from lockgate.identity.arguments import MOST_VALUES, Condition, all_hold, all_may_hold
from tests.security.controls import holds

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["5", "1e3", "nan", "inf", "-1", "true", "/d/x", "//d/x", "/d/../x", "a*"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=6,
)
PLAIN = st.one_of(
    st.integers(-5, 5), st.booleans(), st.sampled_from(["a*", "5", "true", "*", "/d/x", "[ab]"])
)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "one_of": st.lists(PLAIN, min_size=1, max_size=3),
        "none_of": st.lists(PLAIN, min_size=1, max_size=3),
        "at_least": st.integers(-5, 5),
        "at_most": st.integers(-5, 5),
        "within": st.sampled_from(["/d", "/", "d", "/d/"]),
    },
).filter(bool)


def made(written: dict[str, Any], name: str = "a") -> Condition:
    return condition(name, ArgumentSettings.model_validate(written))


@given(CONDITIONS, st.sampled_from(["a", "a.b"]), st.dictionaries(st.just("a"), VALUES))
def test_what_holds_for_certain_may_hold(
    written: dict[str, Any], name: str, arguments: dict[str, Any]
) -> None:
    one = made(written, name)
    assert one.may_hold(arguments) or not one.holds(arguments)


@given(st.sampled_from([True, False]), st.dictionaries(st.just("a"), VALUES))
def test_presence_is_one_or_the_other(present: bool, arguments: dict[str, Any]) -> None:
    one, other = made({"present": present}), made({"present": not present})
    assert one.holds(arguments) is not other.holds(arguments)
    assert one.may_hold(arguments) is one.holds(arguments)


@given(st.lists(PLAIN, min_size=1, max_size=3), st.dictionaries(st.just("a"), VALUES))
def test_what_is_certainly_one_is_not_possibly_none(
    values: list[Any], arguments: dict[str, Any]
) -> None:
    if made({"one_of": values}).holds(arguments):
        assert not made({"none_of": values}).holds(arguments)


@pytest.mark.parametrize("arguments", [None, [], "text", 5, [{"a": "x"}]])
def test_what_is_no_object_holds_nothing_and_may_hold_anything(arguments: object) -> None:
    conditions = [made({"one_of": "x"})]
    assert not all_hold(conditions, arguments)
    assert all_may_hold(conditions, arguments)
    assert all_hold([], arguments)


def test_more_values_than_anybody_judges() -> None:
    many = {"a": ["x"] * (MOST_VALUES + 5) + ["y"]}
    assert not made({"one_of": "x"}).holds(many)
    assert made({"one_of": "y"}).may_hold(many)


@given(st.text(max_size=40))
def test_readings_of_a_uri_are_bounded_and_begin_with_it(uri: str) -> None:
    found = readings(uri)
    assert len(found) <= 8
    assert next(iter(found), uri) == uri


@holds(30)
@given(st.lists(st.sampled_from(["..", ".", "a", "%2e%2e", "", "%2E.", "..%2f"]), max_size=6))
def test_no_reading_of_what_is_allowed_leaves_its_folder(steps: list[str]) -> None:
    uri = "file:///public/" + "/".join(steps)
    words = Words(["file:///public/*"])
    found = readings(uri)
    if found and all(one in words for one in found):
        assert all("/../" not in f"{one}/" for one in found[-1:])


@pytest.mark.parametrize(
    ("pattern", "server", "name"),
    [
        ("a", "a", "*"),
        ("a/b", "a", "b"),
        ("a*/b/c", "a*", "b/c"),
        ("a/file:///x", "a", "file:///x"),
    ],
)
def test_the_first_slash_divides(pattern: str, server: str, name: str) -> None:
    found = divided(pattern)
    assert (found.server, found.name) == (server, name)


@pytest.mark.parametrize("text", ["", "/", "/x", "a/"])
def test_halves_of_patterns_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="no pattern"):
        divided(text)


@given(
    st.lists(st.text("ab*?[]!^-.", max_size=6), max_size=4),
    st.text("ab*?[]!^-.", max_size=6),
)
def test_words_match_as_the_shell_does(patterns: list[str], word: str) -> None:
    from fnmatch import fnmatchcase

    assert (word in Words(patterns)) is any(fnmatchcase(word, one) for one in patterns)
