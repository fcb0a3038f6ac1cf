"""What can be found about who may come in: authentication, its metadata, origins and hosts.

Must not know: how anything is found. Sources: RFC 6750, RFC 8414, RFC 9728; revision 2026-07-28,
basic/authorization and basic/transports.
"""

from __future__ import annotations

from typing import Final

from lockgate.doctor.kind import Kind

# fmt: off
IDENTITY: Final = (
    Kind("auth-required", "note", "auth", "It wants a credential, and none was given",
         "The server is for callers who say who they are. What follows could not be looked at.",
         "Put a token into a variable and give its name: --token-env NAME. In a configuration: "
         "`headers` or `auth`, with `lockgate login` where people log in."),
    Kind("auth-missing", "warning", "auth", "Lockgate gets no credential for it",
         "`auth` in the configuration does not lead to one: somebody has to log in first, or the "
         "authorization server refuses, or is another one than before.",
         "Do what the line says."),
    Kind("auth-refused", "error", "auth", "The credential is refused",
         "The token has expired, is meant for another audience, comes from another issuer, or is "
         "sent in a form the server does not read.",
         "Compare `aud`, `iss` and `exp` of the token with what the server expects; clocks too."),
    Kind("auth-scope", "error", "auth", "The token may not do this (403, insufficient_scope)",
         "It lacks a scope that the challenge names.",
         "Ask the authorization server for a token with that scope."),
    Kind("auth-challenge", "error", "auth", "The 401 has no WWW-Authenticate header",
         "The server refuses without saying how to come in, so clients cannot begin a login. Or "
         "a proxy drops the header.",
         'Send `WWW-Authenticate: Bearer resource_metadata="…"` with every 401.'),
    Kind("auth-pointer", "note", "auth", "The challenge does not say where the metadata is",
         "`resource_metadata` is missing in it; the metadata was found where clients guess.",
         "Name its URL in the challenge, so that nobody has to guess."),
    Kind("auth-metadata", "error", "auth", "The metadata of the resource cannot be had",
         "There is no document at /.well-known/oauth-protected-resource (RFC 9728), or a proxy "
         "passes only the endpoint on.",
         "Serve it, without authentication, and let the proxy pass /.well-known/ on."),
    Kind("auth-resource", "error", "auth", "The metadata is that of another resource",
         "`resource` is not the URL clients use. Behind a proxy it is often the inner address.",
         "Set the server's public URL, exactly as clients write it."),
    Kind("auth-issuers", "error", "auth", "The metadata names no authorization server",
         "`authorization_servers` is missing or empty.",
         "Name the issuer there."),
    Kind("auth-issuer", "error", "auth", "The authorization server's metadata cannot be had",
         "Neither RFC 8414 nor OpenID Connect discovery leads to a document, or it names another "
         "issuer. A slash at the end counts.",
         "Write the issuer exactly as its own metadata does, and see that clients reach it."),
    Kind("auth-pkce", "error", "auth", "The authorization server does not say that it has PKCE",
         "`code_challenge_methods_supported` lacks S256, and clients must refuse to go on.",
         "Switch PKCE with S256 on and announce it."),
    Kind("auth-endpoints", "error", "auth", "The authorization server names no place to log in",
         "`authorization_endpoint` or `token_endpoint` is missing in its metadata, or not https.",
         "Complete the metadata."),
    Kind("auth-registration", "note", "auth", "Clients cannot register by themselves",
         "The authorization server offers neither client metadata documents nor registration.",
         "Register each client by hand, or put an authorization server in between that can."),
    Kind("auth-none", "warning", "auth", "Anybody who reaches it may use it",
         "The server is not on this machine and asks nobody who they are.",
         "Ask for authentication, or let only the gateway reach it."),
    Kind("auth-open", "error", "auth", "It lets in who brings a token that is none",
         "Anonymous callers are refused, but the token is not verified.",
         "Verify signature, issuer, audience and expiry of every token."),
    Kind("origin-any", "warning", "origin", "Any web page may use it (Origin is not checked)",
         "The server answers requests whose Origin is foreign. A page somebody visits can then "
         "reach it through their browser (DNS rebinding).",
         "Refuse unknown origins with 403; the SDK's transport security and Lockgate do."),
    Kind("host-any", "warning", "origin", "It answers to any Host",
         "The server is on this machine and does not look at Host, the other half of the "
         "protection from DNS rebinding.",
         "Allow the hosts it is reached by, and no others."),
    Kind("cors-credentials", "error", "origin", "Any page may use it with the visitor's cookies",
         "It reflects every Origin, or says `*`, and allows credentials.",
         "Name the allowed origins one by one; do not allow credentials."),
    Kind("cors-expose", "warning", "origin", "Pages cannot read Mcp-Session-Id",
         "CORS lets the page in, but Access-Control-Expose-Headers does not name the header, so "
         "the session is lost after the first answer.",
         "Expose Mcp-Session-Id and WWW-Authenticate."),
    Kind("cors-headers", "warning", "origin", "Pages cannot send the headers of the protocol",
         "Access-Control-Allow-Headers leaves some of them out, so the browser does not send the "
         "request at all.",
         "Allow Content-Type, Accept, Authorization, Mcp-Session-Id, MCP-Protocol-Version, "
         "Mcp-Method, Mcp-Name, Last-Event-ID."),
    Kind("cors-methods", "warning", "origin", "Pages may not POST",
         "Access-Control-Allow-Methods lacks POST.",
         "Allow POST; for sessions GET and DELETE as well."),
    Kind("cors-refused", "warning", "origin", "The preflight passes and the request does not",
         "The layer that answers OPTIONS knows the origin, and the one that answers POST does "
         "not send Access-Control-Allow-Origin.",
         "Put CORS outermost, around authentication and errors too."),
    Kind("cors-none", "note", "origin", "No web page may use it (no CORS)",
         "Clients that run in a browser cannot connect. For all others nothing is missing.",
         "If pages are to use it, allow their origins by name."),
)
# fmt: on
