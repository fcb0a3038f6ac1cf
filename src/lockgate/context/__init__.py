"""What models are shown, and what that costs them: counting, compacting, finding. Pure.

Must not know: event loops, files, configuration, or how anything reaches a client.
"""
