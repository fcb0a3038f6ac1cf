"""Specifications of servers: their defaults, and what they never show."""

from __future__ import annotations

import dataclasses

import pytest

from lockgate.upstreams.spec import HttpSpec, StdioSpec, UpstreamSpec, plain_url


def test_nothing_secret_is_shown() -> None:
    specs = [
        StdioSpec(command="npx", args=("--key", "hidden-a"), env={"TOKEN": "hidden-b"}),
        HttpSpec(
            url="https://me:hidden-c@host:8443/mcp?key=hidden-d#hidden-e",
            headers={"Authorization": "Bearer hidden-f"},
        ),
    ]
    for transport in specs:
        for shown in (repr(transport), repr(UpstreamSpec(name="it", transport=transport))):
            assert "hidden" not in shown
    assert "TOKEN" in repr(specs[0])
    assert "https://host:8443/mcp" in repr(specs[1])
    assert "Authorization" in repr(specs[1])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@[::1]:1/x?y", "http://[::1]:1/x"),
        ("http://host:port/", "<unreadable URL>"),
        ("http://host", "http://host"),
        ("not a url", "not a url"),
    ],
)
def test_addresses_are_shown_without_their_secrets(url: str, shown: str) -> None:
    assert plain_url(url) == shown


def test_defaults() -> None:
    spec = UpstreamSpec(name="it", transport=StdioSpec(command="x"))
    assert (spec.era, spec.isolation, spec.idle_stop) == ("auto", "shared", None)
    assert (spec.start_timeout, spec.stop_grace, spec.call_timeout) == (30.0, 5.0, 300.0)
    assert spec.limits.message_bytes == 16 * 1024 * 1024


def test_specifications_do_not_change() -> None:
    spec = StdioSpec(command="x")
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.__setattr__("command", "y")
