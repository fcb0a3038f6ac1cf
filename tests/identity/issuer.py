"""An issuer of tokens on loopback: keys made on the spot, answers as a test tells it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from lockgate.fronts.http import HttpRequest, Responder
from tests.bridge.scripted_http import JSON, OverHttp

Json = dict[str, Any]
Key = RSAKey | ECKey | OKPKey
OAUTH = "/.well-known/oauth-authorization-server"
_RSA = RSAKey.generate_key(2048)


def rsa(kid: str) -> RSAKey:
    """The same key each time, because making one takes long; `fresh_rsa` makes another."""
    return RSAKey.import_key({**_RSA.as_dict(private=True), "kid": kid})


def fresh_rsa(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, parameters={"kid": kid})


def ec(kid: str, curve: str = "P-256") -> ECKey:
    return ECKey.generate_key(curve, parameters={"kid": kid})


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header: Json, claims: Json | bytes, key: Any) -> str:
    """A signed token of exactly this header and these claims."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    start = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    if header["alg"] == "HS256":
        signature = hmac.digest(key, start.encode(), "sha256")
    else:
        signature = jws.JWSRegistry.algorithms[header["alg"]].sign(start.encode(), key)
    return f"{start}.{b64(signature)}"


class Issuer(OverHttp):
    """Publishes its metadata and keys, answers introspection, and counts who asks for what."""

    def __init__(self, path: str = "") -> None:
        super().__init__()
        self.path = path
        self.keys: list[Key] = [rsa("one"), ec("two")]
        self.asked: list[str] = []
        self.forms: list[Json] = []
        self.headers: list[dict[bytes, bytes]] = []
        self.tokens: dict[str, Json] = {}
        self.status: dict[str, int] = {}
        self.metadata: Json = {}
        self.places = (OAUTH + path,)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin + self.path

    async def start(self) -> None:
        [(_, self.port)] = await self.http.start("127.0.0.1", 0)

    async def respond(self, request: HttpRequest, responder: Responder) -> None:
        self.asked.append(request.path)
        status = self.status.get(request.path, 200)
        if request.path in self.places:
            said: Json = {
                "issuer": self.url,
                "jwks_uri": f"{self.origin}/keys",
                "introspection_endpoint": f"{self.origin}/introspect",
                **self.metadata,
            }
        elif request.path == "/keys":
            said = {"keys": [one.as_dict(private=False) for one in self.keys]}
        elif request.path == "/introspect":
            self.headers.append(request.headers)
            form = dict(urllib.parse.parse_qsl(request.body.decode()))
            self.forms.append(form)
            said = self.tokens.get(form["token"], {"active": False})
        else:
            status, said = 404, {}
        responder.send(status, (JSON,), json.dumps(said).encode())

    def claims(self, audience: str, **more: Any) -> Json:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": "ann",
            "aud": audience,
            "client_id": "app",
            "scope": "mcp",
            "iat": now,
            "exp": now + 600,
            **more,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, audience: str, *, key: int = 0, header: Json | None = None, **more: Any) -> str:
        """A good token but for what `more` changes; None leaves a claim out."""
        signer = self.keys[key]
        head = {
            "alg": "RS256" if isinstance(signer, RSAKey) else "ES256",
            "typ": "at+jwt",
            "kid": signer.kid,
            **(header or {}),
        }
        head = {name: value for name, value in head.items() if value is not None}
        return sign(head, self.claims(audience, **more), signer)


class Holder:
    """A client with a key its tokens are bound to."""

    def __init__(self) -> None:
        self.key = ec("proof")

    @property
    def bound(self) -> Json:
        return {"jkt": self.key.thumbprint()}

    @property
    def public(self) -> Json:
        return {k: v for k, v in self.key.as_dict(private=False).items() if k != "kid"}

    def proof(
        self, method: str, url: str, token: str, *, header: Json | None = None, **more: Any
    ) -> str:
        digest = hashlib.sha256(token.encode()).digest()
        claims = {
            "jti": b64(hashlib.sha256(str(time.monotonic_ns()).encode()).digest()),
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
            "ath": b64(digest),
            **more,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        head = {"alg": "ES256", "typ": "dpop+jwt", "jwk": self.public, **(header or {})}
        return sign(head, claims, self.key)
