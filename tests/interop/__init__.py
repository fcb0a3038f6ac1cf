"""Clients and servers that nobody here wrote, through the gateway."""
