"""Where everything meets: `app` composes, the router decides which server a call is about.

Nothing below this folder may import it.
"""
