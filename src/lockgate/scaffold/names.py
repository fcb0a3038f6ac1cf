"""What a project may be called: its folder, package, image and Kubernetes objects bear the name.

Must not know: templates.
"""

from __future__ import annotations

import keyword
import re
import sys
from typing import Final

LONGEST: Final = 40  # leaves room for what Kubernetes and image registries put behind it
TAKEN: Final = frozenset(
    {
        *("api", "app", "test", "tests", "servers", "deploy", "identity_provider"),
        *("auth", "cryptography", "fastapi", "httpx2", "jwt", "lockgate", "mcp", "mcp_types"),
        *("pydantic", "pytest", "starlette", "uvicorn"),
    }
)
"""Names of packages that a project imports, or has folders of."""

_fits: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def fault(name: str) -> str | None:
    """What is wrong with a name, in a sentence; None if it is good."""
    if len(name) > LONGEST:
        return f"It has more than {LONGEST} characters."
    if _fits.fullmatch(name) is None:
        return "A name is made of small letters and digits, with single hyphens between words."
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return "It is a word of Python's own."
    if package in TAKEN or package in sys.stdlib_module_names:
        return "A package that the project needs has this name."
    return None


def nearest(name: str) -> str | None:
    """A good name that is like a bad one, if one can be made."""
    words = re.sub(r"[^a-z0-9]+", "-", name.strip().lower()[:LONGEST]).strip("-")
    guess = words.lstrip("-0123456789")
    if guess and fault(guess) is not None:
        guess = f"{guess[: LONGEST - 7].rstrip('-')}-server"
    return guess if guess and fault(guess) is None else None
