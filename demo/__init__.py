"""`make demo`: Lockgate in front of real servers that nobody here wrote, called by their client.

Must not know: anything inside `lockgate`. The demo is a user: it writes a config, starts the
command, and speaks to the endpoint. Installs go to `.demo/` and nothing else is changed.
"""
