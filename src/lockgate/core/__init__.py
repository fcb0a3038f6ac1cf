"""The words of the engine: messages, policies and the one loop that runs them.

Pure: standard library and msgspec only. Nothing in this folder knows about HTTP, asyncio, eras of
the protocol as they look on the wire, or any store.
"""
