"""A person is sent to the right place, and only the right answer is taken."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.identity.outbound import flow as flows
from lockgate.identity.outbound.discovery import Found
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.trouble import Trouble
from tests.identity.outbound.provider import BACK, ISSUER, SERVER
from tests.security.musts import must

AS = AuthorizationServer(
    issuer=ISSUER,
    token=f"{ISSUER}/token",
    authorization=f"{ISSUER}/authorize?tenant=1",
    challenges=("S256",),
    iss=True,
)
SCOPE = st.from_regex(r"[a-z:]{1,10}", fullmatch=True)


def begun(server: AuthorizationServer = AS, **more: Any) -> flows.Flow:
    return flows.begin(
        Found(SERVER, server),
        "me",
        entry="files",
        owner="ann",
        redirect_uri=BACK,
        scopes=more.pop("scopes", ("read",)),
        **more,
    )


@must("pkce", "pkce-s256", "resource-parameter", "state")
@given(st.lists(SCOPE, unique=True, max_size=4))
def test_every_request_is_new_and_bound(scopes: list[str]) -> None:
    first, second = begun(scopes=tuple(scopes)), begun(scopes=tuple(scopes))

    assert first.state != second.state
    assert first.verifier != second.verifier
    assert first.verifier not in flows.address(first)
    query = parse_qs(urlsplit(flows.address(first)).query)
    expected = urlsafe_b64encode(sha256(first.verifier.encode()).digest()).rstrip(b"=").decode()
    assert query["code_challenge"] == [expected]
    assert query["code_challenge_method"] == ["S256"]
    assert query["resource"] == [SERVER]
    assert query["redirect_uri"] == [BACK]
    assert query["state"] == [first.state]
    assert query["tenant"] == ["1"]
    assert query.get("scope", [""])[0].split() == scopes
    assert flows.exchange(first, "c")["resource"] == SERVER
    assert 43 <= len(first.verifier) <= 128


@must("pkce-verified")
@pytest.mark.parametrize("methods", [None, (), ("plain",)])
def test_nobody_is_sent_where_codes_are_not_protected(methods: tuple[str, ...] | None) -> None:
    with pytest.raises(Trouble) as refused:
        begun(AuthorizationServer(issuer=ISSUER, token="t", authorization="a", challenges=methods))

    assert refused.value.reason == "oauth-pkce"


ANSWERS: list[tuple[bool, dict[str, str], str | None]] = [
    # advertised, what came back, and why it is refused (None: it is taken)
    (True, {"iss": ISSUER, "code": "c"}, None),
    (True, {"code": "c"}, "login-mixed-up"),
    (True, {"iss": "https://evil.example", "code": "c"}, "login-mixed-up"),
    (True, {"iss": f"{ISSUER}/", "code": "c"}, "login-mixed-up"),
    (True, {"iss": ISSUER.upper(), "code": "c"}, "login-mixed-up"),
    (False, {"code": "c"}, None),
    (False, {"iss": ISSUER, "code": "c"}, None),
    (False, {"iss": "https://evil.example", "code": "c"}, "login-mixed-up"),
    (True, {"iss": ISSUER, "error": "access_denied"}, "login-declined"),
    (True, {"iss": ISSUER, "error": "server_error"}, "login-refused"),
    (True, {"iss": ISSUER}, "login-refused"),
    (True, {"error": "access_denied"}, "login-mixed-up"),
    (False, {"iss": "https://evil.example", "error": "access_denied"}, "login-mixed-up"),
]


@must("iss-recorded", "iss-compared", "iss-no-normalization", "iss-errors")
@pytest.mark.parametrize(("advertised", "answer", "refused"), ANSWERS)
def test_answers(advertised: bool, answer: dict[str, str], refused: str | None) -> None:
    server = AuthorizationServer(
        issuer=ISSUER, token="t", authorization="a", challenges=("S256",), iss=advertised
    )
    flow = begun(server)

    if refused is None:
        assert flows.judged(flow, answer) == "c"
        return
    with pytest.raises(Trouble) as said:
        flows.judged(flow, {"error_description": "free text of theirs", **answer})
    assert said.value.reason == refused
    assert "free text" not in str(said.value)


@given(st.text(max_size=30), st.text(max_size=30))
def test_only_the_browser_that_began_ends_it(first: str, second: str) -> None:
    flow = begun(browser=first)
    answer = {"iss": ISSUER, "code": "c"}

    if first == second:
        assert flows.judged(flow, answer, second) == "c"
        return
    with pytest.raises(Trouble):
        flows.judged(flow, answer, second)


@must("scope-selection", "scope-union", "offline-access")
@given(
    st.lists(SCOPE, max_size=3),
    st.lists(SCOPE, max_size=3),
    st.one_of(st.none(), st.lists(SCOPE, max_size=3)),
    st.lists(SCOPE, max_size=3),
    st.booleans(),
)
def test_scopes(
    configured: list[str],
    demanded: list[str],
    needed: list[str] | None,
    before: list[str],
    offline: bool,
) -> None:
    server = AuthorizationServer(
        issuer=ISSUER, token="t", scopes=("offline_access",) if offline else ()
    )
    found = Found(SERVER, server, None if needed is None else tuple(needed))

    wanted = flows.wanted_scopes(configured, demanded, found, before)

    assert len(set(wanted)) == len(wanted)
    assert set(demanded) | set(before) <= set(wanted)
    assert ("offline_access" in wanted) == offline
    if not configured and not demanded and not before:
        assert set(wanted) - {"offline_access"} == set(needed or ())
