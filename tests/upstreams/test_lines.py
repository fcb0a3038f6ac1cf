"""Lines out of bytes: whatever pieces they come in, and whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lockgate.upstreams.lines import HEAD, Lines


def split(pieces: list[bytes], longest: int = 1 << 20) -> tuple[list[bytes], list[bytes]]:
    lines: list[bytes] = []
    heads: list[bytes] = []
    one = Lines(longest, lines.append, heads.append)
    for piece in pieces:
        one.feed(piece)
    one.end()
    return lines, heads


@given(st.lists(st.binary(max_size=30).map(lambda data: data.replace(b"x", b"\n")), max_size=20))
def test_pieces_make_no_difference(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = [line for line in whole.split(b"\n") if line.strip()]
    assert split(pieces)[0] == expected
    assert split([whole])[0] == expected
    assert split([bytes([one]) for one in whole])[0] == expected


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 20), st.integers(1, 7))
def test_only_lines_over_the_bound_are_lost(sizes: list[int], longest: int, step: int) -> None:
    whole = b"".join(b"a" * size + b"\n" for size in sizes)
    pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    lines, heads = split(pieces, longest)
    assert [len(line) for line in lines] == [size for size in sizes if 0 < size <= longest]
    assert len(heads) == sum(size > longest for size in sizes)
    assert (lines, len(heads)) == (split([whole], longest)[0], len(split([whole], longest)[1]))


def test_the_beginning_of_a_dropped_line_is_told() -> None:
    lines, heads = split([b'{"id":7,', b'"result":', b"x" * 5000, b"}\nnext\n"], 1000)
    assert lines == [b"next"]
    assert len(heads) == 1
    assert heads[0].startswith(b'{"id":7,"result":x')
    assert len(heads[0]) <= HEAD


def test_an_endless_line_holds_no_memory() -> None:
    one = Lines(1000, lambda _: None, lambda _: None)
    for _ in range(1000):
        one.feed(b"x" * 65536)
    assert len(one._begun) == 0


def test_blank_lines_are_left_out_and_carriage_returns_are_not_judged() -> None:
    assert split([b"\n\r\n  \n{}\r\n"]) == ([b"{}\r"], [])
