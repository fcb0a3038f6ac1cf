"""What goes wrong in the source of MCP servers, found without running it.

Must not know: the command line, gateways, configurations.
"""
