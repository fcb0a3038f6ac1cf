"""The command line: options in, text and exit codes out.

Must not know: how anything works inside; it speaks `gateway.app` and `config` only. Modules here
are imported by the command that needs them, so that `lockgate --version` stays instant.
"""
