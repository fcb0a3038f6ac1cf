"""Names, ports and certificates."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lockgate.doctor.checks import reach
from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import HttpSubject
from tests.doctor.looking import PATIENT, found_in
from tests.doctor.patient import Patient
from tests.support.running import deaf_port

NOW = datetime.now(UTC)


def looked_at(url: str) -> Report:
    return asyncio.run(examine(HttpSubject(name="far", url=url), patience=PATIENT))


def only(report: Report) -> tuple[str, str]:
    (found,) = report.found
    return found.id, report.outcome


@pytest.mark.parametrize("url", ["http://", "http://me:secret@host/", "ftp://host/", "http://a b/"])
def test_a_url_that_is_none(url: str) -> None:
    report = looked_at(url)
    assert only(report) == ("url-invalid", "unreachable")
    assert "secret" not in str(report.plain())


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "Name or service not known"), TimeoutError()]
)
def test_a_name_nobody_knows(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: Any) -> list[str]:
        raise error

    monkeypatch.setattr(reach, "addresses", unknown)
    assert only(looked_at("http://no.such.name/mcp")) == ("name-unknown", "unreachable")


def test_a_port_nobody_listens_at() -> None:
    with deaf_port() as port:
        report = looked_at(f"http://127.0.0.1:{port}/mcp")
    assert only(report) == ("tcp-refused", "unreachable")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "tcp-silent"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "tcp-unreachable"),
    ],
)
def test_an_address_that_leads_nowhere(
    error: OSError, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(asyncio, "open_connection", nowhere)
    assert only(looked_at("http://127.0.0.1:9/mcp")) == (kind, "unreachable")


def test_a_name_with_an_address_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(*_: Any) -> list[str]:
        return ["127.0.0.1", "127.0.0.9"]

    monkeypatch.setattr(reach, "addresses", two)

    async def run() -> Report:
        async with Patient().serve() as url:
            named = url.replace("127.0.0.1", "localhost")
            return await examine(HttpSubject(name="far", url=named), patience=PATIENT)

    found = asyncio.run(run()).found
    assert "tcp-some-addresses" in {one.id for one in found}


def certificate(
    folder: Path, *, days: int = 90, host: str = "127.0.0.1", trusted: bool = True
) -> tuple[ssl.SSLContext, Path]:
    """A server's context, and the file with the authority that made its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doctor")])
    alternative: x509.GeneralName = (
        x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "cert.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("", {}),
        ("tls-untrusted", {"trusted": False}),
        ("tls-name", {"host": "other.example"}),
        ("tls-expired", {"days": -1}),
        ("tls-expires", {"days": 5}),
    ],
)
def test_certificates(
    kind: str, made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate(tmp_path, **made)
    if made.get("trusted", True):
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

    async def run() -> Report:
        async with Patient().serve(context) as url:
            return await examine(HttpSubject(name="far", url=url), patience=PATIENT)

    report = asyncio.run(run())
    assert [one.id for one in found_in(report)] == ([kind] if kind else [])
    tls = next(one for one in report.steps if one.id == "tls")
    if kind in ("", "tls-expires"):
        assert report.outcome == "healthy"
        assert f"good for {made.get('days', 90) - 1} days" in tls.saw
    else:
        assert report.outcome == "unreachable"
        assert "until" in tls.found[0].saw


def test_https_where_http_is_spoken() -> None:
    async def run() -> Report:
        async with Patient().serve() as url:
            secure = url.replace("http:", "https:")
            return await examine(HttpSubject(name="far", url=secure), patience=PATIENT)

    assert only(asyncio.run(run())) == ("tls-plain", "unreachable")


def test_http_where_tls_is_spoken(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)

    async def run() -> Report:
        async with Patient().serve(context) as url:
            plain = url.replace("https:", "http:")
            return await examine(HttpSubject(name="far", url=plain), patience=PATIENT)

    assert only(asyncio.run(run())) == ("http-wants-tls", "unreachable")


def test_tls_that_fails_for_another_reason() -> None:
    async def run() -> Report:
        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(close, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            url = f"https://127.0.0.1:{port}/mcp"
            return await examine(HttpSubject(name="far", url=url), patience=PATIENT)

    assert only(asyncio.run(run())) == ("tls-failed", "unreachable")


def test_clear_text_and_open_doors_are_told_where_others_may_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def here(*_: Any) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(reach, "addresses", here)
    monkeypatch.setattr("lockgate.upstreams.lookup.addresses", here)

    async def run() -> Report:
        patient = Patient()
        async with patient.serve() as url:
            patient.origin = url.removesuffix("/mcp").replace("127.0.0.1", "mcp.example")
            subject = HttpSubject(name="far", url=f"{patient.origin}/mcp")
            return await examine(subject, patience=PATIENT)

    assert {one.id for one in found_in(asyncio.run(run()))} == {"tls-absent", "auth-none"}
