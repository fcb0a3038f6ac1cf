"""Sessions of handshake-era clients: ids that say everything, and state that may be lost.

Must not know: HTTP, what requests mean.

A session id is a sealed token: whoever has the keys can serve it, and no table decides whether it
is valid. What is kept here is soft: running requests, open questions, streams, the log level. It is
made when an id is first seen, let go when idle or when there are too many, and made again when the
id comes back. Only ids that were ended are remembered, until they would have expired.
"""

from __future__ import annotations

import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from lockgate.core.message import (
    ANONYMOUS,
    ClientFacts,
    Failure,
    Notification,
    Principal,
    RequestId,
)
from lockgate.core.raw import Raw
from lockgate.fronts.asks import Asks
from lockgate.fronts.hub import Hub
from lockgate.fronts.listening import Listening, Open
from lockgate.fronts.session_token import SessionToken
from lockgate.fronts.settings import ExchangeSettings
from lockgate.fronts.streams import Running
from lockgate.wire import handshake_in
from lockgate.wire.handshake_in import Opening
from lockgate.wire.seal import BadSeal

PURPOSE: Final = "session"
_MOST_ENDED: Final = 100_000
_LARGEST_PAYLOAD: Final = 64 * 1024
_KEPT_INFO: Final = ("name", "version", "title")


_read_token: Final = msgspec.json.Decoder(SessionToken).decode
_encode: Final = msgspec.json.Encoder().encode


class Session:
    """What is known of one client while it is about.

    affinity   its id toward servers; never the token.
    principal  whose it is, as last authenticated.
    running    its requests that are being answered, by their ids.
    noticing   how many of its notifications are being passed on.
    listening  set once something is listened to.
    """

    __slots__ = (
        "affinity",
        "asks",
        "client",
        "expires",
        "hub",
        "listening",
        "log_level",
        "noticing",
        "principal",
        "running",
        "token",
        "touched",
    )

    def __init__(
        self,
        token: str,
        affinity: str,
        client: ClientFacts,
        settings: ExchangeSettings,
        *,
        principal: Principal = ANONYMOUS,
        expires: float = float("inf"),
    ) -> None:
        self.token = token
        self.affinity = affinity
        self.client = client
        self.principal = principal
        self.expires = expires
        self.log_level: str | None = None
        self.running: dict[RequestId, Running] = {}
        self.noticing = 0
        self.asks = Asks(settings.clock, settings.asks, settings.ask_seconds)
        self.hub = Hub(settings.backlog, settings.backlog_bytes)
        self.listening: Listening | None = None
        self.touched = settings.clock.monotonic()

    @property
    def busy(self) -> bool:
        """Whether letting this state go would break something."""
        return bool(self.running or len(self.asks) or len(self.hub))

    def set_level(self, level: str) -> None:
        """Hear log messages of this level and above from now on."""
        self.log_level = level
        self.client = self.client.replace(log_level=level)

    def listen(self, open_call: Open, settings: ExchangeSettings) -> Listening:
        """The session's listening, made when it is first needed."""
        if self.listening is None:
            self.listening = Listening(open_call, self._hear, settings.ack_seconds, settings.linger)
        return self.listening

    def _hear(self, notification: Notification) -> None:
        data = handshake_in.notice(notification, self.log_level, None)
        if data is not None:
            self.hub.send(data)

    def close(self) -> None:
        """Stop everything that runs for this session."""
        for running in tuple(self.running.values()):
            running.cancel()
        if self.listening is not None:
            self.listening.close()
        self.hub.close()


