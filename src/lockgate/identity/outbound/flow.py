"""Sending a person to an authorization server, and judging what comes back. Pure.

Must not know: browsers, pages, where a flow is kept meanwhile. Sources: RFC 6749 section 4.1,
RFC 7636 (PKCE), RFC 8707 (resource), RFC 9207 (iss), specification 2026-07-28,
basic/authorization, "Authorization Response Validation" and "Scope Selection Strategy".
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from lockgate.identity.outbound.discovery import Found
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.trouble import Trouble, error_code

S256: Final = "S256"
OFFLINE: Final = "offline_access"
LONGEST_STATE: Final = 512


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One authorization request that waits for its answer; used once.

    entry    the name of the server it is for.
    owner    whose login it becomes.
    server   what was said by the authorization server it goes to: its answer is judged by that.
    browser  a digest of what only the browser that began it knows; empty: it is not a browser's.
    """

    state: str
    verifier: str
    entry: str
    owner: str
    server: AuthorizationServer
    client_id: str
    redirect_uri: str
    resource: str
    scopes: tuple[str, ...]
    browser: str = ""
    key: str | None = None


def challenge_of(verifier: str) -> str:
    """The PKCE challenge of a verifier, method S256."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def digest(text: str) -> str:
    """What is kept of a browser's cookie."""
    return sha256(b"lockgate login browser\0" + text.encode()).hexdigest() if text else ""


def wanted_scopes(
    configured: Sequence[str],
    demanded: Sequence[str],
    found: Found,
    before: Iterable[str] = (),
    *,
    lasting: bool = True,
) -> tuple[str, ...]:
    """What to ask for: what was demanded, or configured, or what the resource says it needs.

    `before` is what was asked for or granted earlier, so that nothing is lost by asking anew;
    `lasting` adds what some want to hear before they give a refresh token.
    """
    first = configured or demanded or found.scopes or ()
    scopes = dict.fromkeys([*before, *first, *demanded])
    if lasting and OFFLINE in found.server.scopes:
        scopes[OFFLINE] = None
    return tuple(scopes)


def ready_for_codes(server: AuthorizationServer) -> str:
    """The authorization endpoint of a server that people can be sent to.

    Raises:
        Trouble: it has none, or does not say that it protects codes with PKCE by S256.
    """
    if S256 not in (server.challenges or ()):
        raise Trouble(
            "oauth-pkce",
            "its authorization server does not say that it supports PKCE with S256.",
            "Report it to whoever runs it: without that, codes can be stolen on their way.",
        )
    if server.authorization is None:
        raise Trouble(
            "oauth-metadata",
            "its authorization server names no authorization endpoint.",
            "Choose another `auth.type`: people cannot log in there.",
        )
    return server.authorization


def begin(
    found: Found,
    client_id: str,
    *,
    entry: str,
    owner: str,
    redirect_uri: str,
    scopes: tuple[str, ...],
    browser: str = "",
    key: str | None = None,
) -> Flow:
    """A new flow, with a state and a verifier nobody can guess. Raises as `ready_for_codes`."""
    ready_for_codes(found.server)
    return Flow(
        state=token_urlsafe(32),
        verifier=token_urlsafe(48),
        entry=entry,
        owner=owner,
        server=found.server,
        client_id=client_id,
        redirect_uri=redirect_uri,
        resource=found.resource,
        scopes=scopes,
        browser=digest(browser),
        key=key,
    )


def address(flow: Flow) -> str:
    """Where the person goes. Raises as `ready_for_codes`."""
    parts = urlsplit(ready_for_codes(flow.server))
    asked = {
        "response_type": "code",
        "client_id": flow.client_id,
        "redirect_uri": flow.redirect_uri,
        "state": flow.state,
        "code_challenge": challenge_of(flow.verifier),
        "code_challenge_method": S256,
        "resource": flow.resource,
        **({"scope": " ".join(flow.scopes)} if flow.scopes else {}),
    }
    # Without consent asked anew, some give no refresh token.
    if OFFLINE in flow.scopes:
        asked["prompt"] = "consent"
    query = "&".join(filter(None, (parts.query, urlencode(asked))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def judged(flow: Flow, params: Mapping[str, str], browser: str = "") -> str:
    """The code of an authorization response to `flow`.

    Who answered is judged before anything else it says is believed or repeated.

    Raises:
        Trouble: it is of another browser or another authorization server, or says no.
    """
    if not compare_digest(flow.browser, digest(browser)):
        raise stray()
    issuer = params.get("iss")
    if issuer is None and flow.server.iss:
        raise _mixed_up("does not say who it is from, though its server always does")
    if issuer is not None and issuer != flow.server.issuer:
        raise _mixed_up("is from another authorization server than the one that was asked")
    if "error" in params:
        raise _refused(error_code(params["error"]))
    code = params.get("code")
    if not code:
        raise Trouble(
            "login-refused",
            "the authorization server answered with neither a code nor an error.",
            "Report it to whoever runs the authorization server.",
        )
    return code


def exchange(flow: Flow, code: str) -> dict[str, str]:
    """The grant that turns the code into a token."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": flow.redirect_uri,
        "code_verifier": flow.verifier,
        "resource": flow.resource,
    }


def stray() -> Trouble:
    """An answer to no login that waits here for one."""
    return Trouble(
        "login-stray",
        "this answer belongs to no login that was begun here, or to one that is over.",
        "Begin the login again, and finish it in the same browser within ten minutes.",
        origin="client",
    )


def _refused(error: str | None) -> Trouble:
    if error == "access_denied":
        return Trouble(
            "login-declined",
            "the access that was asked for was declined there.",
            "Log in again, and allow it; or do without the server.",
            origin="client",
            error=error,
        )
    return Trouble(
        "login-refused",
        "the authorization server said no.",
        "Begin the login again; if it stays so, ask whoever runs the authorization server.",
        error=error,
    )


def _mixed_up(what: str) -> Trouble:
    return Trouble(
        "login-mixed-up",
        f"the answer {what}.",
        "Begin again; if it stays so, tell whoever runs the server: this looks like an attack.",
    )
