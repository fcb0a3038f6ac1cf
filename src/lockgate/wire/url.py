"""The URL of a server, taken apart once and with everything dubious refused.

Must not know: configuration, connections. A URL accepted here has exactly one reading: its host is
a plain name or a canonical address, so that what a check looks at is what is connected to.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Literal
from urllib.parse import quote, urlsplit

import msgspec

Scheme = Literal["http", "https"]
Origin = tuple[str, str, int]

_PORTS: Final[dict[str, int]] = {"http": 80, "https": 443}
_HOST_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_TARGET_SAFE: Final = "%/?:@!$&'()*+,;=-._~[]"
_LONGEST_URL: Final = 8192
_LONGEST_HOST: Final = 253
_LONGEST_LABEL: Final = 63
_LAST_PORT: Final = 65535


class BadUrl(ValueError):
    """A URL that is refused. The message says why and never quotes the URL."""


class Url(msgspec.Struct, frozen=True):
    """An absolute http or https URL.

    scheme       http or https.
    host         ASCII, lower case: a name (internationalised ones as `xn--`), or an IPv4 or IPv6
                 address in canonical form without brackets.
    port         1 to 65535; the scheme's own when the URL names none.
    target       what goes into the request line: path and query, percent-encoded.
    host_header  the value of the Host header.
    origin       (scheme, host, port): what connections can be shared by.
    """

    scheme: Scheme
    host: str
    port: int
    target: bytes
    host_header: bytes
    origin: Origin

    @classmethod
    def parse(cls, text: str) -> Url:
        """Take `text` apart (RFC 3986). A fragment is dropped: it is never sent.

        Raises:
            BadUrl: not absolute http(s), user information, control characters, spaces or
                backslashes, a host with more than one reading, or a port out of range.
        """
        _refuse_dubious(text)
        try:
            parts = urlsplit(text)
            port = parts.port
            hostname = parts.hostname or ""
        except ValueError:
            raise BadUrl("the host or port of the URL cannot be read") from None
        scheme = parts.scheme
        if scheme != "http" and scheme != "https":
            raise BadUrl("the URL must begin with http:// or https://")
        if "@" in parts.netloc:
            raise BadUrl("the URL must not hold a user name or password; use a header")
        if port == 0 or parts.netloc.endswith(":"):
            raise BadUrl("the port of the URL must be between 1 and 65535")
        host = _host(hostname, bracketed=parts.netloc.startswith("["))
        port = port or _PORTS[scheme]
        target = parts.path or "/"
        if parts.query:
            target += "?" + parts.query
        return cls(
            scheme=scheme,
            host=host,
            port=port,
            target=quote(target, safe=_TARGET_SAFE).encode("ascii"),
            host_header=_host_header(host, port, scheme),
            origin=(scheme, host, port),
        )

    @property
    def shown(self) -> str:
        """Scheme, host and port, for messages: the path and query may hold secrets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __repr__(self) -> str:
        return f"Url({self.shown})"


def parse_url(text: str) -> Url:
    """As `Url.parse`; a ws or wss URL becomes the http or https one it is opened at."""
    scheme, separator, rest = text.partition("://")
    plain = {"ws": "http", "wss": "https"}.get(scheme.lower())
    return Url.parse(text if plain is None else plain + separator + rest)


def _refuse_dubious(text: str) -> None:
    if len(text) > _LONGEST_URL:
        raise BadUrl(f"the URL is longer than {_LONGEST_URL} characters")
    # urlsplit drops tabs and newlines without a word, and browsers read a backslash as a slash.
    if any(character <= " " or "\x7f" <= character <= "\xa0" for character in text):
        raise BadUrl("the URL holds a space or a control character")
    if "\\" in text:
        raise BadUrl("the URL holds a backslash")


def _host_header(host: str, port: int, scheme: str) -> bytes:
    written = f"[{host}]" if ":" in host else host
    if port != _PORTS[scheme]:
        written += f":{port}"
    return written.encode("ascii")


def _host(host: str, *, bracketed: bool) -> str:
    if not host:
        raise BadUrl("the URL names no host")
    if bracketed:
        return _ipv6(host)
    if not host.isascii():
        host = _idna(host)
    host = host.lower()
    if _ends_in_number(host):
        return _ipv4(host)
    return _name(host)


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except AddressValueError:
        raise BadUrl("the IPv6 address in the URL is not valid") from None
    if address.scope_id is not None:
        raise BadUrl("the IPv6 address in the URL must not name a zone")
    return address.compressed


def _ipv4(host: str) -> str:
    """`127.1`, `0177.0.0.1` and `2130706433` mean 127.0.0.1 to some resolvers; none passes."""
    try:
        return IPv4Address(host).compressed
    except AddressValueError:
        raise BadUrl("the IPv4 address in the URL must be four plain decimal numbers") from None


def _ends_in_number(host: str) -> bool:
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or last.startswith("0x")


def _name(host: str) -> str:
    if len(host.rstrip(".")) > _LONGEST_HOST:
        raise BadUrl("the host name in the URL is too long")
    if not _HOST_CHARACTERS.issuperset(host):
        raise BadUrl("the host name in the URL holds a character that host names cannot have")
    for label in host.removesuffix(".").split("."):
        if not 0 < len(label) <= _LONGEST_LABEL or label[0] == "-" or label[-1] == "-":
            raise BadUrl("the host name in the URL has an empty, overlong or malformed label")
        if label.startswith("xn--"):
            _check_ace(label)
    return host


def _check_ace(label: str) -> None:
    try:
        shown = label.encode("ascii").decode("idna")
    except UnicodeError:
        shown = ""
    if not shown or shown.isascii():
        raise BadUrl("the host name in the URL has an xn-- label that stands for nothing")


def _idna(host: str) -> str:
    """ASCII form of an internationalised name, if no step of the conversion changed its letters.

    The older and newer IDNA rules disagree about what some letters map to; a name with such a
    letter could lead to two places, so it has to be written in its xn-- form.
    """
    try:
        written = host.encode("idna").decode("ascii")
        same = written.encode("ascii").decode("idna") == host.lower()
    except UnicodeError:
        same, written = False, ""
    if not same:
        raise BadUrl("the host name in the URL is ambiguous; write it in its xn-- form")
    return written
