"""Takes secrets out of what is kept of an exchange, before it is kept.

Must not know: exchanges. Three nets, one behind the other:

    | net                                    | what it catches                                     |
    |----------------------------------------|-----------------------------------------------------|
    | the secrets that were given            | in every spelling they can travel in                |
    | names: headers, members, parameters    | the value, whatever it looks like                   |
    | the forms of known credentials         | wherever they stand (`lockgate.guard.secrets`)      |

What is too long is cut only after that, so that no part of a secret is left at the edge.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, quote_plus

import msgspec

from lockgate.config.secrets import masked_url, secret_name
from lockgate.guard.secret_names import is_named
from lockgate.guard.secrets import redacted

MASK: Final = "********"
SHORTEST: Final = 4
"""A secret shorter than this would blacken ordinary words, and is none."""
LONGEST: Final = 4000
"""Characters that are kept of one body."""
TOO_LARGE: Final = 256 * 1024
"""Bytes of a body of which nothing is kept."""
_HEADERS: Final = frozenset(
    {
        "authorization",
        "cookie",
        "dpop",
        "mcp-session-id",
        "proxy-authorization",
        "set-cookie",
        "x-api-key",
        "x-forwarded-for",
    }
)
_PUBLIC: Final = frozenset({"authorization_endpoint", "token_endpoint", "www-authenticate"})
_url: Final = re.compile(r"https?://[^\s\"'<>\\]{1,2000}")
_session: Final = re.compile(r"(?i)(session_?id=)[\w.~%-]{1,1000}")
_read = msgspec.json.Decoder().decode


class Blackener:
    """Knows the secrets of one diagnosis; more can be learned on the way."""

    def __init__(self, secrets: Iterable[str] = (), home: str | None = None) -> None:
        """`home` is written as `~`; this user's by default."""
        self._secrets: set[str] = set()
        self._home = str(Path.home()) if home is None else home
        self._pattern: re.Pattern[str] | None = None
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Never show these."""
        new = {one for one in secrets if len(one) >= SHORTEST} - self._secrets
        if new:
            self._secrets |= new
            spelled = {way for one in self._secrets for way in spellings(one)}
            longest_first = sorted(spelled, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def text(self, text: str) -> str:
        """A text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _session.sub(rf"\1{MASK}", text)
        text = _url.sub(lambda found: masked_url(found[0]), redacted(text)[0])
        if len(self._home) > 1:
            text = text.replace(self._home, "~")
        return text

    def header(self, name: str, value: str) -> str:
        """One header as a line."""
        if name.lower() in _HEADERS or (secret_name(name) and name.lower() not in _PUBLIC):
            return f"{name}: {MASK}"
        return f"{name}: {self.text(value)}"

    def body(self, body: bytes | str) -> str:
        """A body, on one line where it is JSON."""
        if len(body) > TOO_LARGE:
            # Looking through it would take longer than the answer did; a part could end in the
            # middle of a secret.
            return f"({len(body)} bytes, too large to be kept)"
        text = body if isinstance(body, str) else body.decode("utf-8", "replace")
        try:
            value: Any = _read(text)
        except (msgspec.MsgspecError, RecursionError):
            return self._cut(self.text(text))
        return self._cut(self.text(_written(self.value(value))))

    def value(self, value: Any) -> Any:
        """A value of JSON, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in cast("list[Any]", value)]
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            return {self.text(key): self._member(key, one) for key, one in members.items()}
        return value

    def _member(self, name: str, value: Any) -> Any:
        plain = isinstance(value, str | int) and not isinstance(value, bool)
        if plain and is_named(name) and name not in _PUBLIC:
            return MASK
        return self.value(value)

    def _cut(self, text: str) -> str:
        if len(text) <= LONGEST:
            return text
        return f"{text[:LONGEST]}… ({len(text)} characters in all)"


def spellings(secret: str) -> Iterator[str]:
    """Every way a text may be written on its way: as it is, escaped, percent-encoded, in Base64."""
    yield secret
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    data = secret.encode("utf-8", "surrogatepass")
    if len(data) < _BASE64:
        return
    for skipped in range(3):
        # What depends on its neighbours, whatever they are, is left out.
        whole = base64.b64encode(b"\0" * skipped + data).decode()
        inner = whole[(0, 2, 3)[skipped] : (skipped + len(data)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


_BASE64: Final = 6


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
