"""What is wrong with an MCP server, found out as a person would, one step after the other.

Must not know: terminals. The way in is `lockgate.doctor.run.examine`.

`steps` says what is looked at, `kinds` what can be found: both are tables, and the documentation is
made from them. `checks` holds one module for each topic. They speak to the server over the
gateway's own connections, but judge what came over them themselves: a client that forgives would
hide what another one trips over.
"""
