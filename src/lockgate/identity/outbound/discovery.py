"""From a server's URL to the authorization server it trusts.

Must not know: tokens, clients. Source: specification 2026-07-28,
basic/authorization/authorization-server-discovery.

Nothing found here is kept: whoever needs it anew asks anew, so that a server that has moved to
another authorization server is followed there.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.identity.documents import metadata_urls
from lockgate.identity.outbound.challenge import Challenge, asked
from lockgate.identity.outbound.metadata import (
    AuthorizationServer,
    Resource,
    bare,
    canonical,
    read_resource,
    read_server,
    resource_places,
)
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.trouble import Trouble

OPENID: Final = "openid"


class Found(msgspec.Struct, frozen=True):
    """What discovery came to.

    resource  the identifier tokens are asked for.
    scopes    what the resource says is needed of it; None: it does not say.
    """

    resource: str
    server: AuthorizationServer
    scopes: tuple[str, ...] | None = None


class Discovery:
    """Finds the authorization server of one MCP server."""

    def __init__(
        self, reach: Reach, url: str, *, issuer: str | None = None, resource: str | None = None
    ) -> None:
        """`issuer` and `resource` are the configured ones, which nothing a server says replaces."""
        self._reach = reach
        self._url = url
        self._issuer = issuer
        self._resource = resource

    @property
    def resource(self) -> str:
        """The identifier of the server, as far as the configuration tells."""
        return self._resource or canonical(self._url)

    async def find(self, challenge: Challenge | None = None) -> Found:
        """What the server says now; `challenge` is what it last demanded.

        Raises:
            Trouble: it cannot be found, or is not to be trusted.
        """
        described = await self._described(challenge)
        issuer = self._issuer
        if described is not None:
            issuer = self._chosen(described)
        elif issuer is None:
            # Servers of revision 2025-03-26 are their own authorization server.
            issuer = self._origin()
        return Found(
            resource=self._resource or (described.resource if described else canonical(self._url)),
            server=await self.server(issuer),
            scopes=described.scopes if described else None,
        )

    def _chosen(self, described: Resource) -> str:
        """The issuer to use: the configured one, if the resource names it, or its first."""
        if self._issuer is None:
            return described.servers[0]
        # Some servers write a lone slash behind a host that has none of its own. What is believed
        # of the authorization server is compared with the configured spelling all the same.
        if bare(self._issuer) not in map(bare, described.servers):
            raise Trouble(
                "oauth-metadata",
                "it no longer names the authorization server that is configured for it.",
                "If it has moved, correct `auth.issuer`, and the client registered there.",
                origin="gateway",
            )
        return self._issuer

    def _origin(self) -> str:
        scheme, _, rest = canonical(self._url).partition("://")
        return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"

    async def _described(self, challenge: Challenge | None) -> Resource | None:
        named = challenge.resource_metadata if challenge is not None else None
        what = "the resource metadata"
        for place in [named] if named else resource_places(self._url):
            answer = await self._reach("GET", place, what)
            if answer.status == 200:
                return read_resource(answer.body, self._url)
        if named:
            raise Trouble(
                "oauth-metadata",
                "the resource metadata it names is not there.",
                "Report it to whoever runs the server.",
            )
        return None

    async def server(self, issuer: str) -> AuthorizationServer:
        """What the authorization server `issuer` says of itself.

        Raises:
            Trouble: it says nothing, or something that is not to be trusted.
        """
        what = "the authorization server"
        self._reach.check(issuer, what)
        for place in metadata_urls(issuer):
            answer = await self._reach("GET", place, what)
            if answer.status == 200:
                found = read_server(answer.body, issuer)
                for endpoint in (found.token, found.authorization, found.registration):
                    if endpoint is not None:
                        self._reach.check(endpoint, what)
                return found
        raise Trouble(
            "oauth-metadata",
            "its authorization server describes itself nowhere.",
            "Report it to whoever runs the server; or configure `headers` with a token.",
        )

    async def challenge(self) -> Challenge | None:
        """What the server demands of who comes without a credential; None: nothing.

        Raises:
            Trouble: it cannot be asked.
        """
        # Opens no session, and what needs no credential at all is answered with an error.
        body = b'{"jsonrpc":"2.0","id":0,"method":"tools/list","params":{}}'
        headers = (
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        )
        answer = await self._reach("POST", self._url, "the server", headers=headers, body=body)
        if answer.status not in (401, 403):
            return None
        return asked(answer.headers.get("www-authenticate"))


class Settled(Discovery):
    """For a resource that is our own: whose tokens it accepts, nobody has to be asked."""

    def __init__(self, reach: Reach, resource: str, issuer: str) -> None:
        """`issuer` is the authorization server whose tokens `resource` accepts."""
        super().__init__(reach, resource, issuer=issuer, resource=resource)
        self._settled = issuer

    async def find(self, challenge: Challenge | None = None) -> Found:
        """See `Discovery`."""
        del challenge
        server = await self.server(self._settled)
        # Whoever asks an OpenID provider for nothing at all is given nothing, not even a code.
        return Found(self.resource, server, (OPENID,) if OPENID in server.scopes else None)

    async def challenge(self) -> Challenge | None:
        """See `Discovery`."""
        return None
