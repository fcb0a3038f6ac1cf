"""Rules are found by the ends of their patterns: all that match, and few that do not."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.targets import Words
from lockgate.identity.index import Index, ends_of
from lockgate.identity.rules import KINDS, Rule, What, forms_of

WORD = st.text("ab*?[]!-/_%2e.", max_size=8)
PATTERNS = st.lists(WORD.filter(bool), min_size=1, max_size=4)
RULES = st.lists(st.tuples(PATTERNS, st.sampled_from(["allow", "deny"])), max_size=6)


def rule(patterns: list[str], verb: str = "allow", server: str = "s") -> Rule:
    what = What(KINDS, Words([server]), Words(patterns))
    return Rule(verb=verb, name=str(patterns), what=(what,))  # type: ignore[arg-type] - of the table


@given(WORD, st.text("ab[]!-_.", max_size=8))
def test_what_a_pattern_matches_begins_and_ends_as_it_does(pattern: str, word: str) -> None:
    begin, end = ends_of(pattern)
    if fnmatchcase(word, pattern):
        assert word.startswith(begin)
        assert word.endswith(end)


@given(RULES, st.sampled_from(["tool", "resource"]), st.text("ab/%2e._[]", max_size=8))
def test_every_rule_that_is_about_a_name_is_found_in_order(
    written: list[tuple[list[str], str]], kind: str, name: str
) -> None:
    rules = [rule(*one) for one in written]
    forms = forms_of(kind, name)  # type: ignore[arg-type] - one of the table
    found = Index("s", rules).about(forms)
    about = [one for one in rules if one.covers(kind, "s", forms)]  # type: ignore[arg-type] - as above
    assert [one for one in found if one in about] == about
    assert [one for one in rules if one in found] == list(found)


def test_a_name_nobody_can_read_may_be_any() -> None:
    rules = [rule(["a"]), rule(["b*"], "deny")]
    assert list(Index("s", rules).about(())) == rules


def test_of_very_many_rules_few_are_tried() -> None:
    shapes = ("tool_{}", "t{}_*", "*_{}", "tool_*_{}", "x?{}", "[ab]{}z")
    rules = [rule([shape.format(number)]) for shape in shapes for number in range(1000)]
    index = Index("s", rules)
    for name in ("tool_7", "t77_get", "get_777", "tool_get_7", "xa7", "a7z", "nothing"):
        tried = index.about((name,))
        assert len(tried) <= 3
        assert [one for one in tried if one.covers("tool", "s", (name,))] == [
            one for one in rules if one.covers("tool", "s", (name,))
        ]


def test_rules_about_other_servers_names_are_not_tried() -> None:
    both = Rule(
        verb="allow",
        name="both",
        what=(
            What(KINDS, Words(["a"]), Words(["x"])),
            What(KINDS, Words(["b"]), Words(["y"])),
        ),
    )
    assert list(Index("a", [both]).about(("y",))) == []
    assert list(Index("b", [both]).about(("y",))) == [both]
