"""One concern per file; policies never import each other.

A policy sees canonical calls and replies only: no transports, no eras, no config files.
"""
