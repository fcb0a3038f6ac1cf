"""Who the gateway is to an authorization server of somebody else.

Must not know: which authorization server, what for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from lockgate.config.limits import Section

ClientAuth = Literal["auto", "none", "client_secret_basic", "client_secret_post", "private_key_jwt"]


class ClientSettings(Section):
    """Who the gateway is to an authorization server, where it was registered by hand."""

    client_id: str | None = Field(
        default=None, min_length=1, description="Its id there. None: it registers by itself."
    )
    client_secret: SecretStr | None = Field(
        default=None, description="Its secret there; best a `${VARIABLE}`."
    )
    client_auth: ClientAuth = Field(
        default="auto",
        description="How it proves who it is; `auto`: by what it has and the other side takes.",
    )
    private_key: SecretStr | None = Field(
        default=None, description="A private key, PEM or JWK, for `private_key_jwt`."
    )
    private_key_file: Path | None = Field(
        default=None, strict=False, description="The file that holds such a key."
    )
    key_algorithm: str | None = Field(
        default=None,
        pattern=r"^(ES|RS|PS)(256|384|512)$|^EdDSA$",
        description="How the key signs; by default what goes with its kind.",
    )
    key_id: str | None = Field(
        default=None, description="The key's id, if several are known there."
    )

    @model_validator(mode="after")
    def _check_client(self) -> ClientSettings:
        proofs = [self.client_secret, self.private_key, self.private_key_file]
        if any(one is not None for one in proofs) and self.client_id is None:
            raise ValueError("a secret or key needs the `client_id` that it belongs to")
        if self.private_key is not None and self.private_key_file is not None:
            raise ValueError("give `private_key` or `private_key_file`, not both")
        return self


class SignInSettings(ClientSettings):
    """How people show who they are to the gateway's own pages, at an issuer of their tokens."""

    scopes: list[str] = Field(
        default=[],
        max_length=100,
        description="What to ask for; by default the `scopes` every caller must have.",
    )
