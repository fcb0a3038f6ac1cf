"""What callers are told who are not let in: status, challenge, and the error in the body.

Must not know: how a credential is judged. Sources: RFC 6750 section 3, RFC 9449 sections 7.1 and 9,
RFC 9728 section 5.1, revision 2026-07-28, basic/authorization, "Error Handling".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lockgate.core.codes_identity import IDENTITY
from lockgate.core.message import Failure
from lockgate.identity.settings import ALGORITHMS, EndpointSettings
from lockgate.identity.verdicts import Refused
from lockgate.wire.challenge import CHALLENGE, Challenge, challenge
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, OVERLOADED

AGAIN: Final = 5
"""Seconds after which an issuer that was away may be back."""
_REALM: Final = "lockgate"
_OF_PROOFS: Final = frozenset({"invalid_dpop_proof", "use_dpop_nonce"})
_REMEDY: Final = {one.reason: one.remedy for one in IDENTITY}


class Answers:
    """The refusals of one endpoint."""

    def __init__(self, settings: EndpointSettings, *, oauth: bool) -> None:
        """`oauth`: tokens are accepted, so there is an issuer to get one from."""
        self._settings = settings
        self._oauth = oauth
        self._scopes = " ".join(settings.scopes or settings.supported)
        # No error is named to who sent no credentials: they have done nothing wrong (RFC 6750).
        self.missing: Final = self._unauthorized(
            _failure("token-missing", "This endpoint is for callers who say who they are.")
        )
        self.malformed: Final = self._bad(
            "The Authorization header is not of the form `Bearer TOKEN`."
        )
        self.repeated: Final = self._bad("Authorization and DPoP may be sent once only.")
        self.in_query: Final = self._bad("A credential was sent in the URL.")

    def refused(self, why: Refused) -> Challenge:
        """What a credential that is not accepted is answered."""
        if why.cause == "away":
            retry = (b"retry-after", b"%d" % AGAIN)
            return Challenge(503, (retry,), _away(why.why))
        if why.cause == "proof":
            failure = _failure("proof-invalid", why.why)
            return self._unauthorized(failure, "invalid_dpop_proof", why.why)
        if why.cause == "nonce":
            return self._unauthorized(_failure("proof-nonce", why.why), "use_dpop_nonce", why.why)
        reason = "token-expired" if why.cause == "expired" else "token-invalid"
        return self._unauthorized(_failure(reason, why.why), "invalid_token", why.why)

    def insufficient(self, scopes: Iterable[str]) -> Challenge:
        """What a credential is answered that was granted too little; `scopes` is all it takes."""
        wanted = sorted(scopes)
        return Challenge(403, self.step_up(wanted), _insufficient(wanted))

    def step_up(self, scopes: Iterable[str]) -> tuple[tuple[bytes, bytes], ...]:
        """The challenge that names the scopes an operation takes."""
        return self._headers("insufficient_scope", "More scopes are needed.", " ".join(scopes))

    def _bad(self, why: str) -> Challenge:
        failure = _failure("credentials-malformed", why)
        return Challenge(400, self._headers("invalid_request", why), failure)

    def _unauthorized(self, failure: Failure, error: str = "", why: str = "") -> Challenge:
        return Challenge(401, self._headers(error, why), failure)

    def _headers(
        self, error: str, why: str, scopes: str | None = None
    ) -> tuple[tuple[bytes, bytes], ...]:
        settings = self._settings
        params = {
            "realm": "" if self._oauth else _REALM,
            "error": error,
            "error_description": why,
            "scope": self._scopes if scopes is None else scopes,
            "resource_metadata": settings.metadata or "",
        }
        told: list[bytes] = []
        # An error is of the scheme that was used; of a proof, only DPoP's can be.
        if settings.dpop != "require" and error not in _OF_PROOFS:
            told.append(challenge("Bearer", params))
        if self._oauth and settings.dpop != "off" and (not error or not told):
            told.append(challenge("DPoP", {**params, "algs": " ".join(ALGORITHMS)}))
        return tuple((CHALLENGE, one) for one in told)


def _failure(reason: str, why: str) -> Failure:
    return Failure(INVALID_REQUEST, why, "client", reason, remedy=_REMEDY[reason])


def _insufficient(scopes: list[str]) -> Failure:
    return Failure(
        OVERLOADED,
        f"This takes the scopes {' '.join(scopes)}.",
        "policy",
        "insufficient-scope",
        data={"scopes": scopes},
        remedy="Get a token with these scopes, beside those it has.",
    )


def _away(why: str) -> Failure:
    return Failure(
        INTERNAL_ERROR,
        why,
        "gateway",
        "issuer-unavailable",
        data={"retry_after": AGAIN},
        remedy=_REMEDY["issuer-unavailable"],
    )
