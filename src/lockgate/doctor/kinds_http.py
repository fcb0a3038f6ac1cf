"""What can be found on the way to an HTTP server: name, port, TLS, and what answers there.

Must not know: how anything is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.doctor.kind import Kind

# A table: each row is a line of facts, then its sentences.
# fmt: off
HTTP: Final = (
    Kind("url-invalid", "error", "name", "The URL cannot be used",
         "It has no host, a user name in it, or characters that no URL has.",
         "Write it as http://HOST:PORT/PATH or https://HOST/PATH."),
    Kind("name-unknown", "error", "name", "The host name has no address",
         "The name is misspelt, is known in another network only, or the name server does not "
         "answer.",
         "Check the spelling; try `getent hosts NAME`; inside containers use the name of the "
         "service, not localhost."),
    Kind("tcp-refused", "error", "tcp", "Nothing listens at that port",
         "The server is not running, listens on another port, or listens on 127.0.0.1 only while "
         "it is reached over another address (a container, another machine).",
         "Start the server and compare the port with what it prints; in a container let it bind "
         "0.0.0.0 and publish the port."),
    Kind("tcp-silent", "error", "tcp", "The connection is neither taken nor refused",
         "A firewall drops the packets, or the address belongs to a machine that is off.",
         "Open the port in the firewall or security group; check the address."),
    Kind("tcp-unreachable", "error", "tcp", "There is no way to that address",
         "This machine has no route there: another network, a VPN that is down, IPv6 that leads "
         "nowhere.",
         "Check the network of this machine and the address in the URL."),
    Kind("tcp-some-addresses", "warning", "tcp", "Only some addresses of the name answer",
         "The server listens on one address family or one interface alone; clients that try the "
         "other address first wait or fail.",
         "Let the server listen on all of them, or put the address that works into the URL."),
    Kind("tls-plain", "error", "tls", "What answers speaks plain HTTP, not TLS",
         "The URL says https, and TLS is ended elsewhere or not at all.",
         "Use http:// here, or the address of the proxy that ends TLS."),
    Kind("tls-untrusted", "error", "tls", "Nobody this machine trusts vouches for the certificate",
         "It is self-signed, made by a private authority, or sent without the intermediate "
         "certificates.",
         "Let the server send its whole chain; for a private authority set SSL_CERT_FILE to its "
         "certificate, here and for every client."),
    Kind("tls-name", "error", "tls", "The certificate is for another name",
         "The certificate does not list the host of the URL, or another server answers for it.",
         "Use a name the certificate lists, or have it made anew with this one."),
    Kind("tls-expired", "error", "tls", "The certificate is not valid today",
         "It was not renewed, or one of the two clocks is wrong.",
         "Renew it, reload the server, and look after what should have renewed it."),
    Kind("tls-expires", "warning", "tls", "The certificate expires soon",
         "Nothing has renewed it yet.",
         "Renew it now; see that renewal runs by itself."),
    Kind("tls-failed", "error", "tls", "The TLS handshake fails",
         "No version or cipher in common, a client certificate that is asked for, or a server "
         "that closes the connection.",
         "Look into the server's log; offer TLS 1.2 or 1.3."),
    Kind("tls-absent", "warning", "tls", "Everything travels in clear text",
         "The URL says http, and the server is not on this machine.",
         "Put a proxy that speaks TLS in front of it and use https."),
    Kind("http-wants-tls", "error", "http", "The port wants TLS, and the URL says http",
         "The server, or the proxy in front of it, speaks HTTPS at this port.",
         "Write https:// in the URL."),
    Kind("http-none", "error", "http", "What answers does not speak HTTP/1.1",
         "Another kind of server has the port, or one that speaks HTTP/2 alone.",
         "Check the port; let the server take HTTP/1.1."),
    Kind("http-silent", "error", "http", "The server takes the request and does not answer",
         "It hangs: a blocking call in an async function, a deadlock, a dependency it waits for.",
         "Look at what it is doing (py-spy dump, its log); give every call inside it a timeout."),
    Kind("http-closed", "error", "http", "The server closes the connection without an answer",
         "It crashed on the request, or a proxy cut it off.",
         "Look into its log at this moment."),
    Kind("http-redirect", "error", "http", "The URL redirects",
         "Most often a slash at the end is missing or too many, or http leads to https. Clients "
         "do not follow redirects with a POST, or lose its body on the way.",
         "Use the URL it leads to; do not let the framework redirect slashes at this path."),
    Kind("http-not-found", "error", "http", "There is no MCP endpoint at this path",
         "The path is wrong, or the app is mounted below another one.",
         "Most servers have /mcp, older ones /sse; look for what the server prints at start."),
    Kind("http-method", "error", "http", "The path does not take POST",
         "It is the path of something else, or a proxy lets only GET through.",
         "Correct the path; let the proxy pass POST, GET, DELETE and OPTIONS."),
    Kind("http-page", "error", "http", "A web page answers, not MCP",
         "The URL is that of a site, a documentation or a login page, or a proxy answers itself.",
         "Use the URL of the endpoint; most end with /mcp."),
    Kind("http-type", "error", "http", "The answer is neither JSON nor an event stream",
         "A handler answers by itself, or a proxy changes the Content-Type.",
         "Answer with application/json or text/event-stream."),
    Kind("http-broken", "error", "http", "The server answers with its own failure (5xx)",
         "With 502, 503 or 504 a proxy answers: the server behind it is down or slow. With 500 "
         "the server itself fails.",
         "Look into the log of the server, then into that of the proxy."),
    Kind("http-busy", "error", "http", "The server asks to be left alone (429)",
         "A rate limit counts this caller, perhaps together with others at the same address.",
         "Wait as long as Retry-After says; raise the limit for this caller."),
    Kind("http-forbidden", "error", "http", "The request is refused (403 or 421) before it is read",
         "A check of Host or Origin does not know the name in the URL; or a firewall for web "
         "applications stands in between.",
         "Add the public host name to the hosts the server allows; proxies must pass Host on."),
    Kind("http-accept", "error", "http", "The server finds our Accept header wanting (406)",
         "Accept names both types here, so something on the way changes or drops it.",
         "Let the proxy pass Accept unchanged: application/json, text/event-stream."),
    Kind("http-content-type", "error", "http", "The server does not take application/json (415)",
         "A proxy drops Content-Type, or the path expects a form.",
         "Let Content-Type through; correct the path."),
    Kind("http-packed", "error", "http", "The answer is compressed although nobody asked for it",
         "A proxy compresses without looking at Accept-Encoding; event streams stall in it.",
         "Switch compression off for this path."),
    Kind("sse-endpoint", "error", "era", "The stream of HTTP+SSE names no usable place to post to",
         "Its first event has to hold a URL of the same origin. Behind a proxy that cuts the path "
         "it often names one that does not exist outside.",
         "Let the server know the path it is reached by (root_path, a forwarded prefix)."),
    Kind("sse-transport", "warning", "http", "It speaks only HTTP+SSE of 2024-11-05",
         "The server was made before Streamable HTTP, which newer clients expect.",
         "Update its SDK and serve Streamable HTTP; until then put Lockgate in front of it."),
)
# fmt: on
