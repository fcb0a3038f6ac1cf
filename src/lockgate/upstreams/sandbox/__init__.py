"""What a stdio server may touch on this machine, and how the system is made to hold it to that.

Must not know: MCP, supervision. `spec` is what is asked for, `host` what this system can do, `plan`
what comes of both, `inner` the script that carries it out in the child before the server's program
takes its place, and `starting` what reaches the child from here and comes back.
"""
