"""The steps of a diagnosis, one module for each topic. Each is told of a `Visit` and tells it back.

Must not know: which step comes before or after.
"""
