"""What Lockgate tells about itself: logs, and later metrics and traces.

Must not know: how calls are handled. Nothing here is on the path of a call.
"""
