"""New projects, made from the template beside this file and brought up to date later.

Must not know: terminals, and what the template's files say.
"""
