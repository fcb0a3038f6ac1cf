"""The canonical form and the fingerprint of definitions."""

from __future__ import annotations

import json
import random
import unicodedata
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.guard.definition import (
    DEEPEST,
    Exact,
    Unreadable,
    canonical_of,
    fingerprint_of,
    read,
    value_of,
)
from tests.guard.definitions import TOOLS, VALUES, changed, dumped
from tests.security.controls import holds

# The examples of RFC 8785, section 3.2.2 and appendix B.
NUMBERS = {
    "333333333.33333329": "333333333.3333333",
    "1E30": "1e+30",
    "4.50": "4.5",
    "2e-3": "0.002",
    "0.000000000000000000000000001": "1e-27",
    "-0.0": "0",
    "5e-324": "5e-324",
    "1.7976931348623157e308": "1.7976931348623157e+308",
    "9007199254740992": "9007199254740992",
    "295147905179352830000": "295147905179352830000",
    "9.999999999999997e22": "9.999999999999997e+22",
    "1e23": "1e+23",
    "1.0000000000000001e23": "1.0000000000000001e+23",
    "999999999999999700000": "999999999999999700000",
    "1e21": "1e+21",
    "0.000001": "0.000001",
    "9.999999999999997e-7": "9.999999999999997e-7",
    "333333333.3333332": "333333333.3333332",
    "-333333333.33333325": "-333333333.33333325",
    "1424953923781206.2": "1424953923781206.2",
}


@pytest.mark.parametrize(("written", "canonical"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_writes_them(written: str, canonical: str) -> None:
    assert canonical_of(value_of(written.encode())).decode() == canonical


def test_the_example_of_the_rfc() -> None:
    text = (
        '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],'
        '"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/",'
        '"literals": [null, true, false]}'
    )
    assert canonical_of(value_of(text.encode())).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_members_are_sorted_by_code_units() -> None:
    text = '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}'
    value = json.loads(canonical_of(value_of(text.encode())))
    assert list(value.values()) == [2, 4, 6, 7, 1, 5, 3]


@holds(16)
@given(TOOLS.flatmap(lambda tool: st.tuples(st.just(tool), changed(tool))))
@settings(max_examples=150)
def test_any_single_change_is_another_fingerprint(tools: tuple[Any, Any]) -> None:
    before, after = (dumped(tool) for tool in tools)
    one, other = read(before), read(after) if isinstance(tools[1], dict) else None
    assert other is None or one.fingerprint != other.fingerprint


@given(TOOLS, st.randoms())
@settings(max_examples=50)
def test_order_white_space_and_escapes_change_nothing(tool: Any, rng: random.Random) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            members = list(cast("dict[str, Any]", value).items())
            rng.shuffle(members)
            return {key: shuffled(inner) for key, inner in members}
        if isinstance(value, list):
            return [shuffled(inner) for inner in cast("list[Any]", value)]
        return value

    other = json.dumps(shuffled(tool), ensure_ascii=True, indent=3).encode()
    assert read(other).fingerprint == read(dumped(tool)).fingerprint


@given(VALUES)
@settings(max_examples=60)
def test_the_canonical_form_means_the_same_and_is_a_fixed_point(value: Any) -> None:
    written = canonical_of(value_of(dumped(value)))
    assert canonical_of(value_of(written)) == written
    assert fingerprint_of(value_of(written)) == fingerprint_of(value_of(dumped(value)))


def test_another_normal_form_is_another_text() -> None:
    text = "café"
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    assert len({read(dumped({"name": form})).fingerprint for form in forms}) == 2


def test_whole_numbers_beyond_doubles_are_told_apart() -> None:
    prints = {
        read(b'{"maximum":%d}' % number).fingerprint for number in range(2**53 - 2, 2**53 + 6)
    }
    assert len(prints) == 8
    assert isinstance(value_of(b"9007199254740993"), Exact)
    assert value_of(b"1e400") == "1e400"
    one, other = (read(b'{"a":%s}' % text).fingerprint for text in (b"1e400", b"10e399"))
    assert one == other


@pytest.mark.parametrize("one", ["1", "1.0", "1e0", "10e-1", "0.1e1"])
def test_one_number_has_one_fingerprint(one: str) -> None:
    assert read(f'{{"a":{one}}}'.encode()).fingerprint == read(b'{"a":1}').fingerprint


def test_what_is_there_twice_is_forwarded_as_it_was_read() -> None:
    data = b'{"name":"a","inputSchema":{"x":{"description":"good","description":"bad"}}}'
    definition = read(data)
    assert definition.data == b'{"name":"a","inputSchema":{"x":{"description":"bad"}}}'
    assert definition.fingerprint == read(definition.data).fingerprint
    assert read(b'{"a":1, "b":2}').data == b'{"a":1, "b":2}'


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xff"}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1}{}',
        b"[]",
        b"",
        b'{"a":' * 100_000,
        b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST,
        b'{"a":1e' + b"9" * 30 + b"}",
    ],
)
def test_what_readers_do_not_agree_on_is_no_definition(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


@given(st.binary(max_size=64) | VALUES.map(dumped).flatmap(lambda one: st.just(one[:-1])))
def test_nothing_else_is_raised(data: bytes) -> None:
    try:
        read(data)
    except Unreadable:
        return


def test_long_numbers_take_no_longer_than_long_texts() -> None:
    assert read(b'{"a":' + b"9" * 200_000 + b"}").fingerprint
    assert read(b'{"a":0.' + b"9" * 200_000 + b"}").fingerprint
