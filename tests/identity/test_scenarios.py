"""The rules that people want, as tables: who, what, and what comes of it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lockgate.core.message import ANONYMOUS, Kind, Principal
from lockgate.core.sight import Everything
from tests.security.controls import holds
from tests.security.musts import must
from tests.support.access import book, call, caller, outcome, sights

Row = tuple[Principal, str, object, str]

OPS = caller("olga", "ops")
DEV = caller("dan", "engineering")
BOT = caller("key:ci", client="ci")
WRITER = caller("wim", "engineering", scopes="repo:write")

TEAM: list[object] = [
    {"name": "documents", "allow": ["docs/get_*", "docs/list_*"]},
    {"name": "developers", "allow": "github", "who": {"group": "engineering"}},
    {"name": "operators", "allow": "*", "who": {"group": "ops"}},
    {"name": "no deleting", "deny": "*/delete_*", "unless": {"group": "ops"}},
    {"name": "secret", "hide": "github/admin_*", "unless": {"group": "ops"}},
]
TEAM_ROWS: list[Row] = [
    (ANONYMOUS, "docs/get_page", None, "allow"),
    (ANONYMOUS, "docs/put_page", None, "hide"),
    (ANONYMOUS, "github/get_issue", None, "hide"),
    (DEV, "github/get_issue", None, "allow"),
    (DEV, "github/delete_repo", None, "access-denied"),
    (DEV, "github/admin_keys", None, "hide"),
    (DEV, "docs/delete_page", None, "hide"),
    (OPS, "github/delete_repo", None, "allow"),
    (OPS, "github/admin_keys", None, "allow"),
    (OPS, "bank/pay", None, "allow"),
    (OPS, "nowhere/tool", None, "hide"),
]

ARGUMENTS: list[object] = [
    {"allow": "github/read_*", "args": {"owner": ["acme", "acme-*"]}},
    {"allow": "bank/pay", "args": {"amount": {"at_most": 100}, "currency": "EUR"}},
    {"allow": "files/read", "args": {"path": {"within": "/data"}}},
    {"allow": "files/push"},
    {"deny": "files/push", "args": {"branch": ["main", "release/*"]}},
    {"allow": "files/run"},
    {"deny": "files/run", "args": {"force": True}},
    {"deny": "files/run", "args": {"count": {"at_least": 10}}},
    {"allow": "docs/find", "args": {"head.repo": {"none_of": "secret-*"}}},
]
ARGUMENT_ROWS: list[Row] = [
    (DEV, "github/read_file", {"owner": "acme"}, "allow"),
    (DEV, "github/read_file", {"owner": "acme-labs"}, "allow"),
    (DEV, "github/read_file", {"owner": "evil"}, "access-denied"),
    (DEV, "github/read_file", {}, "access-denied"),
    (DEV, "github/read_file", None, "access-denied"),
    (DEV, "github/read_file", {"owner": ["acme"]}, "allow"),
    (DEV, "github/read_file", {"owner": ["acme", "evil"]}, "access-denied"),
    (DEV, "github/read_file", {"owner": []}, "access-denied"),
    (DEV, "github/read_file", {"owner": {"login": "acme"}}, "access-denied"),
    (DEV, "github/read_file", "no object", "access-denied"),
    (DEV, "bank/pay", {"amount": 100, "currency": "EUR"}, "allow"),
    (DEV, "bank/pay", {"amount": 99.5, "currency": "EUR"}, "allow"),
    (DEV, "bank/pay", {"amount": 101, "currency": "EUR"}, "access-denied"),
    (DEV, "bank/pay", {"amount": "5", "currency": "EUR"}, "access-denied"),
    (DEV, "bank/pay", {"amount": True, "currency": "EUR"}, "access-denied"),
    (DEV, "bank/pay", {"amount": 5, "currency": "USD"}, "access-denied"),
    (DEV, "files/read", {"path": "/data/x"}, "allow"),
    (DEV, "files/read", {"path": "/data"}, "allow"),
    (DEV, "files/read", {"path": "/database"}, "access-denied"),
    (DEV, "files/read", {"path": "/data/../etc"}, "access-denied"),
    (DEV, "files/read", {"path": "/data\\..\\..\\etc"}, "access-denied"),
    (DEV, "files/read", {"path": "/data/\0x"}, "access-denied"),
    (DEV, "files/push", {"branch": "topic"}, "allow"),
    (DEV, "files/push", {}, "allow"),
    (DEV, "files/push", {"branch": "main"}, "access-denied"),
    (DEV, "files/push", {"branch": "release/1"}, "access-denied"),
    (DEV, "files/push", {"branch": ["topic", "main"]}, "access-denied"),
    (DEV, "files/push", {"branch": {"name": "main"}}, "access-denied"),
    (DEV, "files/push", [], "access-denied"),
    (DEV, "files/run", {"force": False}, "allow"),
    (DEV, "files/run", {"force": True}, "access-denied"),
    (DEV, "files/run", {"force": "true"}, "access-denied"),
    (DEV, "files/run", {"force": 1}, "access-denied"),
    (DEV, "files/run", {"count": 9}, "allow"),
    (DEV, "files/run", {"count": 10}, "access-denied"),
    (DEV, "files/run", {"count": "10"}, "access-denied"),
    (DEV, "files/run", {"count": "1e9"}, "access-denied"),
    (DEV, "files/run", {"count": "nan"}, "access-denied"),
    (DEV, "files/run", {"count": "0x10"}, "access-denied"),
    (DEV, "docs/find", {"head": {"repo": "open"}}, "allow"),
    (DEV, "docs/find", {"head": {"repo": "secret-plans"}}, "access-denied"),
    (DEV, "docs/find", {"head": [{"repo": "open"}, {}]}, "access-denied"),
    (DEV, "docs/find", {"head.repo": "open"}, "access-denied"),
    (DEV, "docs/find", {}, "access-denied"),
]

SCOPES: list[object] = [
    {"allow": "github"},
    {"allow": "files", "scopes": ["files:write", "files:read"]},
    {"allow": "files", "scopes": "files:admin", "who": {"group": "ops"}},
    {"allow": "bank", "who": {"scope": "bank*"}},
]
SCOPE_ROWS: list[Row] = [
    (DEV, "github/get_issue", None, "allow"),
    (DEV, "github/create_issue", None, "insufficient-scope"),
    (WRITER, "github/create_issue", None, "allow"),
    (DEV, "files/write", None, "insufficient-scope"),
    (caller("a", scopes="files:read"), "files/write", None, "insufficient-scope"),
    (caller("a", scopes="files:read files:write"), "files/write", None, "allow"),
    (caller("a", "ops", scopes="files:admin"), "files/write", None, "allow"),
    (caller("a", scopes="files:admin"), "files/write", None, "insufficient-scope"),
    (DEV, "bank/pay", None, "hide"),
    (caller("a", scopes="bank:pay"), "bank/pay", None, "allow"),
]

HINTED: list[object] = [
    {"allow": "*", "annotations": {"readOnlyHint": True}, "who": {"client": "chat*"}},
    {"allow": "*", "who": {"group": "ops"}},
    {"approve": "*", "annotations": {"destructiveHint": True, "readOnlyHint": False}},
    {"approve": "bank", "args": {"amount": {"at_least": 1000}}},
]
HINTS = {
    "look": {"readOnlyHint": True},
    "add": {"readOnlyHint": False, "destructiveHint": False},
    "wipe": {"destructiveHint": True},
    "pay": {"readOnlyHint": False, "destructiveHint": False},
    "odd": {"readOnlyHint": "yes"},
}
CHAT = caller("c", client="chatgpt")
HINT_ROWS: list[Row] = [
    (CHAT, "docs/look", None, "allow"),
    (CHAT, "docs/add", None, "hide"),
    (CHAT, "docs/odd", None, "hide"),
    (CHAT, "docs/unlisted", None, "hide"),
    (OPS, "docs/look", None, "allow"),
    (OPS, "docs/add", None, "allow"),
    (OPS, "docs/wipe", None, "approval-required"),
    (OPS, "docs/unlisted", None, "approval-required"),
    (OPS, "bank/pay", {"amount": 10}, "allow"),
    (OPS, "bank/pay", {"amount": 1000}, "approval-required"),
    (OPS, "bank/pay", {"amount": "a lot"}, "approval-required"),
]

CALLERS: list[object] = [
    {"allow": "docs", "who": {"authenticated": True}},
    {"allow": "github", "who": [{"client": "ci"}, {"id": "https://idp#*"}]},
    {"allow": "files", "who": {"issuer": "https://idp", "group": ["a", "b"]}},
    {"allow": "bank", "who": {"claims": {"realm.roles": "teller", "level": ["3", "4"]}}},
]
TELLER: dict[str, Any] = {"realm": {"roles": ["guest", "teller"]}}
CALLER_ROWS: list[Row] = [
    (ANONYMOUS, "docs/get", None, "hide"),
    (DEV, "docs/get", None, "allow"),
    (BOT, "github/get", None, "allow"),
    (caller("https://idp#x"), "github/get", None, "allow"),
    (caller("https://other#x"), "github/get", None, "hide"),
    (caller("x", "b", issuer="https://idp"), "files/get", None, "allow"),
    (caller("x", "b"), "files/get", None, "hide"),
    (caller("x", "c", issuer="https://idp"), "files/get", None, "hide"),
    (caller("x", claims={**TELLER, "level": 3}), "bank/get", None, "allow"),
    (caller("x", claims={"realm.roles": "teller", "level": "4"}), "bank/get", None, "allow"),
    (caller("x", claims={**TELLER, "level": 5}), "bank/get", None, "hide"),
    (caller("x", claims=TELLER), "bank/get", None, "hide"),
    (caller("x", claims={"realm": "teller", "level": 3}), "bank/get", None, "hide"),
]


@holds(39)
@pytest.mark.parametrize(
    ("rules", "more", "rows"),
    [
        (TEAM, {}, TEAM_ROWS),
        (ARGUMENTS, {}, ARGUMENT_ROWS),
        (
            SCOPES,
            {"tools": {"github": {"create_*": {"scopes": "repo:write"}}}},
            SCOPE_ROWS,
        ),
        (HINTED, {"hints": HINTS}, HINT_ROWS),
        (CALLERS, {}, CALLER_ROWS),
    ],
    ids=["team", "arguments", "scopes", "annotations", "callers"],
)
def test_scenarios(rules: list[object], more: dict[str, Any], rows: list[Row]) -> None:
    sight_of = sights(book(rules, **more))
    found = [outcome(sight_of(one), one) for one in (call(w, who, a) for who, w, a, _ in rows)]
    assert found == [row[3] for row in rows]


@must("insufficient-scope")
def test_a_challenge_names_all_that_a_call_needs_at_once() -> None:
    rules = [{"allow": "files", "scopes": ["b", "a"]}]
    sight_of = sights(book(rules, tools={"files": {"put": {"scopes": ["c"]}}}))
    one = call("files/put", caller("x", scopes="a"))
    refused = sight_of(one).judge(one)
    assert refused is not None
    assert refused.data == {"scopes": ["a", "b", "c"]}
    assert "b, c" in refused.message


def test_the_nearest_of_several_grants_is_asked_for() -> None:
    rules = [{"allow": "files", "scopes": ["a", "b", "c"]}, {"allow": "files", "scopes": ["d"]}]
    one = call("files/put", caller())
    refused = sights(book(rules))(one).judge(one)
    assert refused is not None
    assert refused.data == {"scopes": ["d"]}


def test_tools_may_need_scopes_where_there_are_no_rules() -> None:
    sight_of = sights(book(tools={"files": {"put": {"scopes": "w"}}}))
    for who, what, expected in (
        (caller(), "files/get", "allow"),
        (caller(), "files/put", "insufficient-scope"),
        (caller("a", scopes="w"), "files/put", "allow"),
    ):
        one = call(what, who)
        assert outcome(sight_of(one), one) == expected
    assert sight_of(call("docs/x", caller())).whole


URIS: list[object] = [
    {"allow": {"resources": "files/file:///public/*"}},
    {"allow": {"resources": "docs/*"}},
    {"hide": {"resources": "docs/file:///secret/*"}},
    {"allow": {"prompts": "github/*"}},
]


@pytest.mark.parametrize(
    ("what", "kind", "expected"),
    [
        ("files/file:///public/a", "resource", "allow"),
        ("files/FILE:///public/a", "resource", "hide"),
        ("files/file:///public/{name}", "template", "allow"),
        ("files/file:///{path}", "template", "hide"),
        ("files/file:///public/../etc/passwd", "resource", "hide"),
        ("files/file:///public/%2e%2e/etc/passwd", "resource", "hide"),
        ("files/file:///public/%252e%252e/etc/passwd", "resource", "hide"),
        ("files/file:///public/..%2fetc", "resource", "hide"),
        ("files/file:///public/..\\etc", "resource", "hide"),
        ("files/file:///public/?/../../etc", "resource", "hide"),
        ("files/file:///public/" + "%" + "25" * 9 + "2e", "resource", "hide"),
        ("files/file:///public/a%20b", "resource", "allow"),
        ("files/file:///public/", "resource", "allow"),
        ("docs/file:///open", "resource", "allow"),
        ("docs/file:///secret/x", "resource", "hide"),
        ("docs/file:////secret/x", "resource", "hide"),
        ("docs/file:///open/../secret/x", "resource", "hide"),
        ("docs/file:///%73ecret/x", "resource", "hide"),
        ("docs/FILE:///secret/x", "resource", "hide"),
        ("docs/x", "tool", "hide"),
        ("github/x", "prompt", "allow"),
        ("github/x", "tool", "hide"),
    ],
)
def test_uris_are_judged_in_every_way_a_server_may_read_them(
    what: str, kind: str, expected: str
) -> None:
    one = call(what, DEV, kind=cast("Kind", kind))
    assert outcome(sights(book(URIS))(one), one) == expected


def test_a_rule_holds_where_its_endpoints_are() -> None:
    rules = book([{"allow": "docs", "endpoints": "/open*/mcp"}, {"allow": "github"}])
    for path, expected in (("/openai/mcp", "allow"), ("/claude/mcp", "hide")):
        one = call("docs/get", DEV)
        assert outcome(sights(rules, path)(one), one) == expected


def test_servers_of_which_nothing_may_be_seen_are_not_there() -> None:
    sight_of = sights(book(TEAM))
    assert sight_of(call("docs/x", DEV)).servers == ("docs", "github")
    assert sight_of(call("docs/x", ANONYMOUS)).servers == ("docs",)
    olga = sight_of(call("docs/x", OPS))
    assert olga.servers == ("docs", "github", "files", "bank")
    assert olga.whole
    assert olga.personal
    assert not sight_of(call("docs/x", DEV)).whole
    assert not sights(book([{"allow": "*"}]))(call("docs/x", DEV)).personal
    hidden = sights(book([{"allow": "*"}, {"hide": "bank"}]))(call("docs/x", DEV))
    assert hidden.servers == ("docs", "github", "files")
    assert hidden.whole


def test_tasks_are_shown_where_their_server_is() -> None:
    sight = sights(book(TEAM))(call("docs/x", DEV))
    assert sight.shows("github", "task", "any")
    assert not sight.shows("bank", "task", "any")


def test_what_the_endpoint_does_not_show_no_rule_does() -> None:
    class Nothing(Everything, frozen=True):
        def shows(self, server: str, kind: Kind, name: str, /) -> bool:
            return False

    within = Nothing(servers=("docs",))
    from lockgate.identity.sights import AccessSights

    sight = AccessSights(lambda _: within, book([{"allow": "*"}]))(call("docs/x", DEV))
    assert not sight.shows("docs", "tool", "x")


def test_completion_is_not_given_where_arguments_would_decide() -> None:
    rules = book([{"allow": {"prompts": "docs/*"}, "args": {"owner": "acme"}}])
    one = call("docs/p", DEV, kind="prompt").replace(method="completion/complete")
    refused = sights(rules)(one).judge(one)
    assert refused is not None
    assert refused.reason == "access-denied"


def test_what_was_judged_is_what_is_forwarded() -> None:
    from lockgate.core.raw import Raw

    rules = book([{"allow": "github", "args": {"owner": "acme"}}])
    twice = b'{"name":"x","arguments":{"owner":"evil","owner":"acme","n":1.0}}'
    one = call("github/x", DEV).replace(params=Raw(twice))
    assert sights(rules)(one).judge(one) is None
    assert one.params.encode() == b'{"name":"x","arguments":{"owner":"acme","n":1.0}}'


def test_arguments_that_cannot_be_read_are_refused() -> None:
    from lockgate.core.raw import Raw

    one = call("github/x", DEV).replace(params=Raw(b'{"name":"x","arguments":{"n":1e999}}'))
    refused = sights(book([{"allow": "github", "args": {"n": 1}}]))(one).judge(one)
    assert refused is not None
    assert refused.reason == "invalid-params"
