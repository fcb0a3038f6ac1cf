"""The pages on which people log in to servers, as text. Pure.

Must not know: logins, requests. Everything that is put in is escaped; nothing on a page comes from
another party but the name and the address of a server, which the configuration has.
"""

from __future__ import annotations

from html import escape
from typing import Final

import msgspec

HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # With none at all, browsers would hide from us that the form is our own.
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    # Nobody frames these pages, and nothing but them runs on them.
    (b"x-frame-options", b"DENY"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}"
    "button,input{font:inherit;padding:.5rem 1rem}input{max-width:100%}code{overflow-wrap:anywhere}"
)


def _page(title: str, body: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    ).encode()


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What the page that asks shows.

    server, address  which server.
    owner   whose login it becomes; empty: callers are not told apart.
    key     they show who they are by their API key.
    issuer  they show it by signing in there.
    """

    server: str
    address: str
    owner: str
    key: bool
    issuer: str
    ticket: str
    seal: str


def consent(told: Consent) -> bytes:
    """Asks whether this person wants to log in, and says whose calls that will serve."""
    server, owner = escape(told.server), escape(told.owner)
    calls = f"Calls that <code>{owner}</code> makes" if owner else "Calls made"
    button = "Go on to the login page"
    if told.issuer:
        button = "Sign in"
    return _page(
        f"Log in to {told.server}",
        f"<p>The server <b>{server}</b> at <code>{escape(told.address)}</code> wants to know "
        f"who you are. You will be sent to its own login page. {calls} through this gateway will "
        "then be made there with your account.</p>"
        "<p><b>Go on only if you asked for this yourself</b>, just now, in your own program.</p>"
        '<form method="post" action="login">'
        f'<input type="hidden" name="ticket" value="{escape(told.ticket, quote=True)}">'
        f'<input type="hidden" name="seal" value="{escape(told.seal, quote=True)}">'
        f"{_proof(told)}<button>{button}</button></form>",
    )


def _proof(told: Consent) -> str:
    """How they show that the login is theirs."""
    if told.key:
        return (
            "<p><label>Your API key of this gateway, which shows that this is you:<br>"
            '<input type="password" name="key" autocomplete="off" required></label></p>'
        )
    if told.issuer:
        issuer = f"<code>{escape(told.issuer)}</code>"
        return f"<p>First you sign in at {issuer}, which shows that this is you.</p>"
    return ""


def done(server: str) -> bytes:
    """It worked."""
    return _page(
        f"Logged in to {server}",
        "<p>You can close this page and go back to where you came from.</p>",
    )


def trouble(message: str, remedy: str, code: str | None) -> bytes:
    """It did not, and what to do."""
    shown = f" ({escape(code)})" if code else ""
    return _page(
        "The login did not work",
        f"<p>{escape(message[:1].upper() + message[1:])}{shown}</p><p>{escape(remedy)}</p>",
    )
