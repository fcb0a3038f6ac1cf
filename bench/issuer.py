"""An issuer of tokens for measurements: one key, one token, and the key served on loopback.

Must not know: what is measured with it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from joserfc import jws
from joserfc.jwk import RSAKey

ISSUER: Final = "https://idp.example.com"
AUDIENCE: Final = "https://mcp.example.com/mcp"
_KID: Final = "bench"


class Issuer:
    """Signs with RS256, as most do, and says what most say."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, parameters={"kid": _KID})

    @property
    def jwks(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [self._key.as_dict(private=False)]}

    def token(self) -> str:
        """A token as long as usual, valid for a day."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "00u1f2x3y4z5a6b7c8d9",
            "aud": AUDIENCE,
            "client_id": "3f9c2a51-7c44-4d8e-9a0b-0c5d1e2f3a4b",
            "scope": "openid profile mcp",
            "groups": ["engineering", "platform", "on-call"],
            "jti": "8e1b7c0a-52d4-4f3b-a6c9-1d2e3f4a5b6c",
            "iat": now,
            "exp": now + 86400,
        }
        header = {"alg": "RS256", "typ": "at+jwt", "kid": _KID}
        return jws.serialize_compact(header, json.dumps(claims), self._key)


@contextmanager
def serving(issuer: Issuer) -> Iterator[str]:
    """The address of its keys."""
    body = json.dumps(issuer.jwks).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with the keys, whatever the path."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # silent, whatever is said
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys"
    finally:
        server.shutdown()
        server.server_close()


def settings(keys: str) -> dict[str, Any]:
    """The key `lockgate` of a gateway that accepts its tokens."""
    return {
        "public_url": AUDIENCE.removesuffix("/mcp"),
        "auth": {"issuers": [{"issuer": ISSUER, "jwks_uri": keys}], "scopes": ["mcp"]},
    }
