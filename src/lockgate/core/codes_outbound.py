"""The part of the table of errors that is about credentials toward servers; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import LATER, NO, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
OUTBOUND: Final = (
    Entry(460, "login-required", "client", -32603, 200, 200, NO,
          "The server acts for a person, who has to log in there (again, or for more) first.",
          "Open the page the error names, or run `lockgate login SERVER`; then call again."),
    Entry(461, "login-declined", "client", -32603, (200, 400), (200, 400), NO,
          "The server needs a login, and the person who was asked for it said no.",
          "Make the call again and accept, or do without it."),
    Entry(462, "login-stray", "client", -32603, 400, 400, NO,
          "An answer or a link that belongs to no login begun here, or to one that is over.",
          "Begin the login again, and finish it in the same browser within ten minutes."),
    Entry(463, "login-refused", "upstream", -32603, 400, 400, NO,
          "The server's authorization server did not let the person in.",
          "Begin again; if it stays so, ask whoever runs the authorization server."),
    Entry(464, "login-mixed-up", "upstream", -32603, 400, 400, NO,
          "The answer to a login names another authorization server than the one asked.",
          "Begin again; if it stays so, tell whoever runs the server: it looks like an attack."),
    Entry(465, "oauth-metadata", "configuration", -32603, (200, 400), (200, 400), NO,
          "What the server says of its authorization is missing, or is not to be believed.",
          "Report it to whoever runs the server; if it has moved, correct `auth.issuer`."),
    Entry(466, "oauth-pkce", "upstream", -32603, (200, 400), (200, 400), NO,
          "The server's authorization server does not say that it supports PKCE with S256.",
          "Report it to whoever runs it: without that, codes can be stolen on their way."),
    Entry(467, "oauth-registration", "configuration", -32603, (200, 400), (200, 400), NO,
          "The gateway cannot become a client of the server's authorization server by itself.",
          "Register it there by hand, and set `auth.client_id` (and `auth.client_secret`)."),
    Entry(468, "oauth-address", "upstream", -32603, (200, 400), (200, 400), NO,
          "The server names an address for its authorization that is not https or not public.",
          "If it is to be trusted, name its issuer in the server's `auth.issuer`."),
    Entry(469, "token-refused", "upstream", -32603, (200, 400), (200, 400), NO,
          "The authorization server gave no token; data.error has its reason.",
          "Correct what the error names: the client, its secret or key, scopes, audience."),
    Entry(470, "token-unavailable", "upstream", -32603, (200, 400), (200, 400), LATER,
          "The authorization server, or what describes it, cannot be reached now.",
          "Try again; look at the network between the gateway and there."),
    Entry(471, "scope-refused", "upstream", -32603, 200, 200, NO,
          "The server wants more rights than its own authorization server gives the account.",
          "Ask whoever runs the server for the scopes in data.scopes."),
    Entry(472, "subject-missing", "client", -32603, 200, 200, NO,
          "The server is asked by the caller's own token, exchanged, and the caller has none.",
          "Call with a token of the identity provider; an API key cannot be exchanged."),
    Entry(473, "login-store", "gateway", -32603, (200, 400), (200, 400), LATER,
          "The store that logins are kept in cannot be asked now.",
          "Try again; if it stays so, look at lockgate.logins.store."),
    Entry(474, "outbound-key", "configuration", -32603, 200, 200, NO,
          "A key or an assertion for a server's `auth` cannot be read.",
          "Correct the path, or what writes the file."),
)
"""What can be wrong with what the gateway shows to servers: 460 to 474."""

VISITORS: Final = (
    Entry(488, "login-somebody-else", "client", -32603, 400, 400, NO,
          "Whoever opened a link to log in is not the one whose call it was made for.",
          "Whoever made the call opens it; a link that somebody else sent is to be reported."),
    Entry(489, "login-unverified", "configuration", -32603, 400, 400, NO,
          "The gateway has no way to find out whether a login is for who is at the browser.",
          "Configure `auth` or `facade`, or `sign_in` of the issuer; or use `lockgate login`."),
)
"""What can be wrong with who is at the browser: from 488."""

OUTBOUND_COMMANDS: Final = (
    command(938, "login-unfit", "configuration",
            "Nobody logs in to this server, or it has to be said whose login it is.",
            "Look at the server's `auth`; --as ID says whose login it is."),
)
"""How commands about logins can end."""
# fmt: on
