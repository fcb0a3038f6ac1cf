"""No secret is in what is kept of a diagnosis, however it gets there."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockgate.doctor.blacken import LONGEST, SHORTEST, TOO_LARGE, Blackener
from lockgate.doctor.bundle import bundle
from lockgate.doctor.report import Report
from lockgate.doctor.run import examine
from lockgate.doctor.visit import HttpSubject, StdioSubject
from lockgate.upstreams.spec import StdioSpec
from tests.doctor.looking import PATIENT
from tests.doctor.patient import Answer, Asked, Patient, error

# What is drawn for tests: the form of a real one, and none.
FORMED = [
    "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "sk-ant-" + "api03-Zx9Yw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0",
    "xoxb-" + "123456789012-abcdefABCDEF",
    "AKIA" + "Z7Q4XK2MPL9TRW3B",
]
secrets = st.text(
    st.characters(exclude_categories=("Cs", "Cc")), min_size=SHORTEST + 2, max_size=40
).filter(lambda one: one.strip() == one and MASKED not in one)
MASKED = "*"


def carriers(secret: str) -> dict[str, str]:
    """Texts with a secret in them, as it may travel."""
    data = secret.encode()
    return {
        "plain": f"before {secret} after",
        "json": json.dumps({"said": secret}),
        "ascii": json.dumps({"said": f"x {secret}"}, ensure_ascii=True),
        "twice": json.dumps({"said": json.dumps({"inner": secret})}),
        "url": f"https://host/path?x={quote(secret, safe='')}",
        "repr": repr([secret]),
        "long": "x" * (LONGEST - 4) + f" {secret} " + "y" * 50,
        "event": f"data: {secret}\n\n",
        "base64": base64.b64encode(data).decode() if len(data) > 8 else "",
        "basic": base64.b64encode(b"user:" + data).decode() if len(data) > 8 else "",
    }


@settings(max_examples=80)
@given(secrets)
@example("a-token-that-is-good")
@example('with "quotes" and \\ more')
@example("pässwörd-ünïcode")
def test_what_is_known_to_be_secret_is_nowhere(secret: str) -> None:
    black = Blackener([secret], home="/nowhere")
    for way, text in carriers(secret).items():
        kept = black.body(text) + black.text(text) + black.header("x-note", text)
        assert secret not in kept, way
        assert secret not in json.dumps(kept, ensure_ascii=False), way
        if way in ("base64", "basic") and len(secret.encode()) > 11:
            middle = base64.b64encode(b"\0\0\0" + secret.encode()).decode()[4:-4]
            assert middle not in kept, way


@pytest.mark.parametrize("secret", FORMED)
def test_what_has_the_form_of_a_secret_is_nowhere(secret: str) -> None:
    black = Blackener(home="/nowhere")
    for way, text in carriers(secret).items():
        if way != "basic":
            assert secret not in black.body(text) + black.text(text), way


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer x1"),
        ("Cookie", "a=b"),
        ("Set-Cookie", "sid=1; HttpOnly"),
        ("X-Api-Key", "k1"),
        ("X-Acme-Token", "t1"),
        ("Mcp-Session-Id", "s1"),
    ],
)
def test_what_a_header_is_called_is_enough(name: str, value: str) -> None:
    line = Blackener().header(name, value)
    assert line.startswith(f"{name}: ")
    assert value not in line


@pytest.mark.parametrize("name", ["password", "access_token", "client_secret", "apiKey"])
def test_what_a_member_is_called_is_enough(name: str) -> None:
    assert "hunter2" not in Blackener().body(json.dumps({"a": [{name: "hunter2"}]}))


def test_of_what_is_too_large_nothing_is_kept() -> None:
    large = json.dumps({"password": "hunter2", "pad": "x" * TOO_LARGE})
    assert "hunter2" not in Blackener().body(large)
    assert str(len(large)) in Blackener().body(large)


def test_what_is_public_stays() -> None:
    black = Blackener(["something-secret"], home="/home/somebody")
    told = {"token_endpoint": "https://issuer/token", "nextCursor": "abc", "n": 1, "ok": True}
    assert json.loads(black.body(json.dumps(told))) == told
    assert black.header("content-type", "application/json") == "content-type: application/json"
    assert black.text("/home/somebody/server.py") == "~/server.py"
    assert "abc-123" not in black.text("/messages?session_id=abc-123")
    assert "abc-123" not in black.text("/messages?sessionId=abc-123&x=1")


TOKEN = "Zq7-the-callers-own-token-1"
PLANTED = FORMED[0]


def tattling(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    """Repeats what it is given wherever it can: headers, bodies, errors, descriptions."""
    token = asked.headers.get("authorization", "Bearer none").partition(" ")[2]
    more = {"x-echo": token, "x-planted": PLANTED, "set-cookie": f"sid={token}"}
    answer = replace(answer, headers={**answer.headers, **more})
    if asked.method.endswith("no_such_method"):
        return error(400, asked.id, -32600, f"{token} may not do this; {PLANTED}", {"t": token})
    if asked.method == "prompts/list":
        said = json.dumps({"name": "a", "description": f"use {token} or {PLANTED}"})[:-1]
        return replace(answer, body=answer.body.replace(b'{"name": "greet"', said.encode()))
    return answer


def kept(report: Report, subject: Any, black: Blackener) -> str:
    whole = json.dumps(bundle([(subject, report)], black), ensure_ascii=False)
    return whole + json.dumps(report.plain(exchanges=True)) + str(report)


@pytest.mark.parametrize("token", [TOKEN, "sécret-ñ-" + "9" * 20, 'quo"ted\\token-77'])
def test_a_server_that_repeats_the_token_puts_it_nowhere(token: str) -> None:
    black = Blackener()
    sent = token.encode("utf-8").decode("latin-1")
    headers = (("authorization", f"Bearer {sent}"), ("x-tenant", "tenant-4711-secret"))

    async def run() -> tuple[Report, HttpSubject]:
        async with Patient(tattling).serve() as url:
            subject = HttpSubject(name=url, url=f"{url}?api_key={PLANTED}", headers=headers)
            report = await examine(replace(subject, url=url), patience=PATIENT, black=black)
            return report, subject

    report, subject = asyncio.run(run())
    text = kept(report, subject, black)
    assert report.found
    assert any(step.exchanges for step in report.steps)
    for secret in (token, sent, PLANTED, "tenant-4711-secret"):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text


def test_a_process_puts_its_environment_nowhere() -> None:
    import sys

    black = Blackener()
    says = "import os, sys; sys.stderr.write(os.environ['ACME_KEY'] + ' is wrong'); sys.exit(1)"
    spec = StdioSpec(
        command=sys.executable,
        args=("-I", "-S", "-c", says, "--token", PLANTED, "--api-key=abcd1234efgh"),
        env={"ACME_KEY": "my-acme-key-0815", "DEBUG": "true"},
    )
    subject = StdioSubject(name="acme", spec=spec)
    report = asyncio.run(examine(subject, patience=PATIENT, black=black))
    text = kept(report, subject, black)
    assert "is wrong" in text
    for secret in ("my-acme-key-0815", PLANTED, "abcd1234efgh"):
        assert secret not in text
    assert "ACME_KEY" in text
    assert '"env": ["ACME_KEY", "DEBUG"]' in text
