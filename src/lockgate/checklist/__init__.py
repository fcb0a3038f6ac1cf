"""What a deployment should have, and which of it a configuration has.

Must not know: the command line, rules about source.
"""
