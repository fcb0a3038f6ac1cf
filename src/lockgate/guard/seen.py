"""What can be looked for in content, and what is said of it once it is found.

Must not know: what any filter looks for, or where content comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

Doing = Literal["off", "flag", "redact", "quarantine", "block"]
"""What is done about what was found: nothing is looked for; it is counted and noted; it is taken
out; nothing of it passes until a person has looked; nothing of it passes."""

DONE: Final = {"flag": "nothing", "redact": "redacted", "quarantine": "held", "block": "blocked"}
STOPPING: Final = frozenset({"quarantine", "block"})
"""Where nothing passes unless somebody says so."""


class Seen(msgspec.Struct, frozen=True):
    """Something was found: by which filter, what (never its text), and what is done about it."""

    by: str
    kind: str
    doing: Doing

    def note(self) -> dict[str, str]:
        """As whoever gets the content is told of it."""
        return {"what": self.by, "kind": self.kind, "done": DONE[self.doing]}


class Filter(Protocol):
    """One thing that is looked for."""

    @property
    def name(self) -> str:
        """What it is called where it is counted."""
        ...

    @property
    def doing(self) -> Doing:
        """What is done about what it finds."""
        ...

    @property
    def words(self) -> Sequence[str]:
        """In small letters: plain ASCII without any of them, in any case, holds nothing of it.

        Empty: there are no such words, and `hint` is asked about everything.
        """
        ...

    @property
    def spelled(self) -> Sequence[str]:
        """What of these words counts only as it is spelled here, with large and small letters."""
        ...

    def hint(self, data: bytes, /) -> bool:
        """Whether JSON may hold anything though it has none of the words.

        Not asked about plain ASCII where there are words, nor about JSON with something escaped by
        number, where anything may hide.
        """
        ...

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """The text without what is found, the very same if nothing is, and the kinds found."""
        ...


class Inspected(msgspec.Struct, frozen=True):
    """What became of content.

    data  the JSON to pass on; the very same bytes when nothing has changed.
    seen  what was found, each kind once.
    """

    data: bytes
    seen: Sequence[Seen] = ()

    @property
    def blocked(self) -> Seen | None:
        """Because of what nothing may pass, if anything."""
        return next((one for one in self.seen if one.doing in STOPPING), None)
