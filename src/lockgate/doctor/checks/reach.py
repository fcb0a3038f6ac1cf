"""Name, port, TLS: whether the server can be reached at all.

Must not know: HTTP, MCP.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from cryptography import x509

from lockgate.doctor.visit import Visit
from lockgate.upstreams.lookup import addresses
from lockgate.wire.url import Url

SOON: Final = 14
"""Days before its end at which a certificate is worth a word."""
_UNREACHABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
_MANY: Final = 8
_UNTRUSTED: Final = frozenset({18, 19, 20, 21, 2, 27})
"""OpenSSL's reasons (X509_V_ERR_…): self-signed, or nobody known above it."""
_EXPIRED: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})


async def name(visit: Visit, url: Url) -> list[str]:
    """The addresses of the host."""
    if _is_address(url.host):
        visit.saw(f"{url.host} is an address")
        return [url.host]
    try:
        async with asyncio.timeout(min(visit.patience.connect, visit.left)):
            found = await addresses(asyncio.get_running_loop(), url.host, url.port)
    except (OSError, TimeoutError) as error:
        why = "the name server did not answer" if isinstance(error, TimeoutError) else str(error)
        visit.find("name-unknown", f"{url.host}: {why}")
        visit.bar("the host name has no address")
        return []
    visit.saw(f"{url.host} is {', '.join(found[:_MANY])}")
    return found[:_MANY]


async def tcp(visit: Visit, url: Url, found: list[str]) -> None:
    """Every address, one connection each, all at once."""
    told = await asyncio.gather(*(_connect(visit, one, url.port) for one in found))
    open_ones = [one for one, why in zip(found, told, strict=True) if why == ""]
    closed = [f"{one}: {_WORDS[why]}" for one, why in zip(found, told, strict=True) if why]
    if not open_ones:
        worst = next((why for why in ("refused", "silent") if why in told), "unreachable")
        visit.find(f"tcp-{worst}", f"port {url.port} of {'; '.join(closed)}")
        visit.bar("no connection can be made")
        return
    visit.saw(f"port {url.port} takes connections")
    if closed:
        visit.find("tcp-some-addresses", "; ".join(closed))


_WORDS: Final = {"refused": "refused", "silent": "no answer", "unreachable": "no way there"}


async def _connect(visit: Visit, address: str, port: int) -> str:
    """Nothing if it takes the connection, and otherwise why not."""
    try:
        async with asyncio.timeout(min(visit.patience.connect, visit.left)):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return "silent"
    except OSError as error:
        return "unreachable" if error.errno in _UNREACHABLE else "refused"
    writer.close()
    return ""


async def tls(visit: Visit, url: Url) -> None:
    """The handshake as clients make it, and the certificate."""
    if url.scheme != "https":
        visit.saw("the URL says http: no TLS")
        if not is_local(url.host):
            visit.find("tls-absent", url.shown)
        return
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        await _handshake(visit, url, context)
    except ssl.SSLCertVerificationError as error:
        visit.find(_certificate_kind(error), await _described(visit, url, error.verify_message))
        visit.bar("the certificate does not hold")
    except (OSError, TimeoutError) as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else _why(error)
        visit.find("tls-plain" if await _speaks_http(visit, url) else "tls-failed", why)
        visit.bar("TLS fails")


def _why(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


async def _handshake(visit: Visit, url: Url, context: ssl.SSLContext) -> None:
    async with asyncio.timeout(min(visit.patience.connect, visit.left)):
        _, writer = await asyncio.open_connection(
            url.host, url.port, ssl=context, server_hostname=url.host
        )
    secured = writer.get_extra_info("ssl_object")
    certificate = _read(secured.getpeercert(binary_form=True))
    visit.saw(str(secured.version()))
    writer.close()
    if certificate is not None:
        days = (certificate.not_valid_after_utc - datetime.now(UTC)).days
        visit.saw(f"the certificate is good for {days} days")
        if days < SOON:
            visit.find("tls-expires", f"in {days} days")


def _certificate_kind(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _EXPIRED:
        return "tls-expired"
    if error.verify_code in _OTHER_NAME:
        return "tls-name"
    return "tls-untrusted" if error.verify_code in _UNTRUSTED else "tls-failed"


async def _described(visit: Visit, url: Url, why: str) -> str:
    """What the certificate says, which is looked at without being trusted."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(min(visit.patience.connect, visit.left)):
            _, writer = await asyncio.open_connection(
                url.host, url.port, ssl=_trusting(), server_hostname=url.host
            )
        certificate = _read(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.close()
        if certificate is not None:
            ends = certificate.not_valid_after_utc.date()
            names = ", ".join(_names(certificate)) or "no name"
            issuer = certificate.issuer.rfc4514_string()
            return f"{why}; it is for {names}, by {issuer}, until {ends}"
    return why


def _names(certificate: x509.Certificate) -> list[str]:
    with suppress(x509.ExtensionNotFound, ValueError):
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [str(one.value) for one in found][:_MANY]
    return []


def _read(data: bytes | None) -> x509.Certificate | None:
    if not data:
        return None
    with suppress(ValueError):
        return x509.load_der_x509_certificate(data)
    return None


async def _speaks_http(visit: Visit, url: Url) -> bool:
    """Whether a plain request gets a plain answer at a port that should speak TLS."""
    first = await _say(visit, url, b"GET / HTTP/1.1\r\nhost: %b\r\n\r\n" % url.host_header)
    return first.startswith(b"HTTP/")


async def _say(visit: Visit, url: Url, data: bytes) -> bytes:
    """The first bytes that come back for these, over a plain connection; none if nothing comes."""
    try:
        async with asyncio.timeout(min(visit.patience.stream, visit.left)):
            reader, writer = await asyncio.open_connection(url.host, url.port)
            try:
                writer.write(data)
                return await reader.read(512)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


async def speaks_tls(visit: Visit, url: Url) -> bool:
    """Whether TLS is spoken at a port, whatever the certificate."""
    try:
        async with asyncio.timeout(min(visit.patience.stream, visit.left)):
            _, writer = await asyncio.open_connection(
                url.host, url.port, ssl=_trusting(), server_hostname=url.host
            )
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _trusting() -> ssl.SSLContext:
    """For looking at a certificate; nothing else is ever read over such a connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_local(host: str) -> bool:
    """Whether it is this very machine."""
    if _is_address(host):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False
