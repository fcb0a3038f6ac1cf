"""Building blocks for people who write servers: with the official SDK, with FastMCP, with neither.

Must not know: any SDK at import. Each block is one module and one page in docs/kit.
"""
