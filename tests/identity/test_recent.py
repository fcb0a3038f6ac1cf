"""What is remembered of accepted credentials is bounded, and the oldest go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Principal
from lockgate.identity.recent import Recent
from lockgate.identity.verdicts import Accepted

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
