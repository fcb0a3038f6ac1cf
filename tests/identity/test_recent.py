"""What is remembered of accepted credentials is bounded, and the oldest go first."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.clock import SYSTEM
from lockgate.core.message import Principal
from lockgate.fronts.http import HttpRequest
from lockgate.identity import authentication
from lockgate.identity.authentication import Authentication
from lockgate.identity.jwks import KnownKeys
from lockgate.identity.keys import Keyring, new_key
from lockgate.identity.recent import Recent
from lockgate.identity.settings import EndpointSettings, IssuerSettings
from lockgate.identity.tokens import Issuer
from lockgate.identity.verdicts import Accepted
from tests.identity.issuer import Issuer as Signing

FOUND = Accepted(Principal(id="a"), 0.0)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=60))
def test_number_and_size_are_bounded(added: list[tuple[int, int]]) -> None:
    recent = Recent(most=4, most_bytes=100)
    last: dict[bytes, int] = {}
    for name, size in added:
        digest = bytes([name])
        recent.add(digest, FOUND, size)
        last.pop(digest, None)
        last[digest] = size
        assert len(recent) <= 4
        assert list(recent.table) == list(last)[-len(recent) :]
        assert sum(last[one] for one in recent.table) == recent._bytes <= 100


def test_one_that_is_larger_than_all_is_kept_alone() -> None:
    recent = Recent(most=4, most_bytes=100)
    recent.add(b"a", FOUND, 50)
    recent.add(b"b", FOUND, 200)
    assert list(recent.table) == [b"b"]
    recent.add(b"c", FOUND, 10)
    assert list(recent.table) == [b"c"]


def test_tokens_that_are_compared_whole_are_bounded_and_no_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(authentication, "MOST_NEAR", 3)
    monkeypatch.setattr(authentication, "LONGEST_NEAR", 2000)
    signing = Signing()
    signing.port = 1
    resource = "https://mcp.example/mcp"
    public = {"keys": [one.as_dict(private=False) for one in signing.keys]}
    key, kept = new_key("ci", time.time())
    one = Authentication(
        EndpointSettings(resource=resource),
        SYSTEM,
        issuers=[Issuer(IssuerSettings(issuer=signing.url), KnownKeys(public))],
        keys=Keyring([kept], {}),
    )

    def who(token: str) -> str:
        headers = {b"authorization": f"Bearer {token}".encode()}
        asked = HttpRequest(method="POST", path="/mcp", query="", headers=headers)
        found = one.authenticate(asked)
        assert isinstance(found, Principal)
        return found.id.rpartition("#")[2]

    tokens = {name: signing.token(resource, sub=name) for name in "abcde"}
    tokens["long"] = signing.token(resource, sub="long", more="x" * 2000)
    for _ in range(2):
        for name, token in tokens.items():
            assert who(token) == name
            assert len(one._near) <= 3
        assert who(key) == "key:ci"
    values = b" ".join(value for value, _ in one._near.values())
    assert key.encode() not in values
    assert tokens["long"].encode() not in values
