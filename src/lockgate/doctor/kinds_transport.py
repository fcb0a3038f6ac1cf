"""What can be found about sessions, streams, changes and headers of Streamable HTTP.

Must not know: how anything is found. Sources: revision 2026-07-28, basic/transports/streamable-http
and basic/patterns/subscriptions; 2025-11-25, basic/transports.
"""

from __future__ import annotations

from typing import Final

from lockgate.doctor.kind import Kind

# fmt: off
TRANSPORT: Final = (
    Kind("socket-refused", "error", "upgrade", "The upgrade to a WebSocket is refused",
         "What answers there speaks HTTP and no WebSocket at this path, or a proxy takes the "
         "headers of the upgrade away.",
         "Compare the path; let the proxy pass Upgrade and Connection on (nginx: proxy_set_header "
         "Upgrade $http_upgrade)."),
    Kind("socket-guarded", "note", "upgrade", "The upgrade wants a credential",
         "On a WebSocket a credential is shown once, with the upgrade.",
         "Give it with --token-env, or as `headers` in a configuration."),
    Kind("socket-broken", "error", "upgrade", "The connection ends before the upgrade is answered",
         "The server closes it, answers 429 or a status from 500 on, or says nothing.",
         "Look at the server's log, and at the proxy's if there is one."),
    Kind("socket-library", "error", "upgrade", "The library for WebSockets is not installed",
         "It is an extra, and nothing was looked at.", "Install lockgate[websocket]."),
    Kind("socket-subprotocol", "warning", "upgrade", "The subprotocol mcp is not chosen",
         "Clients that ask for it give up when the answer does not name it, browsers among them.",
         "Choose `mcp` of the subprotocols that are offered."),
    Kind("socket-noise", "error", "frames", "Something comes that is no message",
         "Each text message has to be one JSON-RPC message, whole.",
         "Send one message each, as text; write logs elsewhere."),
    Kind("socket-closed", "error", "frames", "A connection is closed under way",
         "The server ends it at something it does not know, or a proxy at a pause; all calls on it "
         "are lost.",
         "Answer unknown methods with -32601 and go on; send pings, and raise the timeouts of "
         "proxies."),
    Kind("session-id", "error", "sessions", "The session id has characters it must not have",
         "Only visible ASCII is allowed, or headers break on the way.",
         "Use a random id of letters and digits."),
    Kind("session-same", "error", "sessions", "Two clients get the same session",
         "The id is fixed or easily guessed, so one client can act as another.",
         "Make each id from at least 128 random bits."),
    Kind("session-lost", "error", "sessions", "A session is forgotten at once",
         "Another process answers than the one that opened it (several workers, a load balancer "
         "without affinity), or a proxy drops Mcp-Session-Id.",
         "Run one process, keep sessions at their process, or serve without sessions; let the "
         "proxy pass the header both ways."),
    Kind("session-unneeded", "warning", "sessions", "Requests without the session id are served",
         "An id was given out, and is not asked for.",
         "Refuse them with 400, or give out no id."),
    Kind("session-any", "error", "sessions", "Any session id will do",
         "A session that never was is served: the id is not looked at.",
         "Answer 404 to unknown ids."),
    Kind("session-code", "warning", "sessions", "An unknown session is not answered with 404",
         "Clients open a new session on 404 alone; on anything else they stay broken until they "
         "are restarted.",
         "Answer 404 to ids that are unknown or over."),
    Kind("session-undead", "error", "sessions", "A session is served after it was ended",
         "DELETE was answered, and the session is still there.",
         "End it, and answer 404 from then on."),
    Kind("session-end", "note", "sessions", "Sessions cannot be ended",
         "DELETE is refused, which is allowed; sessions stay until they expire.",
         "Serve DELETE if sessions hold anything, and let them expire."),
    Kind("session-end-fails", "warning", "sessions", "Ending a session fails",
         "DELETE gets an answer that is neither success nor 405.",
         "Answer DELETE with 200 or 204, or with 405."),
    Kind("stream-none", "note", "streaming", "There is no stream for what the server says by "
         "itself",
         "GET is refused, which is allowed: changes and requests outside of a call cannot be "
         "told.",
         "Nothing, unless list_changed or subscriptions are to work."),
    Kind("stream-type", "error", "streaming", "GET is answered with something that is no stream",
         "With GET clients ask for text/event-stream; 405 is the answer where there is none.",
         "Answer 405, or with the stream."),
    Kind("stream-silent", "error", "streaming", "The stream is asked for, and nothing begins",
         "The headers of the stream are held back, most often by a proxy that buffers, or until "
         "the first event.",
         "Switch buffering off (nginx: proxy_buffering off), and send the headers at once."),
    Kind("stream-cut", "error", "streaming", "An event stream ends without the answer",
         "The server or a proxy closes it too early.",
         "Keep it open until the response was sent; raise the read timeouts of proxies."),
    Kind("stream-noise", "error", "streaming", "An event is no message",
         "Each event's data has to be one JSON-RPC message.",
         "Send nothing else; keep alive with comments (lines that begin with a colon)."),
    Kind("stream-buffered", "note", "streaming", "Nothing tells proxies not to buffer the stream",
         "X-Accel-Buffering: no is missing; nginx then holds events back.",
         "Send the header with every event stream."),
    Kind("changes-none", "note", "changes", "It does not tell of changes",
         "Neither list_changed nor subscriptions are declared, so clients have to ask again.",
         "Declare and send them if lists change while it runs."),
    Kind("changes-unheard", "warning", "changes", "It declares changes that cannot be told",
         "listChanged or subscribe is declared, and there is no stream to tell on.",
         "Serve the stream, or do not declare it."),
    Kind("listen-refused", "error", "changes", "subscriptions/listen is refused",
         "Changes are declared, and the method that tells them is missing.",
         "Serve subscriptions/listen, or do not declare listChanged and subscribe."),
    Kind("listen-silent", "error", "changes", "The subscription is never acknowledged",
         "The stream begins, and its first message does not come: a server that forgets it, or a "
         "proxy that buffers.",
         "Send notifications/subscriptions/acknowledged first; switch buffering off."),
    Kind("listen-untagged", "error", "changes", "What a subscription tells is not tagged with it",
         "`_meta` lacks io.modelcontextprotocol/subscriptionId, or it is not the id of the "
         "request, so that clients cannot tell whose it is.",
         "Put the id of the listen request into every notification of its stream."),
    Kind("listen-more", "error", "changes", "It acknowledges what nobody asked for",
         "The acknowledgement may name a part of the filter, and nothing beside it.",
         "Answer with what of the filter is honoured."),
    Kind("subscribe-refused", "error", "changes", "resources/subscribe is refused",
         "resources.subscribe is declared.",
         "Serve it, or do not declare it."),
    Kind("header-unchecked", "error", "headers", "Headers that contradict the body are served",
         "Mcp-Method, Mcp-Name or MCP-Protocol-Version say something else than the body. What "
         "stands in front (rules, rate limits, logs) decides by headers, and is deceived.",
         "Compare them, and refuse with 400 and -32020."),
    Kind("header-missing", "error", "headers", "Requests without the headers of the protocol are "
         "served",
         "2026-07-28 demands MCP-Protocol-Version, Mcp-Method and Mcp-Name.",
         "Refuse with 400 and -32020 what lacks them."),
    Kind("header-code", "warning", "headers", "Wrong headers are refused in the wrong way",
         "400 and the error -32020 tell clients to refresh what they know of the tool and to try "
         "again.",
         "Answer with 400 and -32020."),
    Kind("header-case", "error", "headers", "Header names are taken as case-sensitive",
         "Proxies change their case, as HTTP allows.",
         "Compare names without regard to case."),
    Kind("header-base64", "error", "headers", "An encoded Mcp-Name is not understood",
         "Names that are no plain ASCII travel as =?base64?…?= and have to be decoded before "
         "they are compared.",
         "Decode them."),
    Kind("header-version", "warning", "headers", "A wrong MCP-Protocol-Version is not refused",
         "In the revisions from 2025-06-18 on, an unknown version in the header wants 400.",
         "Refuse it."),
    Kind("get-served", "warning", "headers", "GET or DELETE are served to clients of 2026-07-28",
         "That revision knows POST alone.",
         "Answer 405 with Allow: POST."),
)
# fmt: on
