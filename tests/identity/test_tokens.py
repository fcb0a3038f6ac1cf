"""Signed tokens at the door: the good ones get in, the bad ones touch no server."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from lockgate.identity.jose import LONGEST
from tests.identity.issuer import Issuer, b64, ec, fresh_rsa, sign
from tests.identity.world import Guarded, guarded, run
from tests.security.musts import must

Json = dict[str, Any]


@must("as-validate-token", "as-audience", "authorization-header")
@pytest.mark.parametrize(
    ("key", "header"),
    [
        (0, {}),
        (1, {}),
        (0, {"alg": "PS256"}),
        (0, {"alg": "RS512"}),
        (0, {"typ": "JWT"}),
        (0, {"typ": None}),
        (0, {"typ": "application/at+jwt"}),
        (0, {"kid": None}),
        # Where a token says its own key is: not looked at, and so no reason to refuse it.
        (0, {"jku": "https://evil.example/keys", "x5u": "https://evil.example/x5u"}),
    ],
)
def test_a_good_token_gets_in(key: int, header: Json) -> None:
    async def test() -> None:
        async with guarded() as it:
            answer = await it.call(it.token(key=key, header=header))
            assert answer.status == 200, answer.body
            assert answer.result["content"][0]["text"] == "hello"

    run(test())


def other_key(it: Guarded) -> str:
    """Signed by a key of nobody's, under the name of the issuer's."""
    claims = it.issuer.claims(it.resource)
    return sign({"alg": "ES256", "typ": "at+jwt", "kid": "two"}, claims, ec("two"))


def embedded(it: Guarded) -> str:
    """Signed by a key that the token itself brings along."""
    key = ec("mine")
    header = {"alg": "ES256", "typ": "at+jwt", "jwk": key.as_dict(private=False)}
    return sign(header, it.issuer.claims(it.resource), key)


def led_away(it: Guarded) -> str:
    """Signed by a key at an address that the token itself names."""
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "two", "jku": f"{it.issuer.origin}/keys2"}
    return sign(header, it.issuer.claims(it.resource), ec("two"))


def with_public_key(it: Guarded) -> str:
    """HS256 with the issuer's public key as the secret (RFC 8725 section 2.1)."""
    secret = it.issuer.keys[0].as_pem(private=False)
    header = {"alg": "HS256", "typ": "at+jwt", "kid": "one"}
    return sign(header, it.issuer.claims(it.resource), secret)


def unsigned(it: Guarded) -> str:
    head = b64(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())
    return f"{head}.{b64(json.dumps(it.issuer.claims(it.resource)).encode())}."


def none_with_signature(it: Guarded) -> str:
    return f"{unsigned(it)}{b64(b'x' * 64)}"


def twice(it: Guarded) -> str:
    """Two audiences as two members: which one counts would depend on the reader."""
    claims = json.dumps(it.issuer.claims("https://other.example/mcp"))
    body = f'{claims[:-1]}, "aud": {json.dumps(it.resource)}}}'.encode()
    return sign({"alg": "RS256", "typ": "at+jwt", "kid": "one"}, body, it.issuer.keys[0])


def changed(it: Guarded) -> str:
    head, _, signature = it.token(scope="read").split(".")
    body = b64(json.dumps(it.issuer.claims(it.resource, sub="bob")).encode())
    return f"{head}.{body}.{signature}"


def claims_are(body: bytes) -> Any:
    def made(it: Guarded) -> str:
        return sign({"alg": "RS256", "typ": "at+jwt", "kid": "one"}, body, it.issuer.keys[0])

    return made


def but(**options: Any) -> Any:
    return lambda it: it.token(**options)


