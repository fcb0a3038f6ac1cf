"""How near vectors are to one another, compared exactly and all of them.

Must not know: what they are vectors of.

Vectors are of whole numbers of 8 bits, so every product is one as well, and floats hold the sums
exactly: how near two are does not depend on what else is compared, nor in which order, to the last
bit. Short ones are compared in floats of 32 bits, for as long as no sum can be too large for those.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from math import sqrt
from typing import Any, Final

from lockgate.context.search.fusion import LEAST

MOST_SHORT: Final = 2**24 // 127**2
"""Dimensions for which every sum of products is below 2**24, and so a float of 32 bits."""
PIECE: Final = 1 << 17
"""Numbers that are made floats at a time."""


def installed() -> bool:
    """Whether what compares is there; nothing is imported to find out."""
    return find_spec("numpy") is not None


class Near:
    """Vectors side by side, to be compared with one. `size`: bytes of all of them."""

    def __init__(self, vectors: Mapping[int, bytes]) -> None:
        """At least one, by what they are called; all of one length."""
        import numpy as np  # noqa: PLC0415 - it is optional; who has vectors has it

        self._numbers = tuple(vectors)
        flat: Any = np.frombuffer(b"".join(vectors.values()), dtype=np.int8)
        self.size = int(flat.size)
        self._rows: Any = flat.reshape(len(vectors), -1)
        self._sizes: Any = np.sqrt(np.einsum("ij,ij->i", self._rows, self._rows, dtype=np.float64))
        self._np: Any = np

    def to(self, vector: bytes, least: float = LEAST) -> dict[int, float]:
        """The cosine with this one of each for which it is at least so much."""
        np = self._np
        float_: Any = np.float32 if len(vector) <= MOST_SHORT else np.float64
        one = np.frombuffer(vector, dtype=np.int8).astype(float_)
        sizes = self._sizes * float(np.sqrt(np.dot(one.astype(np.float64), one)))
        step = max(1, PIECE // max(1, len(vector)))
        rows = self._rows
        pieces = [rows[at : at + step].astype(float_) @ one for at in range(0, len(rows), step)]
        found = np.concatenate(pieces) / np.where(sizes, sizes, 1.0)
        enough = np.flatnonzero(found >= least)
        numbers = map(self._numbers.__getitem__, enough.tolist())
        return dict(zip(numbers, found[enough].tolist(), strict=True))


def cosine(one: bytes, other: bytes) -> float:
    """Of two vectors; 0 for those of different lengths."""
    if len(one) != len(other):
        return 0.0
    pairs = [(_signed(a), _signed(b)) for a, b in zip(one, other, strict=True)]
    sizes = sqrt(sum(a * a for a, _ in pairs)) * sqrt(sum(b * b for _, b in pairs))
    return sum(a * b for a, b in pairs) / sizes if sizes else 0.0


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
