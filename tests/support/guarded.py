"""A server that lets nobody in without a token, and the authorization server it trusts, in one.

Its authorization server asks nobody: whoever comes gets in as the account of `account`. What the
MCP endpoint saw is kept: the credentials of every request, and which came in which session.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

MODERN = "2026-07-28"


class Guarded(ThreadingHTTPServer):
    """One server on a loopback port; `era` is the only one it speaks."""

    daemon_threads = True

    def __init__(self, era: str = "modern") -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.era = era
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.url = f"{self.base}/mcp"
        self.account = "ann-there"
        self.codes: dict[str, tuple[str, dict[str, str]]] = {}
        self.tokens: dict[str, str] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.sessions: defaultdict[str, list[str]] = defaultdict(list)
        self.lock = threading.Lock()

    def mint(self, account: str) -> str:
        """A new access token."""
        token = f"token-{len(self.tokens) + 1}-of-{account}"
        self.tokens[token] = account
        return token


class Asked(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    @property
    def home(self) -> Guarded:
        """The server it came to."""
        return cast("Guarded", self.server)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def answer(self, status: int, said: Any = None, **headers: str) -> None:
        """Send JSON, or nothing."""
        body = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        if said is not None:
            self.send_header("content-type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Metadata, and the authorization endpoint."""
        base, parts = self.home.base, urlsplit(self.path)
        if parts.path == "/.well-known/oauth-protected-resource/mcp":
            self.answer(200, {"resource": self.home.url, "authorization_servers": [base]})
        elif parts.path == "/.well-known/oauth-authorization-server":
            self.answer(
                200,
                {
                    "issuer": base,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                    "registration_endpoint": f"{base}/register",
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                    "authorization_response_iss_parameter_supported": True,
                },
            )
        elif parts.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = f"code-{len(self.home.codes)}"
            self.home.codes[code] = self.home.account, query
            back = urlencode({"code": code, "state": query["state"], "iss": base})
            self.answer(302, location=f"{query['redirect_uri']}?{back}")
        else:
            self.answer(404 if parts.path != "/mcp" else 405)

    def do_DELETE(self) -> None:
        """The end of a session."""
        self.answer(200)

    def do_POST(self) -> None:
        """Registration, tokens, and the MCP endpoint."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/register":
            self.answer(201, {"client_id": "gateway", **json.loads(body)})
        elif self.path == "/token":
            grant = dict(parse_qsl(body.decode()))
            account, _ = self.home.codes.pop(grant.get("code", ""), ("", {}))
            if account:
                token = self.home.mint(account)
                self.answer(200, {"access_token": token, "token_type": "Bearer"})
            else:
                self.answer(400, {"error": "invalid_grant"})
        else:
            self.mcp(json.loads(body))

    def mcp(self, message: dict[str, Any]) -> None:
        """One message; without a good token, the challenge."""
        method = message["method"]
        shown = {name.lower(): value for name, value in self.headers.items()}
        token = shown.get("authorization", "").removeprefix("Bearer ")
        with self.home.lock:
            self.home.seen.append((method, shown))
        if token not in self.home.tokens:
            where = f"{self.home.base}/.well-known/oauth-protected-resource/mcp"
            self.answer(401, {}, www_authenticate=f'Bearer resource_metadata="{where}"')
            return
        session = shown.get("mcp-session-id")
        if session is not None:
            self.home.sessions[session].append(token)
        if "id" not in message:
            self.answer(202)
            return
        result = self.result(method, self.home.tokens[token], token)
        if result is None:
            error = {"code": -32601, "message": "unknown method"}
            status = 404 if self.home.era == "modern" else 200
            self.answer(status, {"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
        more = {}
        if method == "initialize":
            more = {"mcp_session_id": f"session-{len(self.home.seen)}"}
        self.answer(200, {"jsonrpc": "2.0", "id": message["id"], "result": result}, **more)

    def result(self, method: str, account: str, token: str) -> dict[str, Any] | None:
        """What it answers; the tool is named for the account, and says with which token."""
        capabilities = {"tools": {"listChanged": True}}
        info = {"name": "guarded", "version": "1"}
        modern = self.home.era == "modern"
        dressed = {"resultType": "complete", "ttlMs": 60000, "cacheScope": "private"}
        if method == "initialize" and not modern:
            return {
                "protocolVersion": "2025-11-25",
                "capabilities": capabilities,
                "serverInfo": info,
            }
        if method == "server/discover" and modern:
            meta = {"io.modelcontextprotocol/serverInfo": info}
            return {
                "supportedVersions": [MODERN],
                "capabilities": capabilities,
                "_meta": meta,
                **dressed,
            }
        if method == "tools/list":
            tool = {"name": f"tool-of-{account}", "inputSchema": {"type": "object"}}
            return {"tools": [tool], **(dressed if modern else {})}
        if method == "tools/call":
            content = [{"type": "text", "text": f"{account} {token}"}]
            return {"content": content, **({"resultType": "complete"} if modern else {})}
        return {} if method == "ping" else None


@contextlib.contextmanager
def guarded(era: str = "modern") -> Iterator[Guarded]:
    """A running server."""
    server = Guarded(era)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
