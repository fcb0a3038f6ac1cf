"""TLS toward clients, from files that may change while the gateway runs.

Must not know: what goes through the connections.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from lockgate.config.tls import TlsSettings
from lockgate.errors import LockgateError


def serving_context(settings: TlsSettings) -> ssl.SSLContext | None:
    """What connections are accepted with; None: in clear text.

    Raises:
        LockgateError: a file cannot be used.
    """
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load(context, settings)
    if settings.clients != "off":
        required = settings.clients == "require"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def load(context: ssl.SSLContext, settings: TlsSettings) -> None:
    """Read the files, for connections from now on.

    Raises:
        LockgateError: one cannot be used.
    """
    assert settings.certificate is not None  # noqa: S101 - there is a context only with one
    place: Path | None = settings.certificate
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        place = settings.client_ca
        if place is not None:
            context.load_verify_locations(place)
    except (OSError, ValueError) as error:
        said = (
            error.strerror or "it is no PEM file of that kind" if isinstance(error, OSError) else ""
        )
        raise LockgateError(
            f"TLS cannot be set up: {place}: {said or 'it cannot be read'}.",
            "Give a certificate and its private key in PEM, and see who may read the files.",
            reason="tls-files",
        ) from error
