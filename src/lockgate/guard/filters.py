"""What can be looked for in content, each as a filter for `lockgate.guard.content`.

Must not know: where content comes from or goes to.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.guard import secret_names, secrets
from lockgate.guard.content import Doing

NOTHING: Sequence[str] = ()


class Secrets(msgspec.Struct, frozen=True):
    """Credentials, by form and by name."""

    doing: Doing
    name: str = "secrets"

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return secrets.hint(data)

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        clean, found = secrets.redacted(text)
        if found:
            return clean, [one.kind for one in found]
        if key and secret_names.is_named(key) and secret_names.looks_random(text):
            return secrets.MASK.format("named-secret"), ("named-secret",)
        return text, NOTHING
