"""The gateway's policies around a server in its own process.

    import lockgate

    server = lockgate.harden(mcp, "mcp.json")  # an ASGI application
    server.run("stdio")  # or without a web server

`harden` takes a server of the official SDK, of FastMCP, or any ASGI application that serves MCP,
and the configuration that a gateway takes. `beside` puts the result next to another application.
"""

from lockgate.hosts.beside import beside
from lockgate.hosts.coverage import ROWS
from lockgate.hosts.harden import harden
from lockgate.hosts.hardened import Hardened

__all__ = ["ROWS", "Hardened", "beside", "harden"]
