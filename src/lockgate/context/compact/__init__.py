"""Definitions of tools, shorter: without a difference to what they accept, or knowingly so.

Must not know: who is shown them.
"""
