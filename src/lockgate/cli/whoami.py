"""`lockgate whoami URL`: what an endpoint asks of its callers, and who a token is to it.

Must not know: configurations, how a token is judged. Any MCP server over HTTP can be asked; only
Lockgate tells who the caller is, others at most that they let it in.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import Any, Final, cast

import click
import msgspec

from lockgate import __version__
from lockgate.cli import exits
from lockgate.cli.terminal import visible
from lockgate.errors import LockgateError
from lockgate.fronts.identified import WHO
from lockgate.gateway.fetching import PoolFetch
from lockgate.identity.documents import secure, strings
from lockgate.identity.fetch import Fetch, Fetched, FetchFailed
from lockgate.identity.resource import metadata_url

_TRY: Final = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
_param: Final = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_REFUSALS: Final = (_UNAUTHORIZED, _FORBIDDEN)
_OK: Final = 200
_BAD: Final = 400
_BROKEN: Final = 500
_BUSY: Final = 429
_TYPES: Final = ("application/json", "text/event-stream")


@click.command("whoami", epilog=exits.epilog())
@click.argument("url")
@click.option(
    "--token-env",
    metavar="NAME",
    help="The environment variable that holds a token or API key; never the token itself.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def command(url: str, token_env: str | None, as_json: bool) -> int:
    """Say what the endpoint at URL asks of its callers, and with a token, who that is.

    Ends with 0 if the caller is let in, and with 1 if it is not, or if that cannot be told.
    """
    token = None
    if token_env is not None:
        token = os.environ.get(token_env, "").strip()
        if not token:
            raise click.UsageError(f"--token-env: the variable {token_env} is not set.")
        if not secure(url):
            raise click.UsageError("The token would travel in clear text; use an https URL.")
    found = asyncio.run(_ask(url, token))
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_told(found)))
    return exits.OK if found["accepted"] else exits.FAILED


async def _ask(url: str, token: str | None) -> dict[str, Any]:
    fetch = PoolFetch()
    try:
        return await _asked(fetch, url, token)
    except FetchFailed as error:
        raise LockgateError(
            f"{error}.", "Check the URL, and that the server is up.", reason="server-needed"
        ) from error
    finally:
        await fetch.close()


async def _asked(fetch: Fetch, url: str, token: str | None) -> dict[str, Any]:
    stranger = await _try(fetch, url, None)
    challenge = _challenge(stranger)
    open_to_all = _let_in(stranger, url)
    found: dict[str, Any] = {
        "url": url,
        "authentication": "none" if open_to_all else "required",
        "challenge": challenge,
        "metadata": None if open_to_all else await _metadata(fetch, url, challenge),
        "accepted": open_to_all,
        "principal": None,
    }
    if token is not None and not open_to_all:
        mine = await _try(fetch, url, token)
        found["accepted"] = _let_in(mine, url)
        found["refusal"] = None if found["accepted"] else {**_challenge(mine), **_error(mine)}
        if found["accepted"]:
            found["principal"] = await _principal(fetch, url, token)
    return found


def _let_in(answer: Fetched, url: str) -> bool:
    """Whether whoever asked was let in, as far as the answer tells.

    Whatever is not from an MCP endpoint that heard the question is no answer to it: a path that
    nothing is served at, a web page, a gateway that cannot ask its identity provider just now.

    Raises:
        LockgateError: it does not tell.
    """
    if answer.status in _REFUSALS:
        return False
    kind = answer.headers.get("content-type", "")
    if answer.status < _BAD and (not answer.body or kind.startswith(_TYPES)):
        return True
    if answer.status not in (_BUSY, *range(_BROKEN, 600)) and b'"jsonrpc"' in answer.body:
        return True
    error = _error(answer)
    said = f": {error['message']}" if "message" in error else ""
    raise LockgateError(
        visible(f"{url} answers with HTTP status {answer.status}{said}").rstrip(".") + ".",
        visible(error.get("remedy") or "Check the URL: `lockgate up` prints those it serves."),
        reason="server-needed",
    )


def _headers(token: str | None) -> list[tuple[str, str]]:
    headers = [("User-Agent", f"lockgate/{__version__}")]
    return headers if token is None else [*headers, ("Authorization", f"Bearer {token}")]


async def _try(fetch: Fetch, url: str, token: str | None) -> Fetched:
    """A request that does nothing; what matters is whether it is let in."""
    headers = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        *_headers(token),
    ]
    return await fetch("POST", url, headers=headers, body=_TRY)


async def _principal(fetch: Fetch, url: str, token: str) -> dict[str, Any] | None:
    try:
        answer = await fetch("GET", url, headers=[("Accept", WHO.decode()), *_headers(token)])
    except FetchFailed:
        return None
    typed = answer.headers.get("content-type", "").startswith(WHO.decode())
    return _object(answer.body) if answer.status == _OK and typed else None


async def _metadata(fetch: Fetch, url: str, challenge: dict[str, str]) -> dict[str, Any] | None:
    place = challenge.get("resource_metadata") or metadata_url(url)
    if not secure(place):
        return None
    try:
        answer = await fetch("GET", place, headers=_headers(None))
    except FetchFailed:
        return None
    return _object(answer.body) if answer.status == _OK else None


def _challenge(answer: Fetched) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _param.findall(answer.headers.get("www-authenticate", "")):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", value))
    return found


def _error(answer: Fetched) -> dict[str, Any]:
    error = (_object(answer.body) or {}).get("error")
    if not isinstance(error, dict):
        return {}
    members = cast("dict[str, Any]", error)
    data: object = members.get("data")
    told = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    told = told or members
    found = {name: told.get(name) for name in ("code", "remedy")}
    found["message"] = members.get("message")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _told(found: dict[str, Any]) -> list[str]:
    """For people. What another party wrote cannot take over the terminal."""
    if found["authentication"] == "none":
        return [f"{visible(found['url'])} asks nobody who they are."]
    lines = [f"{visible(found['url'])} is for callers who say who they are."]
    metadata: dict[str, Any] = found["metadata"] or {}
    issuers = strings(metadata.get("authorization_servers"))
    lines += [f"  tokens from  {visible(one)}" for one in issuers]
    if isinstance(metadata.get("resource"), str):
        lines.append(f"  meant for    {visible(metadata['resource'])}")
    scopes = found["challenge"].get("scope") or " ".join(strings(metadata.get("scopes_supported")))
    if scopes:
        lines.append(f"  scopes       {visible(scopes)}")
    if "refusal" not in found:
        return [*lines, "You sent no token (--token-env NAME sends one)."]
    refusal = found["refusal"]
    if refusal is not None:
        why = refusal.get("message") or refusal.get("error_description") or "no reason given"
        code = f"  [{refusal['code']}]" if "code" in refusal else ""
        return [*lines, f"Your token is refused: {visible(why)}{visible(code)}"]
    return [*lines, *_who(found["principal"])]


def _who(who: dict[str, Any] | None) -> list[str]:
    if who is None:
        return ["Your token is accepted. It is no Lockgate, so it does not say who you are to it."]
    lines = [f"You are {visible(str(who.get('id')))}."]
    for name in ("client", "scopes", "groups", "expires"):
        value: object = who.get(name)
        shown = value if isinstance(value, str) else " ".join(strings(value))
        if shown:
            lines.append(f"  {name:<12} {visible(shown)}")
    return lines