HOUR = 3600
BAD = {
    "wrong audience": but(audience="https://other.example/mcp"),
    "audience of the origin": lambda it: it.token(audience=it.resource.removesuffix("/mcp")),
    "audience below": lambda it: it.token(audience=f"{it.resource}/more"),
    "no audience": but(aud=None),
    "audience no text": but(aud={"a": 1}),
    "other issuer": but(iss="https://evil.example"),
    "issuer with a slash": lambda it: it.token(iss=f"{it.issuer.url}/"),
    "no issuer": but(iss=None),
    "expired": but(exp=int(time.time()) - HOUR),
    "never expires": but(exp=None),
    "expiry no number": but(exp="tomorrow"),
    "expiry true": but(exp=True),
    "expiry too far": but(exp=1e300),
    "not yet valid": but(nbf=int(time.time()) + HOUR),
    "from the future": but(iat=int(time.time()) + HOUR),
    "no subject": but(sub=None, client_id=None),
    "subject of a client": but(sub="#app"),
    "subject no text": but(sub=7),
    "alg none": unsigned,
    "alg none, signed": none_with_signature,
    "HS256 with the public key": with_public_key,
    "bad signature": other_key,
    "changed claims": changed,
    "embedded key": embedded,
    "key by jku": led_away,
    "unknown key": but(header={"kid": "nobody"}),
    "key no text": but(header={"kid": 7}),
    "RSA algorithm, EC key": but(header={"kid": "two"}),
    "type of an ID token": but(header={"typ": "id+jwt"}),
    "logout token": but(header={"typ": "logout+jwt"}),
    "proof as a token": but(header={"typ": "dpop+jwt"}),
    "type no text": but(header={"typ": 1}),
    "nonce of an ID token": but(header={"typ": "JWT"}, nonce="n"),
    "hash of an ID token": but(header={"typ": None}, at_hash="h"),
    "ID token of Keycloak": but(header={"typ": "JWT"}, typ="ID"),
    "refresh token of Keycloak": but(header={"typ": "JWT"}, typ="Refresh"),
    "ID token of Cognito": but(header={"typ": None}, token_use="id"),
    "event": but(header={"typ": "JWT"}, events={}),
    "crit": but(header={"crit": ["x"], "x": 1}),
    "b64": but(header={"crit": ["b64"], "b64": True}),
    "huge": but(more="x" * LONGEST),
    "duplicate claims": twice,
    "no object": claims_are(b"[]"),
    "no JSON": claims_are(b"{"),
    "no number": claims_are(b'{"exp": NaN}'),
    "deep": claims_are(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "no UTF-8": claims_are(b'{"a":"\xff"}'),
    "bound to a certificate": but(cnf={"x5t#S256": "abc"}),
    "bound twice": but(cnf={"jkt": "abc", "x5t#S256": "abc"}),
    "bound to a number": but(cnf={"jkt": 7}),
    "bound in a new way": but(cnf={"jkt": "abc", "new": "x"}),
    "bound to nothing": but(cnf={}),
    "bound, no object": but(cnf="abc"),
    "no token at all": lambda _: "eyJhbGciOiJSUzI1NiJ9",
    "encrypted": lambda _: "eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d",
    "opaque": lambda _: "opaque-token",
    "two parts": lambda it: it.token().rpartition(".")[0],
    "padded": lambda it: it.token().replace(".", "=.", 1),
}


@must("as-validate-token", "as-audience", "as-401", "no-other-tokens", "jwt-best-practice")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_touches_no_server(name: str) -> None:
    async def test() -> None:
        async with guarded() as it:
            answer = await it.refused(BAD[name](it))
            assert answer.status == 401, answer.body
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith("Bearer ")
            assert 'error="invalid_token"' in challenge
            place = it.resource.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
            assert f'resource_metadata="{place}"' in challenge
            expected = "token-expired" if name == "expired" else "token-invalid"
            assert answer.error["data"]["reason"] == expected
            assert answer.headers["cache-control"] == "no-store"
            # Nothing a stranger chose was fetched.
            assert set(it.issuer.asked) <= {*it.issuer.places, "/keys"}

    run(test())


@must("as-401", "resource-metadata-header", "scope-in-challenge")
def test_who_sends_no_token_is_told_where_to_get_one_and_accused_of_nothing() -> None:
    async def test() -> None:
        async with guarded(auth={"scopes": ["mcp"]}) as it:
            for fields in ({}, {"Authorization": "Basic YTpi"}):
                answer = await it.refused(None, **fields)
                assert answer.status == 401
                challenge = answer.headers["www-authenticate"]
                assert "error" not in challenge
                assert 'scope="mcp"' in challenge
                assert "resource_metadata=" in challenge
                assert answer.error["data"]["reason"] == "token-missing"
            assert it.issuer.asked == []

    run(test())


@must("no-token-in-query", "as-400")
def test_credentials_that_cannot_be_read_are_a_bad_request() -> None:
    async def test() -> None:
        async with guarded() as it:
            good = it.token()
            seen = len(it.peer.requests)
            for fields in (
                [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
                [("Authorization", "Bearer")],
                [("Authorization", "Bearer  ")],
                [("Authorization", "Bearer a b")],
                [("Authorization", b"Bearer \xff\xfe")],
            ):
                answer = await it.world.http(b"{}", fields=fields)
                assert answer.status == 400, fields
                assert 'error="invalid_request"' in answer.headers["www-authenticate"]
                assert answer.error["data"]["reason"] == "credentials-malformed"
            for query in (f"access_token={good}", "access_token=", "a=lockgate_x", "a=1&" * 100):
                for headers in ([], [("Authorization", f"Bearer {good}")]):
                    answer = await it.world.http(b"{}", path=f"/mcp?{query}", fields=headers)
                    assert answer.status == 400, query
            assert len(it.peer.requests) == seen

    run(test())


@must("as-403", "insufficient-scope")
def test_a_token_that_was_granted_too_little_is_told_what_it_takes() -> None:
    async def test() -> None:
        async with guarded(auth={"scopes": ["mcp", "tools"]}) as it:
            answer = await it.refused(it.token(scope="mcp"))
            assert answer.status == 403
            challenge = answer.headers["www-authenticate"]
            assert 'error="insufficient_scope"' in challenge
            # All it takes, in one challenge.
            assert 'scope="mcp tools"' in challenge
            assert "resource_metadata=" in challenge
            assert answer.error["data"]["scopes"] == ["mcp", "tools"]
            assert (await it.call(it.token(scope="tools mcp x"))).status == 200
            assert (await it.call(it.token(scope=None, scp=["tools", "mcp"]))).status == 200

    run(test())


@must("scope-hierarchy")
def test_a_broader_scope_includes_narrower_ones() -> None:
    async def test() -> None:
        implied = {"all": ["files"], "files": ["files:read", "all"]}
        auth = {"scopes": ["files:read"], "scopes_implied": implied}
        async with guarded(auth=auth) as it:
            assert (await it.call(it.token(scope="all"))).status == 200
            assert (await it.refused(it.token(scope="other"))).status == 403

    run(test())


def test_names_of_schemes_and_hosts_have_no_case() -> None:
    async def test() -> None:
        async with guarded() as it:
            shouted = it.resource.replace("http://", "HTTP://")
            assert (await it.call(it.token(audience=[shouted]), scheme="BEARER")).status == 200
            assert (await it.refused(it.token(audience=it.resource.upper()))).status == 401

    run(test())


def test_an_audience_of_its_own_takes_the_place_of_the_url() -> None:
    async def test() -> None:
        async with guarded(told={"audience": ["api://gateway"]}) as it:
            assert (await it.call(it.token(audience=["x", "api://gateway"]))).status == 200
            assert (await it.refused(it.token())).status == 401

    run(test())


def test_algorithms_and_types_can_be_narrowed() -> None:
    async def test() -> None:
        async with guarded(told={"algorithms": ["ES256"], "token_types": ["at+jwt"]}) as it:
            assert (await it.call(it.token(key=1))).status == 200
            assert (await it.refused(it.token(key=0))).status == 401
            assert (await it.refused(it.token(key=1, header={"typ": "JWT"}))).status == 401

    run(test())


def test_a_token_is_not_judged_twice() -> None:
    async def test() -> None:
        async with guarded() as it:
            token = it.token()
            for _ in range(3):
                assert (await it.call(token)).status == 200
            assert it.issuer.asked == [*it.issuer.places, "/keys"]

    run(test())


@must("no-passthrough", "secure-storage")
def test_a_token_reaches_no_server_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def test() -> None:
        async with guarded() as it:
            token, bad = it.token(), it.token(aud="https://other.example")
            assert (await it.call(token)).status == 200
            assert (await it.refused(bad)).status == 401
            assert it.peer.calls
            for request in it.peer.requests:
                said = repr((request.headers, request.body, request.query))
                assert token not in said
                assert "authorization" not in said.lower()
            for one in (token, bad):
                signature = one.rpartition(".")[2]
                assert signature not in caplog.text
                assert signature not in repr(vars(it.world.gateway._doors))

    run(test())


@must("rotation")
def test_keys_rotate_without_a_restart() -> None:
    async def test() -> None:
        async with guarded(told={"keys_pause": "4s"}) as it:
            assert (await it.call(it.token())).status == 200
            it.issuer.keys = [fresh_rsa("new")]
            assert (await it.refused(it.token())).status == 401  # too soon to ask again
            await asyncio.sleep(4.1)  # the pause, by the real clock
            assert (await it.call(it.token())).status == 200

    run(test())


def test_unknown_keys_do_not_make_us_ask_again_and_again() -> None:
    async def test() -> None:
        async with guarded() as it:
            assert (await it.call(it.token())).status == 200
            before = list(it.issuer.asked)
            tokens = [it.token(header={"kid": f"k{number}"}) for number in range(20)]
            answers = await asyncio.gather(*(it.refused(token) for token in tokens))
            assert {one.status for one in answers} == {401}
            assert it.issuer.asked == before

    run(test())


def test_many_at_once_ask_for_the_keys_once() -> None:
    async def test() -> None:
        async with guarded() as it:
            tokens = [it.token(jti=str(number)) for number in range(20)]
            answers = await asyncio.gather(*(it.call(token) for token in tokens))
            assert {one.status for one in answers} == {200}
            assert it.issuer.asked.count("/keys") == 1

    run(test())


@must("issuer-away")
@pytest.mark.parametrize("path", ["/keys", "metadata"])
def test_an_issuer_that_is_away_is_no_fault_of_the_token(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        issuer = Issuer()
        issuer.status = {issuer.places[0] if path == "metadata" else path: 500}
        async with guarded(issuer=issuer) as it:
            answer = await it.refused(it.token())
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) > 0
            assert "www-authenticate" not in answer.headers
            assert answer.error["data"]["reason"] == "issuer-unavailable"
            asked = len(issuer.asked)
            assert (await it.refused(it.token())).status == 503
            assert len(issuer.asked) == asked  # not asked again at once
        [told] = [one for one in caplog.records if one.name == "lockgate.identity"]
        assert told.levelname == "WARNING"
        assert "its tokens get 503" in told.getMessage()
        assert vars(told)["code"] == "LG-445"

    run(test())


@must("issuer-exact", "as-metadata")
@pytest.mark.parametrize("path", ["", "/tenant/one"])
@pytest.mark.parametrize("place", ["oauth", "openid", "appended"])
def test_metadata_is_found_where_either_standard_puts_it(path: str, place: str) -> None:
    async def test() -> None:
        issuer = Issuer(path)
        openid = "/.well-known/openid-configuration"
        issuer.places = {
            "oauth": (f"/.well-known/oauth-authorization-server{path}",),
            "openid": (f"{openid}{path}",),
            "appended": (f"{path}{openid}",),
        }[place]
        async with guarded(issuer=issuer) as it:
            assert (await it.call(it.token())).status == 200

    run(test())


@must("issuer-exact")
@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://other.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_metadata_of_another_or_unsafe_keys_are_no_metadata(metadata: Json) -> None:
    async def test() -> None:
        issuer = Issuer()
        issuer.metadata = metadata
        async with guarded(issuer=issuer) as it:
            assert (await it.refused(it.token())).status == 503
            assert "/keys" not in issuer.asked

    run(test())


def test_two_issuers_are_told_apart_by_who_signed() -> None:
    async def test() -> None:
        other = Issuer()
        other.keys = [ec("one"), ec("two")]
        await other.start()
        first = Issuer()
        await first.start()
        entries = [{"issuer": other.url}]
        try:
            auth = {"issuers": [*entries, {"issuer": first.url}]}
            async with guarded(issuer=Issuer(), auth=auth) as it:
                for issuer in (first, other):
                    key = 0 if issuer is first else 1
                    assert (await it.call(issuer.token(it.resource, key=key))).status == 200
                # Signed by one, in the name of the other.
                forged = first.token(it.resource, iss=other.url)
                assert (await it.refused(forged)).status == 401
        finally:
            await other.die()
            await first.die()

    run(test())
