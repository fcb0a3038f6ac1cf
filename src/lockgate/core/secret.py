"""A value that must not be written anywhere by accident.

Must not know: what it is a secret of.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

MASK: Final = "Secret(…)"


class Secret:
    """Text that is read by asking for it, and in no other way.

    Not by `str`, `repr`, a format, a pickle or an encoder of JSON.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text, for sending it where it belongs and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not to be serialised")
