"""What others say is read without ever failing, and believed only where it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.identity.documents import metadata_urls
from lockgate.identity.outbound.challenge import asked, read_challenges
from lockgate.identity.outbound.metadata import (
    canonical,
    covers,
    read_resource,
    read_server,
    resource_places,
)
from lockgate.identity.outbound.trouble import Trouble
from tests.identity.outbound.provider import ISSUER, SERVER, metadata, resource
from tests.security.musts import must

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@must("read-challenges")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Bearer", [("bearer", {})]),
        ('Bearer realm="a, b", scope="x y"', [("bearer", {"realm": "a, b", "scope": "x y"})]),
        ("Bearer error=invalid_token", [("bearer", {"error": "invalid_token"})]),
        ('DPoP algs="ES256", Bearer', [("dpop", {"algs": "ES256"}), ("bearer", {})]),
        ('Negotiate abc==, Bearer scope="x"', [("negotiate", {}), ("bearer", {"scope": "x"})]),
        ('Bearer a="1"\t,\tB="2"', [("bearer", {"a": "1", "b": "2"})]),
        (r'Bearer a="say \"hi\""', [("bearer", {"a": 'say "hi"'})]),
        ('Bearer scope="one", scope="two"', [("bearer", {"scope": "one"})]),
        ('Bearer scope="open', [("bearer", {})]),
        ("", []),
        (None, []),
        ("x" * 9000, []),
    ],
)
def test_challenges(written: str | None, read: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, dict(one.params)) for one in read_challenges(written)] == read


@given(TEXT, st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), TEXT, max_size=4))
def test_a_written_challenge_is_read_as_it_was_meant(garbage: str, params: dict[str, str]) -> None:
    read_challenges(garbage)

    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    written = "Bearer " + ", ".join(f"{name}={quoted(value)}" for name, value in params.items())

    assert dict(asked(written).params) == params


@must("resource-places")
def test_where_a_server_describes_itself() -> None:
    root = "https://a.example/.well-known/oauth-protected-resource"

    assert resource_places("https://a.example/public/mcp") == [f"{root}/public/mcp", root]
    assert resource_places("https://a.example") == [root]


@must("as-places")
def test_where_an_authorization_server_describes_itself() -> None:
    at = "https://a.example"

    assert list(metadata_urls(f"{at}/tenant1")) == [
        f"{at}/.well-known/oauth-authorization-server/tenant1",
        f"{at}/.well-known/openid-configuration/tenant1",
        f"{at}/tenant1/.well-known/openid-configuration",
    ]
    assert list(metadata_urls(at)) == [
        f"{at}/.well-known/oauth-authorization-server",
        f"{at}/.well-known/openid-configuration",
    ]


@must("canonical-resource")
@pytest.mark.parametrize(
    ("url", "identifier"),
    [
        ("HTTPS://MCP.Example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("https://mcp.example.com:8443/a/#b", "https://mcp.example.com:8443/a/"),
    ],
)
def test_the_identifier_of_a_server(url: str, identifier: str) -> None:
    assert canonical(url) == identifier


@must("resource-match")
@pytest.mark.parametrize(
    ("said", "ours"),
    [
        (SERVER, True),
        ("https://mcp.example.com", True),
        ("https://mcp.example.com/", True),
        ("https://MCP.example.com/mcp/", True),
        ("https://mcp.example.com/mc", False),
        ("https://mcp.example.com/mcp/deeper", False),
        ("https://mcp.example.com:444/mcp", False),
        ("http://mcp.example.com/mcp", False),
        ("https://evil.example.com/mcp", False),
        ("https://mcp.example.com/mcp#x", False),
        ("https://mcp.example.com/mcp?tenant=1", False),
        ("nothing", False),
    ],
)
def test_whether_metadata_are_those_of_the_server(said: str, ours: bool) -> None:
    assert covers(said, SERVER) == ours


UNFIT_RESOURCES: list[Any] = [
    [],
    {},
    resource(resource="https://evil.example.com/mcp"),
    resource(authorization_servers=[]),
    resource(authorization_servers="https://login.example.com"),
    resource(authorization_servers=[1]),
]


@pytest.mark.parametrize("said", UNFIT_RESOURCES)
def test_resource_metadata_that_are_not_used(said: Any) -> None:
    with pytest.raises(Trouble) as refused:
        read_resource(json.dumps(said).encode(), SERVER)

    assert refused.value.reason == "oauth-metadata"


@must("issuer-exact")
@pytest.mark.parametrize(
    "said",
    [
        None,
        {},
        metadata(issuer="https://honest.example"),
        metadata(issuer=f"{ISSUER}/"),
        metadata(issuer=ISSUER.upper()),
        metadata(token_endpoint=None),
    ],
)
def test_server_metadata_that_are_not_used(said: Any) -> None:
    with pytest.raises(Trouble) as refused:
        read_server(json.dumps(said).encode(), ISSUER)

    assert refused.value.reason == "oauth-metadata"


@given(st.binary(max_size=200))
def test_no_document_breaks_anything(body: bytes) -> None:
    for read in (read_resource, read_server):
        with pytest.raises(Trouble):
            read(body, SERVER)
