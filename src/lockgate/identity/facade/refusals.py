"""Why the facade does not do what it is asked, as values: for programs, for people, for the log.

Must not know: pages, JSON. What a code means at length is in `lockgate.core.codes`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.core.codes import ENTRIES
from lockgate.core.taxonomy import Entry

CLIENT: Final = ENTRIES["facade-client"]
REDIRECT: Final = ENTRIES["facade-redirect"]
REQUEST: Final = ENTRIES["facade-request"]
CONSENT: Final = ENTRIES["facade-consent"]
LOGIN: Final = ENTRIES["facade-login"]
PROVIDER: Final = ENTRIES["facade-provider"]
AWAY: Final = ENTRIES["facade-provider-away"]
GRANT: Final = ENTRIES["facade-grant"]
REUSED: Final = ENTRIES["facade-grant-reused"]
REGISTRATION: Final = ENTRIES["facade-registration"]
DOCUMENT: Final = ENTRIES["facade-document"]
STORE: Final = ENTRIES["facade-store"]
BUSY: Final = ENTRIES["facade-busy"]


class Refusal(msgspec.Struct, frozen=True):
    """One refusal.

    error   the word RFC 6749 and its relatives have for it.
    why     a sentence for whoever reads it; nothing in it comes from a peer unless it was checked
            to be plain ASCII.
    entry   which error of the table it is.
    status  of the HTTP answer where it is one for a program.
    """

    error: str
    why: str
    entry: Entry
    status: int = 400

    @property
    def description(self) -> str:
        """What `error_description` says: only characters it may have (RFC 6749 section 5.2)."""
        plain = self.why.replace('"', "'").replace("\\", "/")
        return f"{plain.encode('ascii', 'replace').decode()} [{self.entry.code}]"


STORE_AWAY: Final = Refusal(
    "temporarily_unavailable", "What was granted cannot be kept or looked up now.", STORE, 503
)
TOO_OFTEN: Final = Refusal(
    "temporarily_unavailable", "This address has asked too often; try again later.", BUSY, 429
)
