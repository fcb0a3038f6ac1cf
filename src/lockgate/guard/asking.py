"""What servers may not ask people for, and pages that are not what they look like.

Must not know: who is asked, or how a question is refused.

A form in a chat is no place for a password: what is typed there passes through the client, its
model and every log between (specification 2026-07-28, client/elicitation: servers must not). So a
field or a message that asks for such a thing is known by its words. A page (URL mode) is where
secrets belong; there the person has to see whose page it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from lockgate.guard.characters import stripped
from lockgate.guard.injection import plain

_THING: Final = (
    r"(?:pass ?(?:word|phrase|code|key)|passwd|pwd"
    r"|(?:seed|recovery|secret|backup) (?:phrase|words?)|mnemonic"
    r"|(?:private|secret|api|access|encryption|ssh) ?key|client secret|secret"
    r"|(?:access|auth|bearer|refresh|session|api|personal access|authentication|security) ?token"
    r"|credentials?|cvv2?|cvc2?|card (?:number|verification|security)|credit ?card|security code"
    r"|pin(?: (?:code|number))?|social security(?: number)?|ssn|one.time (?:code|password)|otp"
    r"|(?:2fa|mfa|totp|verification|authenticator) codes?|bank account number)"
)
_named: Final = re.compile(rf"(?:^|.*\b){_THING}\W{{0,2}}(?:\d|value|again|confirm(?:ation)?)?$")
_asked: Final = re.compile(
    r"(?:enter|provide|type|paste|give|send|share|confirm|input|submit|supply|tell|need|your)\W{1,3}"
    rf"(?:\w{{1,16}}\W{{1,3}}){{0,6}}?{_THING}\b"
)
_no: Final = re.compile(r"(?:never|not|n't|without|no)\W{1,3}(?:\w{1,12}\W{1,3}){0,3}$")
_camel: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+")
LONGEST: Final = 20_000


def secrets_asked(method: str, params: Mapping[str, Any]) -> list[str]:
    """What a question asks for that none may ask for: where it shows; empty if nothing."""
    if method == "elicitation/create":
        return [] if params.get("mode") == "url" else list(_form(params))
    if method == "sampling/createMessage":
        return ["sampling" for text in _texts(params) if _asks(text)][:1]
    return []


def _form(params: Mapping[str, Any]) -> Iterator[str]:
    schema: Any = params.get("requestedSchema")
    fields: Any = (
        cast("dict[str, Any]", schema).get("properties") if isinstance(schema, dict) else 0
    )
    written = False
    for name, field in cast("dict[str, Any]", fields if isinstance(fields, dict) else {}).items():
        told = cast("dict[str, Any]", field) if isinstance(field, dict) else {}
        if told.get("type", "string") not in ("string", "number", "integer") or "enum" in told:
            continue
        written = True
        named = told.get("format") == "password" or _is_thing(name)
        if named or _is_thing(told.get("title")) or _asks(told.get("description")):
            yield f"field {name[:60]}"
    if written and _asks(params.get("message")):
        yield "message"


def _is_thing(name: object) -> bool:
    if not isinstance(name, str):
        return False
    return _named.match(plain(_camel.sub(" ", stripped(name[:200])))) is not None


def _asks(text: object) -> bool:
    if not isinstance(text, str):
        return False
    said = plain(text[:LONGEST])
    return any(
        not _no.search(said, max(0, one.start() - 60), one.start()) for one in _asked.finditer(said)
    )


def _texts(params: Mapping[str, Any]) -> Iterator[str]:
    system: Any = params.get("systemPrompt")
    if isinstance(system, str):
        yield system
    messages: Any = params.get("messages")
    for message in cast("list[Any]", messages) if isinstance(messages, list) else ():
        content: Any = (
            cast("dict[str, Any]", message).get("content") if isinstance(message, dict) else None
        )
        for one in cast("list[Any]", content if isinstance(content, list) else [content]):
            text: Any = cast("dict[str, Any]", one).get("text") if isinstance(one, dict) else None
            if isinstance(text, str):
                yield text


class Page:
    """A page that a server wants a person to open.

    host   its host as it is in truth, in ASCII.
    shown  the host as it looks.
    odd    what is odd about it: `not-http`, `user-in-address`, `punycode`, `numeric`, `plain-http`.
    """

    __slots__ = ("host", "odd", "shown")

    def __init__(self, url: str) -> None:
        """Read an address; one that cannot be read is `not-http`."""
        self.host = self.shown = ""
        self.odd: list[str] = []
        try:
            parts = urlsplit(url)
            self.shown = (parts.hostname or "").rstrip(".")
            user = parts.username is not None
        except ValueError:
            self.odd.append("not-http")
            return
        if parts.scheme.lower() not in ("http", "https") or not self.shown or url != stripped(url):
            self.odd.append("not-http")
        if user:
            self.odd.append("user-in-address")
        self.host = _ascii(self.shown)
        if "xn--" in self.host:
            self.odd.append("punycode")
            self.shown = _unicode(self.host)
        if re.fullmatch(r"[\d.]+|.*:.*|0x[0-9a-f]+", self.host):
            self.odd.append("numeric")
        local = self.host in ("localhost", "127.0.0.1", "::1")
        if parts.scheme.lower() == "http" and not local:
            self.odd.append("plain-http")

    @property
    def refused(self) -> bool:
        """Whether no person should be shown it at all."""
        return bool({"not-http", "user-in-address"} & set(self.odd))

    def told(self) -> str:
        """What a person has to know of it."""
        words = f"This opens a page of {self.host}."
        if "punycode" in self.odd:
            words += f" Beware: it looks like {self.shown}, with letters that may be others."
        if "numeric" in self.odd:
            words += " Beware: it has no name, only an address."
        if "plain-http" in self.odd:
            words += " Beware: it is not encrypted."
        return words


def _ascii(host: str) -> str:
    try:
        return unicodedata.normalize("NFKC", host).encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def _unicode(host: str) -> str:
    try:
        return host.encode().decode("idna")
    except UnicodeError:
        return host
