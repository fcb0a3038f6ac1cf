"""The union of many filters, whoever comes and goes."""

from __future__ import annotations

from functools import reduce
from operator import or_

from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams.filters import Filter, Union

FILTERS = st.builds(
    Filter,
    st.frozensets(st.sampled_from(["tools", "prompts", "resources"])),
    st.frozensets(st.tuples(st.just("uris"), st.sampled_from("abcd"))),
)


@given(st.lists(st.tuples(FILTERS, st.booleans(), st.integers(0, 20))))
def test_a_union_is_that_of_all_present(steps: list[tuple[Filter, bool, int]]) -> None:
    union, present = Union(), list[Filter]()
    for one, arrives, which in steps:
        if arrives or not present:
            union.add(one)
            present.append(one)
        else:
            union.remove(present.pop(which % len(present)))
        assert union.filter == reduce(or_, present, Filter())
