"""Transports that face clients, and what is served on them.

Must not know: upstreams, policies, configuration. A front turns what a client sent into a Call and
a Reply into what that client understands.
"""
