"""The protocol of authorization and token requests, by `authlib`: who asks, for what, how proved.

Must not know: stores, HTTP servers, pages, the identity provider. `authlib` looks things up while
it judges, and cannot wait; so what it will look up is given to it, and what it comes to is carried
out by who asked. What it leaves to its users is decided here: PKCE with S256 always, no parameter
twice, exact redirect URIs. Sources: RFC 6749 sections 2.3, 4.1, 5 and 6, RFC 7636, RFC 9700.
"""

# authlib's own parts are typed by outlines that leave out much and promise what it does not need;
# what it calls here is called by its tests of `hasattr` and by name.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeGrant,
    AuthorizationServer,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc6749.util import extract_basic_authorization
from authlib.oauth2.rfc7636 import CodeChallenge, create_s256_code_challenge

from lockgate.identity.facade.clients import Client
from lockgate.identity.facade.provider import Person
from lockgate.identity.facade.refusals import CLIENT, GRANT, REDIRECT, REQUEST, Refusal

Pairs = Sequence[tuple[str, str]]
_METHODS: Final = ["none", "client_secret_basic", "client_secret_post"]
_PLACE: Final = "https://authorization-server.invalid/"
"""What authlib is told of our address: it refuses any but https, which is decided elsewhere."""
_challenge: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z", re.ASCII)
_verifier: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z", re.ASCII)
_printable: Final = re.compile(r"[\x20-\x7e]*\Z", re.ASCII)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a person granted a client, as a code or a refresh token stands for it.

    client        the digest of the client's identifier.
    family        what is forgotten together when one of its tokens turns up a second time.
    began         when the person logged in, on the wall clock.
    attempt       how often the provider could not be asked about this very token.
    bound         the thumbprint of the key whose holder alone may refresh; empty: the client.
    """

    client: str
    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]
    resource: str
    person: Person
    family: str
    began: float
    attempt: int = 0
    bound: str = ""

    # What authlib asks of codes and tokens (its AuthorizationCodeMixin and TokenMixin).

    @property
    def code_challenge(self) -> str:
        """As RFC 7636 section 4.2 makes it."""
        return self.challenge

    @property
    def code_challenge_method(self) -> str:
        """The only one there is."""
        return "S256"

    def get_redirect_uri(self) -> str:
        """Where the code was sent."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """All that was granted."""
        return " ".join(self.scopes)

    def check_client(self, client: Client) -> bool:
        """Whether it was granted to this client."""
        return client.digest == self.client


class _Sent(OAuth2Payload):
    def __init__(self, pairs: Pairs) -> None:
        self._data = dict(pairs)
        self._listed: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._listed[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[Any]]:
        return self._listed


class _Request(OAuth2Request):
    def __init__(self, method: str, pairs: Pairs, authorization: str = "") -> None:
        super().__init__(
            method, _PLACE, headers={"Authorization": authorization} if authorization else {}
        )
        self.payload = _Sent(pairs)

    @property
    def form(self) -> dict[str, str]:
        return cast("_Sent", self.payload).data


class _Always(CodeChallenge):
    """PKCE for every client, and never `plain`."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD: Final = ["S256"]  # pyright: ignore[reportIncompatibleVariableOverride]  # authlib declares a list without its type

    def validate_code_challenge(self, grant: Any, redirect_uri: Any) -> None:
        data = cast("_Sent", grant.request.payload).data
        if not _challenge.match(data.get("code_challenge", "")):
            raise InvalidRequestError("PKCE is required: code_challenge is missing or malformed")
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required with code_challenge_method S256")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: Any, result: Any) -> None:
        if not _verifier.match(grant.request.form.get("code_verifier", "")):
            raise InvalidRequestError("PKCE is required: code_verifier is missing or malformed")
        super().validate_code_verifier(grant, result)


