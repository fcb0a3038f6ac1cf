"""Who is calling, and by whose word: tokens, keys, and the documents that describe them.

Must not know: sockets, MCP methods, servers, configuration files. What is fetched over HTTP is
fetched through `fetch.Fetch`, which the gateway provides.
"""
