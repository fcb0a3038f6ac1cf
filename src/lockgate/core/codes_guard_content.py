"""The part of the table of errors that is about what passes in arguments and results.

Must not know: how any of them comes about. See `codes`.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.taxonomy import NO, Entry, command

# A table: each entry is a line of facts, then its two sentences.
# fmt: off
CONTENT: Final = (
    Entry(430, "result-blocked", "policy", -32000, 403, 200, NO,
          "What the server answered holds something that does not pass here; data.found has what.",
          "Ask whoever runs the gateway; lockgate.guard.results says what is blocked."),
    Entry(431, "argument-secret", "policy", -32000, 403, 200, NO,
          "The arguments hold a secret, and no secrets go to this server; data.found has which.",
          "Leave it out; lockgate.guard.secrets says what happens to secrets."),
    Entry(432, "result-unredactable", "policy", -32000, 403, 200, NO,
          "Something had to be taken out of a structured result, which its schema then forbids.",
          "Ask whoever runs the gateway; `flag` in lockgate.guard.results lets it pass."),
    Entry(433, "question-blocked", "policy", -32000, 403, 200, NO,
          "The server wanted to ask a person for something that no server may ask for.",
          "Give such things to the server's own configuration, never to a form in a chat."),
    Entry(434, "result-held", "policy", -32000, 403, 200, NO,
          "What the server answered is held until a person has looked at it, and nobody was asked.",
          "Call from a client that shows forms, or ask whoever runs the gateway."),
    Entry(435, "result-refused", "policy", -32000, 403, 200, NO,
          "A person looked at what the server answered, and did not let it go.",
          "Do without it; the call was made."),
    Entry(436, "result-gone", "client", -32000, 403, 200, NO,
          "A result that was held for a person was asked for twice, too late, or by somebody else.",
          "Make the call anew, if it may be made twice."),
)

CONTENT_COMMANDS: Final = (
    command(975, "html-unusable", "environment",
            "HTML is to be sanitised, and the library that does it is not installed.",
            "Install lockgate[html], or set lockgate.guard.results.html to off."),
)
# fmt: on
