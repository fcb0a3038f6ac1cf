"""Servers, and everything it takes to speak to them in their own era.

Must not know: clients' transports, other servers' existence, policies.
"""
