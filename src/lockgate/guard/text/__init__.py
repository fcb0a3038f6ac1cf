"""Text as a model reads it: what it looks like, what it stands for, and where it was found.

Must not know: what is suspicious about anything (`lockgate.guard.signals`).
"""
