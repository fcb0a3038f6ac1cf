"""Which IP addresses are the public internet, and which lead inside somebody's own network.

Must not know: names, lookups, connections. The judge is for addresses that are about to be
connected to, because a name may change what it stands for between a check and its use.
Sources: IANA special-purpose address registries (RFC 6890), RFC 6052, RFC 3056, RFC 4380,
RFC 5214.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_INSIDE: Final = (
    # Public by the registries, and yet the inside of a cloud: the virtual host of Azure.
    IPv4Network("168.63.129.16/32"),
    # Protocol assignments: older Pythons call them global, and clouds keep metadata there.
    IPv4Network("192.0.0.0/24"),
)
_METADATA: Final = (
    IPv4Network("169.254.0.0/16"),
    IPv4Network("168.63.129.16/32"),
    IPv4Network("100.100.100.200/32"),
    IPv4Network("192.0.0.192/32"),
)
_METADATA_V6: Final = (
    IPv6Network("fe80::/10"),
    IPv6Network("fd00:ec2::/32"),
    IPv6Network("fd20:ce::/32"),
)
"""All that is link-local, and what single clouds have beside it."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_ISATAP: Final = 0x5EFE
_ISATAP_MASK: Final = 0xFCFFFFFF
"""The interface identifier of RFC 5214, but for the two bits that say how unique it is."""
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Whether `address` is one that strangers may send us to.

    Loopback, private, shared, link-local (where clouds keep their metadata), multicast, reserved
    and documentation addresses are not, nor is an IPv6 address that stands for an IPv4 address
    which is not (mapped, NAT64, 6to4, Teredo, ISATAP). What cannot be read is not either.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public_v4(found)
    if found.scope_id is not None or found in _NAT64_LOCAL:
        return False
    inner = embedded(found)
    if not all(_is_public_v4(one) for one in inner):
        return False
    if _stands_for(found):
        # The ranges by which others are reached are public as far as those are.
        return True
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_site_local)


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and not any(address in network for network in _INSIDE)
    )


def keeps_credentials(address: str) -> bool:
    """Whether a cloud hands out credentials at `address` to whoever asks from inside of it.

    In whatever way the address is written into another one; what cannot be read does not.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and any(found in one for one in _METADATA_V6):
        return True
    every = (found,) if isinstance(found, IPv4Address) else embedded(found)
    return any(one in network for one in every for network in _METADATA)


def embedded(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses an IPv6 address may lead to."""
    if isinstance(address, IPv4Address):
        return ()
    low = int(address) & 0xFFFFFFFF
    if address.teredo is not None:
        return address.teredo
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address in _NAT64 or address in _NAT64_LOCAL or address in _COMPATIBLE:
        return (IPv4Address(low),)
    if int(address) >> 32 & _ISATAP_MASK == _ISATAP:
        return (IPv4Address(low),)
    return ()


def _stands_for(address: IPv6Address) -> bool:
    return (
        address.ipv4_mapped is not None
        or address.sixtofour is not None
        or address.teredo is not None
        or address in _NAT64
    )
