"""Requests and answers of the facade: parameters, cookies, headers that browsers act on.

Must not know: what pages say, OAuth, what serves HTTP. Sources: RFC 6265, RFC 9110, CSP level 3.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from lockgate.identity.facade.refusals import REQUEST, Refusal

MOST_FIELDS: Final = 64
MOST_FORM: Final = 32 * 1024
_FORM: Final = "application/x-www-form-urlencoded"

Header = tuple[bytes, bytes]
Pairs = list[tuple[str, str]]


class Asked(Protocol):
    """What of a request is looked at."""

    @property
    def method(self) -> str: ...  # noqa: D102 - as HTTP has it
    @property
    def query(self) -> str: ...  # noqa: D102 - as HTTP has it
    @property
    def headers(self) -> Mapping[bytes, bytes]: ...  # noqa: D102 - as HTTP has it
    @property
    def repeated(self) -> frozenset[bytes]: ...  # noqa: D102 - as HTTP has it
    @property
    def body(self) -> bytes: ...  # noqa: D102 - as HTTP has it
    @property
    def peer(self) -> str: ...  # noqa: D102 - as HTTP has it


class Answer(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: tuple[Header, ...]
    body: bytes = b""


_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)
_NOT_KEPT: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
)


def page(status: int, text: str, style: str, extra: Sequence[Header] = ()) -> Answer:
    """A page that is framed by nobody, loads nothing, runs nothing, and posts to us alone.

    Args:
        status: of HTTP.
        text: the whole HTML.
        style: the hash of its only style sheet, as a content security policy names it.
        extra: further headers.
    """
    policy = (
        f"default-src 'none'; style-src '{style}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    headers = (
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", policy.encode()),
        (b"x-frame-options", b"DENY"),
        *_ALWAYS,
        *_NOT_KEPT,
        *extra,
    )
    return Answer(status, headers, text.encode())


def redirect(url: str, extra: Sequence[Header] = ()) -> Answer:
    """To another address, with nothing of this one told there."""
    headers = (
        (b"location", url.encode("ascii")),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        *_NOT_KEPT,
        *extra,
    )
    return Answer(302, headers)


def json(status: int, said: Mapping[str, Any], extra: Sequence[Header] = ()) -> Answer:
    """A JSON object for a program, kept by nobody."""
    headers = ((b"content-type", b"application/json"), *_ALWAYS, *_NOT_KEPT, *extra)
    return Answer(status, headers, msgspec.json.encode(said))


def document(said: Mapping[str, Any]) -> Answer:
    """A JSON document that anybody may read, and keep for a while."""
    headers = (
        (b"content-type", b"application/json"),
        (b"cache-control", b"public, max-age=300"),
        *_ALWAYS,
    )
    return Answer(200, headers, msgspec.json.encode(said))


def refused(refusal: Refusal) -> Answer:
    """A refusal as RFC 6749 section 5.2 has it."""
    extra: list[Header] = []
    if refusal.status == 401:
        extra.append((b"www-authenticate", b'Basic realm="token endpoint"'))
    if refusal.status in {429, 503}:
        extra.append((b"retry-after", b"30"))
    said = {"error": refusal.error, "error_description": refusal.description}
    return json(refusal.status, said, extra)


def only(*methods: str) -> Answer:
    """The answer to another method."""
    said = {"error": "invalid_request", "error_description": f"Use {' or '.join(methods)}."}
    return json(405, said, [(b"allow", ", ".join(methods).encode())])


def query(request: Asked) -> Pairs | Refusal:
    """The parameters in the URL."""
    return _pairs(request.query)


def form(request: Asked) -> Pairs | Refusal:
    """The fields of a form that was posted."""
    kind = request.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0]
    if kind.strip().lower() != _FORM or len(request.body) > MOST_FORM:
        return Refusal("invalid_request", f"Send a form ({_FORM}) that is not too long.", REQUEST)
    try:
        return _pairs(request.body.decode("ascii"))
    except UnicodeDecodeError:
        return _MALFORMED


def _pairs(text: str) -> Pairs | Refusal:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except (ValueError, UnicodeDecodeError):
        return _MALFORMED


_MALFORMED: Final = Refusal("invalid_request", "The parameters cannot be read.", REQUEST)


def with_params(url: str, params: Mapping[str, str | None]) -> str:
    """A URL with further parameters in its query, those that are None left out."""
    told = urlencode({name: value for name, value in params.items() if value is not None})
    return f"{url}{'&' if '?' in url else '?'}{told}"


def cookies(request: Asked) -> dict[str, str]:
    """The cookies of a request; none when there are two headers of them."""
    if b"cookie" in request.repeated:
        return {}
    found: dict[str, str] = {}
    for pair in request.headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals and name not in found:
            found[name] = value
    return found


def cookie(name: str, value: str, seconds: float, *, same_site: str = "Lax") -> Header:
    """A cookie of this host alone, out of reach for scripts; no seconds: take it away.

    The prefix has browsers refuse one that was set for a domain, a path, or without encryption.
    """
    said = (
        f"__Host-{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}; "
        f"Max-Age={max(0, int(seconds))}"
    )
    return b"set-cookie", said.encode("ascii")


def cookie_named(request: Asked, name: str) -> str:
    """The value of one of our cookies; empty when there is none."""
    return cookies(request).get(f"__Host-{name}", "")


def same_origin(request: Asked, issuer: str) -> bool:
    """Whether a browser says that a page of ours sent this form."""
    if b"origin" in request.repeated:
        return False
    origin = request.headers.get(b"origin")
    if origin is None:
        return request.headers.get(b"sec-fetch-site") == b"same-origin"
    parts = urlsplit(issuer)
    return origin == f"{parts.scheme}://{parts.netloc}".encode()


def escaped(text: str) -> str:
    """Text as it may stand in HTML, in an attribute too."""
    return html.escape(text, quote=True)
