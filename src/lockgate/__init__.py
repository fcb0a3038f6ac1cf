"""Lockgate takes any MCP server to production: one hardened, fast endpoint in front of many.

The words, each meaning one thing everywhere: Call, Reply (Result or Failure), Policy, Stage, Chain,
Target, Front, Upstream, Endpoint, Era, Principal, Finding, Store.
"""

__version__ = "0.1.0.dev0"