class Sessions:
    """Mints, opens and ends session ids, and keeps the soft state of those in use."""

    def __init__(
        self,
        settings: ExchangeSettings,
        dropped: Callable[[Session], None],
        known_as: Callable[[Session, Principal], None],
    ) -> None:
        """`dropped` is told of every session whose state is let go, `known_as` who its caller is.

        It is the same caller each time, who may have been granted something else.
        """
        self._settings = settings
        self._dropped = dropped
        self._known_as = known_as
        self._keys = settings.keys
        self._clock = settings.clock
        self._live: OrderedDict[str, Session] = OrderedDict()
        self._ended: dict[str, float] = {}

    def __len__(self) -> int:
        """How many have state in memory."""
        return len(self._live)

    def mint(self, opening: Opening, principal: Principal) -> Session | Failure:
        """A new session; a Failure when what the client said does not fit an id."""
        nonce = secrets.token_urlsafe(16)
        for info in (opening.info, _short(opening.info)):
            token = self._seal(nonce, opening, info, self._bind(principal))
            if len(token) <= self._settings.session_id_bytes:
                break
        else:
            return handshake_in.invalid("clientInfo and capabilities are too large.")
        client = handshake_in.client_facts(opening.version, opening.info, opening.capabilities)
        expires = self._clock.wall() + self._settings.session_ttl
        session = Session(
            token, nonce, client, self._settings, principal=principal, expires=expires
        )
        self._keep(session)
        return session

    def _bind(self, principal: Principal) -> str:
        """Whose an id is, and where."""
        return f"{self._settings.endpoint}\0{principal.id}"

    def _seal(self, nonce: str, opening: Opening, info: Raw, bind: str) -> str:
        now = self._clock.wall()
        payload = _encode(
            SessionToken(
                nonce,
                opening.version,
                now + self._settings.session_ttl,
                msgspec.Raw(info.encode()),
                msgspec.Raw(opening.capabilities.encode()),
            )
        )
        return self._keys.seal(
            PURPOSE, zlib.compress(payload), now=now, ttl=self._settings.session_ttl, bind=bind
        )

    def find(self, token: str, principal: Principal) -> Session | None:
        """The session of an id; None when it is not ours, not this caller's, expired or ended."""
        session = self._live.get(token)
        if session is None:
            session = self._open(token, principal)
            if session is None:
                return None
            self._keep(session)
        elif session.principal.id != principal.id or session.expires <= self._clock.wall():
            return None
        else:
            self._live.move_to_end(token)
            if session.principal is not principal:
                self._known_as(session, principal)
        session.touched = self._clock.monotonic()
        return session

    def _open(self, token: str, principal: Principal) -> Session | None:
        if len(token) > self._settings.session_id_bytes:
            return None
        try:
            sealed = self._keys.open(
                PURPOSE, token, now=self._clock.wall(), bind=self._bind(principal)
            )
            read = _read_token(zlib.decompressobj().decompress(sealed, _LARGEST_PAYLOAD))
        except (BadSeal, zlib.error, msgspec.MsgspecError):
            # Sealed by us, it is what we wrote, unless another release of ours wrote it.
            return None
        if read.nonce in self._ended:
            return None
        client = handshake_in.client_facts(
            read.version, Raw(bytes(read.info)), Raw(bytes(read.capabilities))
        )
        return Session(
            token,
            read.nonce,
            client,
            self._settings,
            principal=principal,
            expires=read.expires,
        )

    def _keep(self, session: Session) -> None:
        while len(self._live) >= self._settings.sessions:
            self._drop(next((one for one in self._oldest() if not one.busy), self._first()))
        self._live[session.token] = session

    def _oldest(self) -> list[Session]:
        return [session for session, _ in zip(self._live.values(), range(16), strict=False)]

    def _first(self) -> Session:
        return next(iter(self._live.values()))

    def _drop(self, session: Session) -> None:
        del self._live[session.token]
        session.close()
        self._dropped(session)

    def end(self, session: Session) -> None:
        """The client has ended it: the id opens no more."""
        if len(self._ended) >= _MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[session.affinity] = session.expires
        if self._live.get(session.token) is session:
            self._drop(session)

    def sweep(self, now: float) -> None:
        """Let idle state go, and give up on questions that are too old."""
        for session in tuple(self._live.values()):
            session.asks.sweep(now)
            if now - session.touched >= self._settings.session_idle and not session.busy:
                self._drop(session)
        wall = self._clock.wall()
        for nonce in [nonce for nonce, expires in self._ended.items() if expires <= wall]:
            del self._ended[nonce]

    def close(self) -> None:
        """Stop listening everywhere; requests run on."""
        for session in self._live.values():
            if session.listening is not None:
                session.listening.close()
            session.hub.close()


def _short(info: Raw) -> Raw:
    return Raw.of({key: str(info[key])[:128] for key in _KEPT_INFO if key in info})
