"""How the gateway gets the credentials it shows to servers: it as a client of OAuth.

Must not know: MCP methods, transports, sessions, how a server is called. What is fetched over HTTP
is fetched through `lockgate.identity.fetch.Fetch`; what is kept is kept in a `Vault`.

The order of the files: `challenge` and `metadata` read what others say; `discovery` finds the
authorization server; `clients` and `registration` are who we are to it; `flow` sends a person
there and judges the answer; `tokens` and `grants` ask for tokens; `renewal` keeps one fresh.
`granted`, `person` and `passed` put these together: each is the
`lockgate.core.credentials.Credentials` of one server.
"""
