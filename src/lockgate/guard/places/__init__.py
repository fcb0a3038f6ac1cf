"""Where an argument leads, if it is a path or a URL, and whether it may.

Must not know: tools, calls, how names are looked up.
"""
