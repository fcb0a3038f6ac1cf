"""The protocol as bytes and values, for both eras. Pure: no I/O, no event loop.

`*_in` modules face clients, `*_out` modules face servers; the rest serves both.
"""
