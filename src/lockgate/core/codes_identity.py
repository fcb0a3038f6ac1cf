"""The part of the table of errors that is about who calls; see `codes`.

Must not know: how any of them comes about.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import LATER, NO, NOW, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
IDENTITY: Final = (
    Entry(440, "token-missing", "client", -32600, 401, 401, NO,
          "The endpoint is for callers who say who they are, and this one did not.",
          "Send Authorization: Bearer with an access token or an API key."),
    Entry(441, "token-invalid", "client", -32600, 401, 401, NO,
          "The access token or API key is not accepted here; the message says why.",
          "Get a new token for this very endpoint, from an issuer its metadata names."),
    Entry(442, "token-expired", "client", -32600, 401, 401, NO,
          "The access token or API key was good, and has expired.",
          "Get a new token, and send the request again with it."),
    Entry(443, "credentials-malformed", "client", -32600, 400, 400, NO,
          "The credentials cannot be read, were sent twice, or stand in the URL.",
          "Send one Authorization header with one credential, and none in the URL."),
    Entry(444, "proof-invalid", "client", -32600, 401, 401, NO,
          "The token is bound to a key (DPoP), and the proof of having it is missing or wrong.",
          "Make a new proof for each request, with the key the token is bound to."),
    Entry(445, "issuer-unavailable", "gateway", -32603, 503, 503, LATER,
          "Who could say whether the token is good cannot be reached; nothing was decided.",
          "Try again; the gateway's log says what ails the issuer."),
    Entry(446, "proof-nonce", "client", -32600, 401, 401, NOW,
          "The proof of possession (DPoP) has no nonce of this gateway, or one that is over.",
          "Make a new proof with the nonce in the DPoP-Nonce header of this answer."),
)
"""Credentials of callers, and what is found out about them."""

IDENTITY_COMMANDS: Final = (
    command(940, "api-keys", "configuration",
            "The list of API keys cannot be read, or is none.",
            "`lockgate keys new FILE NAME` makes one; `lockgate keys list FILE` reads it."),
    command(941, "tls-files", "configuration",
            "The certificate, its key or the clients' authorities cannot be used.",
            "Give files in PEM that belong together and that Lockgate may read."),
    command(942, "facade-unusable", "environment",
            "The authorization server that is configured cannot be served by this installation.",
            "Install lockgate[facade]."),
)
"""How a command that needs them can end."""
# fmt: on
