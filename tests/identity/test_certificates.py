"""TLS toward clients, their certificates, and tokens bound to those (RFC 8705)."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lockgate.config.load import examine
from lockgate.config.model import Config
from lockgate.errors import LockgateError
from lockgate.gateway.app import Gateway
from tests.identity.issuer import Holder, b64
from tests.identity.world import Guarded, guarded, run
from tests.security.musts import must
from tests.security.world import Answer, modern, parse


@dataclass
class Party:
    """A certificate with its key, in one file."""

    file: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def thumbprint(self) -> str:
        return b64(hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).digest())


def party(folder: Path, name: str, signer: Party | None = None) -> Party:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .sign(signer.key if signer else key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return Party(file, key, made)


@dataclass
class Parties:
    server: Party
    authority: Party
    ann: Party
    bob: Party
    stranger: Party

    def tls(self, clients: str) -> dict[str, str]:
        return {
            "certificate": str(self.server.file),
            "clients": clients,
            "client_ca": str(self.authority.file),
        }


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    folder = tmp_path_factory.mktemp("parties")
    authority = party(folder, "authority")
    ann, bob = (party(folder, name, authority) for name in ("ann", "bob"))
    return Parties(party(folder, "server"), authority, ann, bob, party(folder, "stranger"))


async def call(it: Guarded, trust: Path, token: str, who: Party | None, **more: str) -> Answer:
    """A call over TLS, with the certificate of `who`; status 0 when the connection is refused."""
    context = ssl.create_default_context(cafile=str(trust))
    if who is not None:
        context.load_cert_chain(who.file)
    body, fields = modern("tools/call", {"name": "echo", "arguments": {}})
    said = {"Host": "localhost", "Connection": "close", "Content-Length": len(body), **fields}
    said |= {"Authorization": f"Bearer {token}", **more}
    head = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", it.world.port, ssl=context, server_hostname="localhost"
        )
        writer.write(f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body)
        data = await reader.read()
        writer.close()
    except OSError:
        return Answer(0, {}, b"")
    return parse(data)


def resource(it: Guarded) -> str:
    return f"https://127.0.0.1:{it.world.port}/mcp"


@must("clear-text")
def test_the_gateway_speaks_tls_by_itself(parties: Parties) -> None:
    async def test() -> None:
        tls = {"certificate": str(parties.server.file)}
        async with guarded(tls=tls) as it:
            assert it.world.gateway.url == resource(it)
            token = it.token(audience=resource(it))
            assert (await call(it, parties.server.file, token, None)).status == 200
            assert await it.world.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""

    run(test())


@must("certificate-bound")
def test_a_token_bound_to_a_certificate_needs_it_shown(parties: Parties) -> None:
    async def test() -> None:
        async with guarded(tls=parties.tls("allow")) as it:
            trust, ann = parties.server.file, parties.ann
            bound = it.token(audience=resource(it), cnf={"x5t#S256": ann.thumbprint})
            for _ in range(2):
                assert (await call(it, trust, bound, ann)).status == 200
                seen = len(it.peer.requests)
                for thief in (parties.bob, None):
                    answer = await call(it, trust, bound, thief)
                    assert answer.status == 401
                    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
                assert len(it.peer.requests) == seen
            free = it.token(audience=resource(it))
            assert (await call(it, trust, free, None)).status == 200
            # Who shows a certificate of no authority we know is not connected to.
            assert (await call(it, trust, free, parties.stranger)).status == 0
            place = await call(it, trust, "none", None)
            assert place.status == 401

    run(test())


@must("certificate-bound", "dpop")
def test_what_is_bound_twice_needs_both(parties: Parties) -> None:
    async def test() -> None:
        async with guarded(tls=parties.tls("allow")) as it:
            trust, ann, holder = parties.server.file, parties.ann, Holder()
            both = {"x5t#S256": ann.thumbprint, **holder.bound}
            token = it.token(audience=resource(it), cnf=both)

            async def ask(who: Party | None) -> int:
                proof = holder.proof("POST", resource(it), token)
                fields = {"Authorization": f"DPoP {token}", "DPoP": proof}
                return (await call(it, trust, token, who, **fields)).status

            assert await ask(ann) == 200
            assert await ask(parties.bob) == 401
            assert (await call(it, trust, token, ann)).status == 401

    run(test())


def test_certificates_can_be_required(parties: Parties) -> None:
    async def test() -> None:
        async with guarded(tls=parties.tls("require")) as it:
            token = it.token(audience=resource(it))
            assert (await call(it, parties.server.file, token, parties.ann)).status == 200
            for who in (None, parties.stranger):
                assert (await call(it, parties.server.file, token, who)).status == 0

    run(test())


def test_a_renewed_certificate_is_taken_over(tmp_path: Path) -> None:
    first = party(tmp_path, "first")
    file = tmp_path / "shown.pem"
    file.write_bytes(first.file.read_bytes())

    async def test() -> None:
        async with guarded(tls={"certificate": str(file)}) as it:
            token = it.token(audience=resource(it))
            assert (await call(it, first.file, token, None)).status == 200
            second = party(tmp_path, "second")
            file.write_bytes(second.file.read_bytes())
            await it.world.gateway.reload(it.world.gateway._config)
            assert (await call(it, first.file, token, None)).status == 0
            assert (await call(it, second.file, token, None)).status == 200
            file.write_text("nothing")
            with pytest.raises(LockgateError) as caught:
                await it.world.gateway.reload(it.world.gateway._config)
            assert caught.value.code == "LG-941"
            assert (await call(it, second.file, token, None)).status == 200

    run(test())


@pytest.mark.parametrize(
    "tls",
    [
        {"key": "a.pem"},
        {"clients": "require"},
        {"certificate": "a.pem", "clients": "allow"},
        {"certificate": "a.pem", "client_ca": "a.pem"},
        {"certificate": "none.pem"},
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, tls: dict[str, Any]) -> None:
    (tmp_path / "a.pem").write_text("")
    file = tmp_path / "mcp.yaml"
    lines = "".join(f"    {name}: {value}\n" for name, value in tls.items())
    file.write_text(f"mcpServers: {{a: {{command: 'true'}}}}\nlockgate:\n  tls:\n{lines}")
    assert examine(file, {}).config is None


def test_a_file_that_is_no_certificate_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.pem"
    file.write_text("nothing")
    with pytest.raises(LockgateError) as caught:
        Gateway(Config.model_validate({"lockgate": {"tls": {"certificate": str(file)}}}))
    assert caught.value.code == "LG-941"
