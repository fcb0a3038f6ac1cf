"""Rules about secrets.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

_PREFIX: Final = "ghp" + "_"

SECRETS: Final = (
    Rule(
        id="secret-in-code",
        group="secrets",
        severity="block",
        summary="A credential stands in the code.",
        why=(
            "It is in every clone, image and backup, and outlives whoever put it there. Removing "
            "it does not make it a secret again."
        ),
        remedy="Revoke it; read its successor from the environment or a secret store.",
        ruff=("S105", "S106", "S107"),
        bad=f'''\
TOKEN = "{_PREFIX}wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"


@mcp.tool()
def logged_in() -> bool:
    """Whether there is a token."""
    return bool(TOKEN)
''',
        good='''\
import os

TOKEN = os.environ.get("SERVICE_TOKEN", "")


@mcp.tool()
def logged_in() -> bool:
    """Whether there is a token."""
    return bool(TOKEN)
''',
    ),
    Rule(
        id="secret-asked-for",
        group="secrets",
        severity="review",
        summary="The tool takes a credential as an argument.",
        why=(
            "Arguments are written by the model: the credential has to be in its context, and ends "
            "up in transcripts, logs and caches."
        ),
        remedy="Get it from the environment, from the caller's token, or by a URL elicitation.",
        bad='''\
@mcp.tool()
def balance(account: str, api_key: str) -> int:
    """The balance of an account."""
    return len(account) + len(api_key)
''',
        good='''\
import os


@mcp.tool()
def balance(account: str) -> int:
    """The balance of an account."""
    return len(account) + len(os.environ.get("BANK_API_KEY", ""))
''',
    ),
    Rule(
        id="secret-compared",
        group="secrets",
        severity="review",
        summary="The comparison takes longer the more of a guess is right.",
        why=(
            "`==` stops at the first difference. Over many tries the time tells how far a "
            "signature or key was right, and the rest is guessed character by character."
        ),
        remedy="Use `hmac.compare_digest`.",
        bad='''\
import hashlib
import hmac
import os

SECRET = os.environ.get("LINK_SECRET", "").encode()


@mcp.tool()
def document(number: int, signature: str) -> str:
    """A document, for who has a signed link to it."""
    expected = hmac.new(SECRET, str(number).encode(), hashlib.sha256).hexdigest()
    if signature != expected:
        raise ToolError("The link is not valid.")
    return f"document {number}"
''',
        good='''\
import hashlib
import hmac
import os

SECRET = os.environ.get("LINK_SECRET", "").encode()


@mcp.tool()
def document(number: int, signature: str) -> str:
    """A document, for who has a signed link to it."""
    expected = hmac.new(SECRET, str(number).encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature, expected):
        raise ToolError("The link is not valid.")
    return f"document {number}"
''',
    ),
    Rule(
        id="tls-unverified",
        group="secrets",
        severity="review",
        summary="Anybody on the way may answer in the other server's place.",
        why="Without verification of certificates, TLS keeps out nobody who can answer first.",
        remedy="Leave verification on; for an authority of your own, give its certificate.",
        ruff=("S501", "S323"),
        bad='''\
import httpx


@mcp.tool()
def status() -> int:
    """Say what the service answers."""
    return httpx.get("https://service.example/health", verify=False, timeout=10).status_code
''',
        good='''\
import httpx


@mcp.tool()
def status() -> int:
    """Say what the service answers."""
    return httpx.get("https://service.example/health", timeout=10).status_code
''',
    ),
)