class _Server(AuthorizationServer):
    """authlib's server for one request, with everything it may look up at hand."""

    def __init__(self, client: Client, grant: Grant | None) -> None:
        super().__init__()
        self.client = client
        self.grant = grant
        self.narrowed = ""
        self.register_grant(_CodeGrant, [_Always(required=True)])
        self.register_grant(_RefreshGrant)

    def query_client(self, client_id: str) -> Client | None:
        return self.client if client_id == self.client.id else None

    def create_oauth2_request(self, request: Any) -> Any:
        return request

    def send_signal(self, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def save_token(self, token: Any, request: Any) -> None:
        """Kept by who asked."""

    def generate_token(
        self,
        grant_type: Any,
        client: Any,
        user: Any = None,
        scope: Any = None,
        expires_in: Any = None,
        include_refresh_token: Any = True,
    ) -> dict[str, Any]:
        """What of the token authlib decides: its scopes, and whether it can be refreshed."""
        return {"scope": scope or "", "refresh": bool(include_refresh_token)}


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = _METHODS

    def query_authorization_code(self, code: str, client: Client) -> Grant | None:
        grant = cast("_Server", self.server).grant
        return grant if grant is not None and grant.check_client(client) else None

    def delete_authorization_code(self, authorization_code: Any) -> None:
        """Counted as used by who asked, before anything is issued."""

    def authenticate_user(self, authorization_code: Any) -> Person:
        return authorization_code.person


class _RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = _METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Grant | None:
        return cast("_Server", self.server).grant

    def authenticate_user(self, refresh_token: Any) -> Person:
        return refresh_token.person

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Counted as used by who asked, before anything is issued."""


def authorization_wrong(pairs: Pairs, client: Client) -> tuple[Refusal, bool] | None:
    """What is wrong with an authorization request, and whether its redirect URI may be believed."""
    data = dict(pairs)
    asked = data.get("redirect_uri", "")
    if not client.check_redirect_uri(asked):
        said = "The redirect URI is not one this app registered."
        return Refusal("invalid_request", said, REDIRECT), False
    doubled = repeated(pairs, but=("resource",))
    if doubled is not None:
        return doubled, True
    # authlib quotes it in a text that may not have every character.
    if data.get("response_type") != "code":
        said = "Only response_type=code is served."
        return Refusal("unsupported_response_type", said, REQUEST), True
    try:
        _Server(client, None).get_consent_grant(cast("Any", _Request("GET", pairs)))
    except OAuth2Error as error:
        return _refusal(error), True
    return None


class TokenAnswer(msgspec.Struct, frozen=True):
    """What a token request comes to.

    scopes   of the access token.
    refresh  whether a refresh token goes with it.
    """

    scopes: tuple[str, ...]
    refresh: bool


def token_answer(
    pairs: Pairs, authorization: str, client: Client, grant: Grant | None
) -> TokenAnswer | Refusal:
    """Whether a token request is to be granted, whatever was used before."""
    server = _Server(client, grant)
    request = _Request("POST", pairs, authorization)
    try:
        judge = cast("Any", server.get_token_grant(request))
        judge.validate_token_request()
        _, told, _ = judge.create_token_response()
    except OAuth2Error as error:
        return _refusal(error)
    except (ValueError, TypeError):
        # It quotes what it was sent in texts that may not have every character.
        return Refusal("invalid_request", "The token request is malformed.", REQUEST)
    return TokenAnswer(tuple(str(told["scope"]).split()), bool(told["refresh"]))


def client_wrong(pairs: Pairs, authorization: str, client: Client) -> Refusal | None:
    """Whether a client does not prove who it is."""
    try:
        _Server(client, None).authenticate_client(_Request("POST", pairs, authorization), _METHODS)
    except OAuth2Error as error:
        return _refusal(error)
    except (ValueError, TypeError):
        return NOT_PROVED
    return None


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    return str(create_s256_code_challenge(verifier))


NOT_PROVED: Final = Refusal("invalid_client", "The client is not known or not proved.", CLIENT, 401)


def client_id_of(pairs: Pairs, authorization: str) -> str | Refusal:
    """Which client a request to the token endpoint says it is from."""
    data = dict(pairs)
    in_body = data.get("client_id", "")
    if not authorization:
        return in_body or Refusal("invalid_request", "client_id is missing.", REQUEST)
    if "client_secret" in data:
        return Refusal("invalid_request", "A client authenticates in one way.", REQUEST)
    try:
        in_header, _ = extract_basic_authorization({"Authorization": authorization})
    except (ValueError, TypeError):
        return NOT_PROVED
    if not in_header or (in_body and in_body != in_header):
        return NOT_PROVED
    return str(in_header)


def repeated(pairs: Pairs, but: Sequence[str] = ()) -> Refusal | None:
    """A request that has a parameter twice (RFC 6749 section 3.1), or one no text should have."""
    seen: set[str] = set()
    for name, value in pairs:
        if name in seen and name not in but:
            return Refusal("invalid_request", "A parameter stands in the request twice.", REQUEST)
        if "\0" in value:
            return Refusal("invalid_request", "A parameter is no text.", REQUEST)
        seen.add(name)
    return None


def _refusal(error: OAuth2Error) -> Refusal:
    entries = {"invalid_client": CLIENT, "invalid_grant": GRANT}
    word = str(error.error)
    said = str(cast("object", error.get_error_description()) or "")
    if word == "invalid_grant" or not _printable.match(said):
        said = "What was granted is not valid, or not for this client."
    status = 401 if word == "invalid_client" else 400
    return Refusal(
        word, said.strip() or "The request is malformed.", entries.get(word, REQUEST), status
    )


def grants_supported() -> Mapping[str, Sequence[str]]:
    """What the metadata says of this module."""
    return {
        "grant_types_supported": ("authorization_code", "refresh_token"),
        "token_endpoint_auth_methods_supported": _METHODS,
        "code_challenge_methods_supported": ("S256",),
    }
