"""What holds of any rules, callers and calls whatever."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.core.message import Call, Principal
from lockgate.identity.explaining import Asked, explain
from lockgate.identity.rules import Rule
from lockgate.identity.sights import AccessSights, Ruled
from tests.support.access import book, call, caller, outcome, sights

ORDER = ["allow", "approval-required", "insufficient-scope", "access-denied", "hide"]
"""From the widest to the narrowest of outcomes."""

PATTERNS = ["*", "docs", "docs/get_*", "github/*", "*/get_x", "*/del*", "github/get_[xy]", "files"]
GROUPS = ["a", "b", "c"]
SCOPES = ["r", "w", "adm"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from(["main", "topic", "5", "nan", "/data/x", "/data/../x", ""]),
    st.lists(st.sampled_from(["main", "topic", 5, None, {"k": 1}]), max_size=3),
)
CONDITIONS = st.one_of(
    st.sampled_from(["main", "t*", 5, True]),
    st.fixed_dictionaries({"at_least": st.integers(0, 9)}),
    st.fixed_dictionaries({"none_of": st.sampled_from(["main", 5])}),
    st.fixed_dictionaries({"within": st.just("/data")}),
    st.fixed_dictionaries({"present": st.booleans()}),
)
WHO = st.one_of(
    st.fixed_dictionaries({"group": st.sampled_from(GROUPS)}),
    st.fixed_dictionaries({"scope": st.sampled_from(SCOPES)}),
    st.fixed_dictionaries({"id": st.sampled_from(["alice", "b*"])}),
)


@st.composite
def rules(draw: st.DrawFn, verbs: str = "allow deny hide approve") -> dict[str, Any]:
    verb = draw(st.sampled_from(verbs.split()))
    rule: dict[str, Any] = {verb: draw(st.sampled_from(PATTERNS))}
    for key in ("who", "unless"):
        if draw(st.booleans()):
            rule[key] = draw(WHO)
    if verb != "hide" and draw(st.booleans()):
        rule["args"] = {draw(st.sampled_from(["x", "y.z"])): draw(CONDITIONS)}
    if verb == "allow" and draw(st.booleans()):
        rule["scopes"] = draw(st.lists(st.sampled_from(SCOPES), min_size=1, max_size=2))
    if draw(st.booleans()):
        rule["annotations"] = {"readOnlyHint": draw(st.booleans())}
    return rule


CALLERS = st.builds(
    lambda name, groups, scopes: caller(name, *groups, scopes=" ".join(scopes)),
    st.sampled_from(["alice", "bob", "eve"]),
    st.sets(st.sampled_from(GROUPS)),
    st.sets(st.sampled_from(SCOPES)),
)
CALLS = st.builds(
    lambda what, who, x, y: call(what, who, {"x": x, "y": {"z": y}}),
    st.sampled_from(["docs/get_x", "docs/del", "github/get_x", "github/del_y", "files/z"]),
    CALLERS,
    VALUES,
    VALUES,
)
HINTS = {"get_x": {"readOnlyHint": True}, "del": {"readOnlyHint": False}}
BOOKS = st.lists(rules(), min_size=1, max_size=6)


def judged(written: list[dict[str, Any]], one: Call) -> str:
    return outcome(sights(book(written, hints=HINTS))(one), one)


@given(st.lists(rules("deny hide approve"), min_size=1, max_size=5), CALLS)
def test_nothing_is_allowed_but_by_a_rule_that_allows(
    written: list[dict[str, Any]], one: Call
) -> None:
    assert judged(written, one) == "hide"


@given(BOOKS, rules("deny hide approve"), st.integers(0, 6), CALLS)
def test_a_rule_that_takes_away_never_widens(
    written: list[dict[str, Any]], more: dict[str, Any], place: int, one: Call
) -> None:
    before = judged(written, one)
    after = judged([*written[:place], more, *written[place:]], one)
    assert ORDER.index(after) >= ORDER.index(before)


@given(BOOKS, rules("allow"), CALLS)
def test_a_rule_that_allows_never_narrows(
    written: list[dict[str, Any]], more: dict[str, Any], one: Call
) -> None:
    before, after = judged(written, one), judged([*written, more], one)
    # What was hidden for want of a rule may now be refused for another reason.
    assert ORDER.index(after) <= ORDER.index(before)


@given(BOOKS, st.randoms(use_true_random=False), CALLS)
def test_the_order_of_rules_means_nothing(
    written: list[dict[str, Any]], random: Any, one: Call
) -> None:
    shuffled = list(written)
    random.shuffle(shuffled)
    assert judged(shuffled, one) == judged(written, one)


@given(BOOKS, CALLS)
def test_what_is_hidden_is_refused_as_if_it_did_not_exist(
    written: list[dict[str, Any]], one: Call
) -> None:
    sight = sights(book(written, hints=HINTS))(one)
    target = one.target
    assert target is not None
    if not sight.shows(target.server, target.kind, target.name):
        refused = sight.judge(one)
        assert refused is not None
        assert (refused.code, refused.origin, refused.policy) == (-32602, "client", None)
        assert target.server not in refused.message.replace(target.name, "")
    else:
        assert target.server in sight.servers


@given(BOOKS, st.lists(CALLS, min_size=2, max_size=6))
@settings(max_examples=60)
def test_equal_keys_mean_equal_answers(written: list[dict[str, Any]], calls: list[Call]) -> None:
    sight_of = sights(book(written, hints=HINTS))
    for one in calls:
        for other in calls:
            mine, theirs = sight_of(one), sight_of(other)
            if mine.key != theirs.key:
                continue
            assert mine is theirs
            lent = one.replace(target=other.target, params=other.params)
            alone = sights(book(written, hints=HINTS))(one)
            assert outcome(alone, lent) == outcome(theirs, lent)
            assert alone.servers == theirs.servers
            assert alone.whole == theirs.whole


@given(BOOKS, CALLS)
def test_what_is_kept_is_what_would_be_found_anew(written: list[dict[str, Any]], one: Call) -> None:
    sight_of = sights(book(written))
    fresh = outcome(sight_of(one), one)
    assert [outcome(sight_of(one), one) for _ in range(2)] == [fresh, fresh]
    assert outcome(sights(book(written))(one), one) == fresh


@given(BOOKS, CALLS)
def test_what_is_explained_is_what_calls_are_judged_by(
    written: list[dict[str, Any]], one: Call
) -> None:
    rules, target = book(written, hints=HINTS), one.target
    assert target is not None
    told = explain(
        rules,
        Asked(
            principal=one.principal,
            endpoint="/mcp",
            server=target.server,
            kind=target.kind,
            name=target.name,
            arguments=one.params.get("arguments"),
        ),
    )
    said = {"approve": ORDER[1], "scopes": ORDER[2], "deny": ORDER[3]}
    answer = told.verdict.answer
    assert said.get(answer, answer) == outcome(sights(rules)(one), one)
    if told.verdict.rule is not None:
        [mine] = [one for one in told.reasons if one.rule is told.verdict.rule]
        assert mine.missed == ()


@given(BOOKS, CALLS)
def test_a_whole_sight_shows_everything_of_its_servers(
    written: list[dict[str, Any]], one: Call
) -> None:
    sight = sights(book(written, hints=HINTS))(one)
    if sight.whole:
        for server in sight.servers:
            for name in ("get_x", "del", "anything"):
                assert sight.shows(server, "tool", name)
                assert sight.shows(server, "resource", f"file:///{name}/../x")


def test_thousands_of_callers_are_a_few_classes() -> None:
    written = [{"allow": "docs"}, {"allow": "github", "who": {"group": "a"}}]
    sight_of = sights(book(written))
    people = [caller(f"p{n}", *(["a"] if n % 3 else []), scopes=f"s{n}") for n in range(3000)]
    found = {id(sight_of(call("docs/x", one))) for one in people}
    assert len(found) == 2
    assert len({sight_of(call("docs/x", one)).key for one in people}) == 2


def test_what_is_kept_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr("lockgate.identity.sights.MOST_CALLERS", 10)
    monkeypatch.setattr("lockgate.identity.sights.MOST_THINGS", 10)
    monkeypatch.setattr("lockgate.identity.sights.MOST_SIGHTS", 2)
    written = [{"allow": "docs", "who": {"group": f"g{n}"}} for n in range(8)]
    sight_of = sights(book(written))
    for number in range(64):
        one = call(f"docs/t{number}", caller(f"p{number}", f"g{number % 8}"))
        assert outcome(sight_of(one), one) == "allow"
    assert _sizes(sight_of) <= 10 + 2


def _sizes(sight_of: AccessSights) -> int:
    return len(sight_of._callers) + len(sight_of._sights)


def test_a_caller_with_other_claims_is_not_taken_for_the_one_before() -> None:
    sight_of = sights(book([{"allow": "docs", "who": {"group": "a"}}]))
    first: Principal = caller("alice", "a")
    assert outcome(sight_of(call("docs/x", first)), call("docs/x", first)) == "allow"
    second = caller("alice")
    assert outcome(sight_of(call("docs/x", second)), call("docs/x", second)) == "hide"


def test_the_record_has_the_rule_that_decided_and_no_argument() -> None:
    from lockgate.core.policy import Decision
    from lockgate.core.sight import Everything
    from tests.support.access import SERVERS

    seen: list[Decision] = []
    written = [{"name": "all", "allow": "*"}, {"name": "no", "deny": "*", "args": {"x": "s3cret"}}]
    sight_of = AccessSights(
        lambda _: Everything(servers=SERVERS),
        book(written),
        lambda _, decision: seen.append(decision),
    )
    one = call("docs/x", caller(), {"x": "fine"})
    assert sight_of(one).judge(one) is None
    assert [(found.verdict, found.rule) for found in seen] == [("allowed", "all")]
    one = call("docs/x", caller(), {"x": "s3cret"})
    refused = sight_of(one).judge(one)
    assert refused is not None
    assert refused.rule == "no"
    assert "s3cret" not in repr(refused)
    assert "no'" not in refused.message


def test_rules_and_sights_can_be_told_apart_by_what_they_are() -> None:
    assert isinstance(sights(book([{"allow": "*"}]))(call("docs/x", caller())), Ruled)
    assert Rule(verb="deny", name="x", what=()) != Rule(verb="deny", name="x", what=())
