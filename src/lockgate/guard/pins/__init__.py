"""What was approved of each server, as values: written, read, compared.

Must not know: where it is kept, who asks, event loops.
"""
