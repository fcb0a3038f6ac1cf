"""TLS toward clients: the certificate the gateway shows, and those that clients show.

Must not know: sockets, tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lockgate.config.limits import Section


class TlsSettings(Section):
    """TLS toward clients; none without a certificate, as where a proxy in front has one."""

    certificate: Path | None = Field(
        default=None,
        strict=False,
        description="The certificate with its chain, in PEM. What the file holds may change.",
    )
    key: Path | None = Field(
        default=None, strict=False, description="Its private key; by default in the same file."
    )
    clients: Literal["off", "allow", "require"] = Field(
        default="off",
        description=(
            "Certificates of clients (mutual TLS): `require` lets in nobody without one, `allow` "
            "asks for one. Tokens bound to a certificate (RFC 8705) need it shown."
        ),
    )
    client_ca: Path | None = Field(
        default=None, strict=False, description="The authorities of clients' certificates, in PEM."
    )

    @property
    def files(self) -> dict[str, Path]:
        """The files that are named, by their keys."""
        named = {"certificate": self.certificate, "key": self.key, "client_ca": self.client_ca}
        return {name: path for name, path in named.items() if path is not None}

    @model_validator(mode="after")
    def _check_whole(self) -> TlsSettings:
        if self.certificate is None and (self.files or self.clients != "off"):
            raise ValueError("`certificate` is missing: without it there is no TLS")
        if (self.clients != "off") != (self.client_ca is not None):
            raise ValueError("`clients` and `client_ca` go together")
        return self
