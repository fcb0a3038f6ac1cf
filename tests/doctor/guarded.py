"""The same small server for callers with a token alone, and what can be wrong with how it says so.

Must not know: how any of it is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.doctor.defects import Change, both, when
from tests.doctor.patient import JSON, Answer, Asked, Defect, Patient, dumped

TOKEN = "a-token-that-is-good"
RESOURCE = "/.well-known/oauth-protected-resource/mcp"
ISSUER = "/.well-known/oauth-authorization-server"


class Guarded(Patient):
    """Wants `TOKEN`; its own origin is its issuer, too."""

    def answer(self, asked: Asked) -> Answer:
        if asked.path == RESOURCE:
            told = {"resource": f"{self.origin}/mcp", "authorization_servers": [self.origin]}
            return Answer(200, dict(JSON), dumped(told))
        if asked.path == ISSUER:
            metadata = {
                "issuer": self.origin,
                "authorization_endpoint": f"{self.origin}/authorize",
                "token_endpoint": f"{self.origin}/token",
                "code_challenge_methods_supported": ["S256"],
                "client_id_metadata_document_supported": True,
            }
            return Answer(200, dict(JSON), dumped(metadata))
        if asked.path == "/token":
            return Answer(200, dict(JSON), dumped({"access_token": TOKEN, "token_type": "Bearer"}))
        preflight = asked.verb == "OPTIONS"
        if asked.headers.get("authorization") != f"Bearer {TOKEN}" and not preflight:
            pointer = f'Bearer resource_metadata="{self.origin}{RESOURCE}"'
            return Answer(401, {"www-authenticate": pointer})
        return super().answer(asked)


@contextlib.contextmanager
def elsewhere() -> Iterator[str]:
    """Such a server in a thread of its own; gives its URL."""
    ready: queue.Queue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def run() -> None:
        over = asyncio.Event()
        async with Guarded().serve() as url:
            ready.put((url, asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    thread.start()
    url, loop, over = ready.get(timeout=60)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(60)


def document(path: str, **members: Any) -> Defect:
    """Other members in a document; None takes one out."""

    def change(_: Asked, answer: Answer) -> Answer:
        found = {**json.loads(answer.body), **members}
        kept = {name: value for name, value in found.items() if value is not None}
        return replace(answer, body=dumped(kept))

    return when(lambda one: one.path == path, change)


def gone(path: str) -> Defect:
    return when(lambda one: one.path == path, Answer(404))


def unpointed(*, told: bool) -> Defect:
    def change(_: Asked, answer: Answer) -> Answer:
        return Answer(401, {"www-authenticate": "Bearer"} if told else {})

    return when(lambda one: "authorization" not in one.headers and one.verb == "POST", change)


def anything_goes(patient: Patient, asked: Asked, answer: Answer) -> Answer:
    if "authorization" not in asked.headers:
        return answer
    return patient.answer(
        replace(asked, headers={**asked.headers, "authorization": f"Bearer {TOKEN}"})
    )


def every(answer: Answer) -> Change:
    return lambda _, __: answer


def posted(asked: Asked) -> bool:
    return asked.verb == "POST"


NO_SCOPE = 'Bearer error="insufficient_scope", scope="tickets:write"'
BAD_TOKEN = 'Bearer error="invalid_token", error_description="expired"'

# Finding → how it comes about, whether with the good token, and what else is found with it.
GUARDED: dict[str, tuple[Defect, bool, frozenset[str]]] = {
    "auth-required": (when(lambda _: False, Answer()), False, frozenset()),
    "auth-refused": (
        when(posted, every(Answer(401, {"www-authenticate": BAD_TOKEN}))),
        True,
        frozenset(),
    ),
    "auth-scope": (
        when(
            lambda one: posted(one) and "authorization" in one.headers,
            Answer(403, {"www-authenticate": NO_SCOPE}),
        ),
        True,
        frozenset(),
    ),
    "auth-challenge": (unpointed(told=False), False, frozenset()),
    "auth-pointer": (unpointed(told=True), False, frozenset()),
    "auth-metadata": (gone(RESOURCE), False, frozenset()),
    "auth-resource": (document(RESOURCE, resource="http://inner:8000/mcp"), False, frozenset()),
    "auth-issuers": (document(RESOURCE, authorization_servers=[]), False, frozenset()),
    "auth-issuer": (document(ISSUER, issuer="http://127.0.0.1/other"), False, frozenset()),
    "auth-pkce": (document(ISSUER, code_challenge_methods_supported=["plain"]), True, frozenset()),
    "auth-endpoints": (document(ISSUER, token_endpoint=None), False, frozenset()),
    "auth-registration": (
        document(ISSUER, client_id_metadata_document_supported=False),
        True,
        frozenset(),
    ),
    "auth-open": (both(anything_goes), False, frozenset()),
}
