"""What can be looked for in content, each as a filter for `lockgate.guard.content`.

Must not know: where content comes from or goes to.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.guard import (
    characters,
    errors,
    injection,
    links,
    personal,
    secret_names,
    secrets,
)
from lockgate.guard.seen import Doing
from lockgate.guard.sieve import LARGE

NOTHING: Sequence[str] = ()


class Secrets(msgspec.Struct, frozen=True):
    """Credentials, by form and by name."""

    doing: Doing
    name: str = "secrets"

    @property
    def words(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return secrets.words()

    @property
    def spelled(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return secrets.spelled()

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return False

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        clean, found = secrets.redacted(text)
        if found:
            return clean, [one.kind for one in found]
        if key and secret_names.is_named(key) and secret_names.looks_random(text):
            return secrets.MASK.format("named-secret"), ("named-secret",)
        return text, NOTHING


class Characters(msgspec.Struct, frozen=True):
    """Hidden characters; soft hyphens and the mark that begins a file stay, being everywhere."""

    doing: Doing
    name: str = "characters"

    @property
    def words(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return ("\\b", "\x7f")

    @property
    def spelled(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return self.words

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return len(data) < LARGE or characters.may_hide(data)

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        found = [
            one
            for one in characters.spots(text)
            if one.kind != "soft" and (one.start or text[0] != "\ufeff")
        ]
        if not found:
            return text, NOTHING
        return characters.without(text, found), [one.kind for one in found]


class Injection(msgspec.Struct, frozen=True):
    """Orders to whoever reads it. Nothing can be taken out of them: they are flagged or blocked."""

    doing: Doing
    name: str = "injection"

    @property
    def words(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return injection.words()

    @property
    def spelled(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return NOTHING

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return injection.hint(data)

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        return text, injection.find(text)


class Personal(msgspec.Struct, frozen=True):
    """Personal data of one kind."""

    kind: personal.Kind
    doing: Doing

    @property
    def name(self) -> str:
        """See `lockgate.guard.content.Filter`."""
        return "personal"

    @property
    def words(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return NOTHING

    spelled = words

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return self.kind != "email" or b"@" in data

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        found = personal.find(text, (self.kind,))
        return (secrets.without(text, found), (self.kind,)) if found else (text, NOTHING)


class Links(msgspec.Struct, frozen=True):
    """Links and images in Markdown."""

    doing: Doing
    name: str = "links"

    @property
    def words(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return NOTHING

    spelled = words

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return links.hint(data)

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        return links.cleaned(text)


class Insides(msgspec.Struct, frozen=True):
    """What errors say about where a server runs."""

    doing: Doing
    name: str = "errors"

    @property
    def words(self) -> Sequence[str]:
        """See `lockgate.guard.content.Filter`."""
        return NOTHING

    spelled = words

    def hint(self, data: bytes, /) -> bool:
        """See `lockgate.guard.content.Filter`."""
        return True

    def clean(self, key: str, text: str, /) -> tuple[str, Sequence[str]]:
        """See `lockgate.guard.content.Filter`."""
        return errors.cleaned(text)
