"""Where a URL leads: what may be reached at all, and what never is meant to be.

Must not know: how names are looked up, or who is to follow the URL.

Two questions are asked in two ways. What may be reached has to have one reading, so everything
dubious is refused (`lockgate.wire.url`). What must never be reached is looked for in every reading
a lenient program may have: control characters dropped, backslashes for slashes, percent-encoding,
compatible letters, numbers in any base, IPv4 inside of IPv6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

import msgspec

from lockgate.wire.addresses import is_public, keeps_credentials
from lockgate.wire.url import BadUrl, Url, parse_url

SCHEMES: Final = ("https", "http")
LONGEST: Final = 64 * 1024
_METADATA_NAMES: Final = (
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
)
_INSIDE_NAMES: Final = ("localhost", "local", "internal", "intranet", "lan", "home", "corp")
"""Last labels of names that mean something inside of a network only (RFC 6761, 6762, 8375)."""
_INSIDE_SUFFIXES: Final = ("home.arpa", "in-addr.arpa", "ip6.arpa")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]{0,20}:", re.IGNORECASE)
_DROPPED: Final = dict.fromkeys(range(33)) | {0x7F: None, 0xAD: None}
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{0,16}|0[oO]?[0-7]{0,24}|[1-9][0-9]{0,20}")


class UrlRule(msgspec.Struct, frozen=True):
    """Where a URL may lead.

    schemes  those it may have.
    public   anywhere on the public internet.
    allow    hosts it may lead to wherever they are: names, `*.` and a name, or addresses, each
             perhaps with a port.
    """

    schemes: tuple[str, ...] = SCHEMES
    public: bool = True
    allow: tuple[str, ...] = ()


class Open(msgspec.Struct, frozen=True):
    """A URL that may be followed if all addresses of its host are public."""

    host: str
    port: int


def judged(text: str, rule: UrlRule) -> Open | str | None:
    """What there is to say against a URL; None: nothing; `Open`: its host has to be looked up."""
    scheme = text.partition(":")[0].lower()
    if scheme not in rule.schemes:
        return f"must be a URL that begins with {' or '.join(f'{one}:' for one in rule.schemes)}"
    try:
        url = parse_url(text)
    except BadUrl as error:
        return f"is no URL to be followed: {error}"
    if _allowed(url, rule.allow):
        return None
    if not rule.public:
        return "must lead to one of the hosts that are allowed"
    if _is_address(url.host):
        return None if is_public(url.host) else NOT_PUBLIC
    return NOT_PUBLIC if inside_name(url.host) else Open(url.host, url.port)


NOT_PUBLIC: Final = "must lead to a host on the public internet"
"""One text, whether a name leads inside or nowhere: it is nobody's means to find out which."""


def all_public(addresses: Iterable[str]) -> bool:
    """Whether there are addresses, and every one is public: any of them may be the one asked."""
    found = list(addresses)
    return bool(found) and all(map(is_public, found))


def inside_name(host: str) -> bool:
    """Whether a name means something only inside of a network."""
    name = host.rstrip(".").lower()
    last = name.rpartition(".")[2]
    return "." not in name or last in _INSIDE_NAMES or name.endswith(_INSIDE_SUFFIXES)


def _allowed(url: Url, allow: Iterable[str]) -> bool:
    host = url.host.rstrip(".")
    for one in allow:
        name, port = _host_and_port(one.lower())
        if port is not None and port != url.port:
            continue
        if host == name or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def _host_and_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:]) if rest[1:].isdecimal() else None
    host, colon, port = text.rpartition(":")
    if colon and ":" not in host and port.isdecimal():
        return host, int(port)
    return text, None


def leads_to_metadata(text: str) -> bool:
    """Whether some program may take the text for a URL at which a cloud hands out credentials."""
    return any(_is_metadata(host) for host in set(_hosts(text[:LONGEST])))


def _hosts(text: str) -> Iterator[str]:
    """What may be taken for its host."""
    for one in {text, unquote(text), unquote(unquote(text))}:
        for whole in {one, normalize("NFKC", one)}:
            plain = whole.translate(_DROPPED)
            for one_way in {plain, plain.replace("\\", "/")}:
                rest = _SCHEME.sub("", one_way, count=1) if _SCHEME.match(one_way) else one_way
                authority = re.split(r"[/?#]", rest.lstrip("/\\"), maxsplit=1)[0]
                first, _, after = authority.partition("@")
                for part in {authority, first, after, authority.rpartition("@")[2]}:
                    yield _without_port(part)


def _without_port(authority: str) -> str:
    if authority.startswith("["):
        return authority[1:].partition("]")[0].partition("%")[0]
    host, _, _ = authority.partition(":")
    return authority if authority.count(":") > 1 else host


def _is_metadata(host: str) -> bool:
    name = host.rstrip(".").lower().replace("\u3002", ".")
    if name in _METADATA_NAMES:
        return True
    address = _lenient_address(name)
    return address is not None and keeps_credentials(str(address))


def _lenient_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address, with numbers as C libraries read them: `127.1`, `0x7f.1`, `2130706433`."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    parts = host.split(".")
    if not 1 <= len(parts) <= 4 or not all(_NUMBER.fullmatch(one) for one in parts):
        return None
    *first, last = (_number(one) for one in parts)
    if any(one > 255 for one in first):
        return None
    # Too large a last number is cut to what there is room for, as some do.
    value = last % (1 << 8 * (4 - len(first)))
    for position, one in enumerate(first):
        value |= one << 8 * (3 - position)
    return IPv4Address(value)


def _number(text: str) -> int:
    low = text.lower()
    if low.startswith("0x"):
        return int(low[2:] or "0", 16)
    if low.startswith("0"):
        return int(low.removeprefix("0").removeprefix("o") or "0", 8)
    return int(low)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
