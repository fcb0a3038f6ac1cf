from __future__ import annotations

import pickle

import msgspec
import pytest

from lockgate.core.message import Principal
from lockgate.core.secret import Secret


def test_a_secret_is_read_by_asking_for_it_and_in_no_other_way() -> None:
    secret = Secret("hunter2")
    holder = Principal(id="alice", subject=secret)
    said = [str(secret), repr(secret), f"{secret}", f"{secret:>20}", repr(holder)]
    assert not any("hunter2" in one for one in said)
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(holder)


def test_secrets_are_equal_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a") != "a"
