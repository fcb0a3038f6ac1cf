"""Secrets in texts: what is found, what passes, and that time is linear."""

from __future__ import annotations

import base64
import json
import random
import string
from functools import partial
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.guard import secret_names
from lockgate.guard.content import Inspector
from lockgate.guard.filters import Secrets
from lockgate.guard.secret_forms import ISSUED, SHAPED
from lockgate.guard.secrets import find, redacted
from lockgate.guard.sieve import LARGE
from tests.security.controls import holds
from tests.support import effort

DRAWN = random.Random(7)  # noqa: S311 - made up, so that nothing here is anybody's


def drawn(size: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(DRAWN.choice(alphabet) for _ in range(size))


HEX = "0123456789abcdef"
GITHUB = "ghp_" + drawn(36)
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(drawn(64) for _ in range(4))
    + "\n-----END RSA PRIVATE KEY-----"
)
ISSUED_ONES = {
    "aws-access-key": "AKIA" + drawn(16, string.ascii_uppercase + "234567"),
    "github-token": GITHUB,
    "gitlab-token": "glpat-" + drawn(20),
    "slack-token": f"xoxb-{drawn(12, string.digits)}-{drawn(12, string.digits)}-{drawn(24)}",
    "slack-webhook": f"https://hooks.slack.com/services/T{drawn(8)}/B{drawn(8)}/{drawn(24)}",
    "stripe-key": "sk_live_" + drawn(24),
    "openai-key": f"sk-proj-{drawn(40)}T3BlbkFJ{drawn(40)}",
    "anthropic-key": f"sk-ant-api03-{drawn(80)}-{drawn(8)}AA",
    "google-key": "AIza" + drawn(35),
    "npm-token": "npm_" + drawn(36),
    "pypi-token": "pypi-AgEIcHlwaS5vcmc" + drawn(60),
    "huggingface-token": "hf_" + drawn(34),
    "sendgrid-key": f"SG.{drawn(22)}.{drawn(43)}",
    "databricks-token": "dapi" + drawn(32, HEX),
    "telegram-token": f"{drawn(9, string.digits)}:AA{drawn(33)}",
    "azure-key": "DefaultEndpointsProtocol=https;AccountKey=" + drawn(86) + "==",
    "vault-token": "hvs." + drawn(90),
    "private-key": PEM,
    "jwt": f"eyJ{drawn(30)}.eyJ{drawn(60)}.{drawn(43)}",
    "url-password": f"postgres://app:{drawn(12)}@db.example.com:5432/app",
    "authorization": f"Authorization: Basic {drawn(24)}==",
    "named-secret": f'client_secret = "{drawn(32)}"',
}


@pytest.mark.parametrize(("kind", "text"), ISSUED_ONES.items())
@pytest.mark.parametrize("around", ["{}", "see `{}`, please", "x={};\n", '"{}"', "({})"])
def test_credentials_are_found(kind: str, text: str, around: str) -> None:
    [found] = find(around.format(text))
    assert found.kind == kind
    written = json.dumps(around.format(text)).encode()
    assert Inspector([Secrets("flag")]).inspect(written).seen
    escaped = written.replace(b"/", rb"\/")
    assert Inspector([Secrets("flag")]).inspect(escaped).seen
    assert Inspector([Secrets("flag")]).inspect(escaped.ljust(3 * LARGE)).seen


@holds(37)
@pytest.mark.parametrize("kind", ["github-token", "aws-access-key", "private-key", "slack-token"])
@pytest.mark.parametrize("shift", range(3))
def test_credentials_are_found_in_base64(kind: str, shift: int) -> None:
    hidden = base64.b64encode(b" " * shift + ISSUED_ONES[kind].encode()).decode()
    clean, found = redacted(f"data: {hidden} end")
    assert [one.kind for one in found] == [kind]
    assert clean == f"data: [redacted: {kind}] end"
    assert find(hidden.replace("+", "-").replace("/", "_"))


@pytest.mark.parametrize("kind", ["github-token", "url-password", "private-key"])
def test_credentials_are_found_percent_encoded(kind: str) -> None:
    all_of_it = "".join(f"%{byte:02x}" for byte in ISSUED_ONES[kind].encode())
    assert [one.kind for one in find(f"q={all_of_it}")] == [kind]
    assert [one.kind for one in find(quote(ISSUED_ONES[kind], safe=""))] == [kind]


INNOCENT = [
    "AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "token: 550e8400-e29b-41d4-a716-446655440000",
    f"commit {drawn(40, HEX)} sha256:{drawn(64, HEX)} etag {drawn(32, HEX)}",
    "next_page_token: CAUQAA8r7Zk1 nextCursor=eyJwYWdlIjoyfQ==",
    "max_tokens: 4096, token_type: bearer, tokenizer=cl100k_base",
    "password = os.environ['DB_PASSWORD'] or getpass()",
    "api_key: YOUR_API_KEY_HERE and Authorization: Bearer <token>",
    "postgres://user:password@localhost/db https://example.com:8080/a@b",
    "files that begin with -----BEGIN RSA PRIVATE KEY----- are keys",
    "risk-management task-force sk-learn disk-usage",
    f"![x](data:image/png;base64,{base64.b64encode(DRAWN.randbytes(3000)).decode()})",
    "100%45 %20 is a space, 5%6 is 5",
    "the password must have 8 characters; secret: none",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_passes(text: str) -> None:
    assert redacted(text) == (text, [])


def test_no_image_in_base64_is_a_secret() -> None:
    for _ in range(20):
        assert find(base64.b64encode(DRAWN.randbytes(50_000)).decode()) == []


@settings(max_examples=150)
@given(
    st.lists(
        st.one_of(st.sampled_from([*ISSUED_ONES.values(), *INNOCENT]), st.text(max_size=20)),
        max_size=5,
    )
)
def test_what_is_left_holds_no_secret(parts: list[str]) -> None:
    text = " ".join(parts)
    clean, found = redacted(text)
    assert redacted(clean) == (clean, [])
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert sum(one in text for one in ISSUED_ONES.values()) == 0 or found


PIECES = [
    *(anchor for form in (*ISSUED, *SHAPED) for anchor in form.anchors),
    *secret_names.NAMED[:6],
    *(
        "-----BEGIN PRIVATE KEY-----",
        "%41",
        "%41 ",
        "token=%61",
        "eyJa.",
        "://a:",
        "Bearer a ",
        "Z2hw",
    ),
]


@pytest.mark.parametrize("glue", ["", "-", " ", "a1"])
def test_time_is_linear(glue: str) -> None:
    """What begins like a secret, over and over, is read in bounded time, whatever it is."""
    for piece in PIECES:
        text = (piece + glue) * (60_000 // len(piece + glue))
        assert effort.seconds(partial(find, text), 1.5) <= 1.5, piece
