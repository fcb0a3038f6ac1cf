"""The configuration: its model, and the ways into it and out of it.

Must not know: fronts, upstreams, the gateway. Import from the modules: this file imports nothing,
so that `lockgate --version` does not pay for pydantic.
"""
