"""Who the gateway is to an authorization server, and how it proves that.

Must not know: where a client comes from, what is asked for. Sources: RFC 6749 section 2.3.1 (basic
and post), RFC 7523 section 2.2 with draft-ietf-oauth-rfc7523bis (private_key_jwt; the audience is
the issuer).
"""

from __future__ import annotations

from base64 import b64encode
from secrets import token_urlsafe
from typing import Any, Final, Literal
from urllib.parse import quote_plus

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from lockgate.core.secret import Secret
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.trouble import Trouble

Method = Literal["auto", "none", "client_secret_basic", "client_secret_post", "private_key_jwt"]
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS: Final = 60
_DEFAULT: Final = ("client_secret_basic",)
"""What an authorization server takes that does not say (RFC 8414 section 2)."""

SigningKey = ECKey | OKPKey | RSAKey


class Signer(msgspec.Struct, frozen=True):
    """A private key, and how to sign with it."""

    key: SigningKey
    algorithm: str
    key_id: str | None = None

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """A JWT of these claims."""
        if self.key_id is not None:
            header["kid"] = self.key_id
        head = {"alg": self.algorithm, **header}
        return jwt.encode(head, claims, self.key, algorithms=[self.algorithm])


def read_key(text: str, algorithm: str | None = None, key_id: str | None = None) -> Signer:
    """A private key in PEM or JWK form.

    Raises:
        ValueError: it is none, or does not go with the algorithm.
    """
    key = _import(text)
    if key is None or not key.is_private:
        raise ValueError("it holds no private key in PEM or JWK form, of kind EC, OKP or RSA")
    signer = Signer(key, algorithm or _algorithm(key), key_id or key.kid)
    try:
        signer.sign({})
    except (JoseError, ValueError) as error:
        raise ValueError(f"the key cannot sign with {signer.algorithm}") from error
    return signer


def _import(text: str) -> SigningKey | None:
    kinds: tuple[type[SigningKey], ...] = (ECKey, RSAKey, OKPKey)
    for kind in kinds:
        try:
            data: Any = msgspec.json.decode(text) if text.lstrip().startswith("{") else text
            return kind.import_key(data)
        except (JoseError, ValueError, TypeError, KeyError, msgspec.MsgspecError):
            continue
    return None


_BY_CURVE: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


def _algorithm(key: SigningKey) -> str:
    if isinstance(key, RSAKey):
        return "RS256"
    return _BY_CURVE.get(key.curve_name, "ES256") if isinstance(key, ECKey) else "EdDSA"


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client registered, or known by its document, at one authorization server.

    issuer   the authorization server it is registered at; None: it is the same everywhere.
    expires  when its secret ends, on the wall clock; None: never.
    """

    id: str
    secret: Secret | None = None
    method: Method = "auto"
    signer: Signer | None = None
    issuer: str | None = None
    expires: float | None = None

    def authenticate(
        self, server: AuthorizationServer, form: dict[str, str], now: float
    ) -> list[tuple[str, str]]:
        """Headers that prove who asks; what belongs into the body is added to `form`.

        Raises:
            Trouble: the authorization server takes nothing that this client has.
        """
        method = self._method(server)
        if method == "client_secret_basic" and self.secret is not None:
            pair = f"{quote_plus(self.id)}:{quote_plus(self.secret.reveal())}"
            return [("authorization", f"Basic {b64encode(pair.encode()).decode()}")]
        if self.id:
            form["client_id"] = self.id
        if method == "client_secret_post" and self.secret is not None:
            form["client_secret"] = self.secret.reveal()
        elif method == "private_key_jwt" and self.signer is not None:
            form["client_assertion_type"] = ASSERTION
            form["client_assertion"] = self.signer.sign(
                {
                    "iss": self.id,
                    "sub": self.id,
                    "aud": server.issuer,
                    "iat": int(now),
                    "exp": int(now) + ASSERTION_SECONDS,
                    "jti": token_urlsafe(16),
                }
            )
        return []

    def _method(self, server: AuthorizationServer) -> Method:
        if self.method != "auto":
            return self.method
        if self.signer is not None:
            return "private_key_jwt"
        if self.secret is None:
            return "none"
        taken = server.methods or _DEFAULT
        for method in ("client_secret_basic", "client_secret_post"):
            if method in taken:
                return method
        if "none" in taken:
            return "none"
        raise Trouble(
            "oauth-registration",
            "its authorization server takes no client secret.",
            "Configure `auth.private_key_file`, or what else it takes.",
            origin="gateway",
        )
