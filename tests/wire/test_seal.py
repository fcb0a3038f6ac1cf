from __future__ import annotations

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.wire.seal import BadSeal, KeyRing

RING = KeyRing.generate()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(TEXT, st.binary(max_size=100), TEXT)
def test_what_is_sealed_opens_for_its_purpose_and_bearer_until_it_expires(
    purpose: str, payload: bytes, bind: str
) -> None:
    token = RING.seal(purpose, payload, now=100.0, ttl=10.0, bind=bind)
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert RING.open(purpose, token, now=109.9, bind=bind) == payload
    for other in (
        {"purpose": purpose + "x", "bind": bind, "now": 101.0},
        {"purpose": purpose, "bind": bind + "x", "now": 101.0},
        {"purpose": purpose, "bind": bind, "now": 110.0},
    ):
        with pytest.raises(BadSeal):
            RING.open(other["purpose"], token, now=other["now"], bind=other["bind"])


def test_purpose_and_bind_cannot_be_shifted_into_each_other() -> None:
    token = RING.seal("ab", b"x", now=0, ttl=9, bind="c")
    with pytest.raises(BadSeal):
        RING.open("a", token, now=1, bind="bc")


@given(st.data())
def test_a_changed_token_never_opens(data: st.DataObject) -> None:
    token = RING.seal("p", b"payload", now=0, ttl=9)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_=+/ é"))
    changed = token[:at] + letter + token[at + 1 :]
    for other in (changed, token[:at], token + letter, letter + token):
        if other != token:
            with pytest.raises(BadSeal):
                RING.open("p", other, now=1)


@given(TEXT)
def test_garbage_gives_only_a_typed_error(token: str) -> None:
    with pytest.raises(BadSeal):
        RING.open("p", token, now=1)


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, new = os.urandom(32), os.urandom(32)
    before = KeyRing([old]).seal("p", b"x", now=0, ttl=9)
    turned = KeyRing([new, old])
    assert turned.open("p", before, now=1) == b"x"
    after = turned.seal("p", b"y", now=0, ttl=9)
    assert KeyRing([new]).open("p", after, now=1) == b"y"
    with pytest.raises(BadSeal) as caught:
        KeyRing([old]).open("p", after, now=1)
    assert caught.value.reason == "unknown-key"


def test_no_two_tokens_are_alike_and_nothing_shows_the_keys() -> None:
    key = b"k" * 32
    ring = KeyRing([key])
    assert len({ring.seal("p", b"x", now=0, ttl=9) for _ in range(100)}) == 100
    assert "k" * 8 not in repr(ring)


@pytest.mark.parametrize("keys", [[], [b"short"], [b"x" * 32, b""]])
def test_bad_keys_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeyRing(keys)
