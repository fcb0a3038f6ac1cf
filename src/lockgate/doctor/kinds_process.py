"""What can be found about a server that is started as a process and speaks over stdio.

Must not know: how anything is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.doctor.kind import Kind

# fmt: off
PROCESS: Final = (
    Kind("sandbox-lacking", "error", "sandbox", "Its sandbox cannot be held here",
         "This machine lacks what the sandbox in the configuration is made of, or the command "
         "leaves open what it runs.",
         "Do what the line says; `lockgate check` without arguments says what this machine has."),
    Kind("command-missing", "error", "command", "The command cannot be started",
         "It is not installed, not on the PATH that servers get, misspelt, or not executable.",
         "Name its full path. For a script name the interpreter: python server.py."),
    Kind("start-ended", "error", "start", "It ends before it has answered",
         "The program fails at start; its last words are shown.",
         "Run the same command by hand. It gets only a small environment: name the variables it "
         "needs (--env NAME here, `env` in a configuration)."),
    Kind("start-module", "error", "start", "A package it needs is not installed",
         "Another Python or Node runs it than the one the package was installed for; or the "
         "package is in a folder, and it was started in another.",
         "Install the package there, name the interpreter of the right environment, or start it "
         "in its folder (`cwd` in a configuration)."),
    Kind("start-python", "error", "start", "It does not run on this version of its language",
         "The server, or a package of it, needs a newer one (the official SDK: Python 3.10).",
         "Name a newer interpreter as the command."),
    Kind("start-port", "error", "start", "The port it wants is taken",
         "Another process listens there, often an earlier run of the same server.",
         "End that one or choose another port; a stdio server needs none."),
    Kind("start-permission", "error", "start", "It may not read, write or run what it needs",
         "Permissions of files, or a sandbox that is tighter than the server expects.",
         "Give it what the message names, or start it where it may."),
    Kind("start-package", "error", "start", "The package that is to be run cannot be had",
         "npx, uvx or docker cannot find or download it.",
         "Check its name and version, and the network."),
    Kind("start-environment", "error", "start", "It misses a setting",
         "A variable of the environment is not set: servers get only a small part of ours.",
         "Pass it on: --env NAME here, `env` in a configuration."),
    Kind("start-http", "error", "start", "It serves HTTP and not stdio",
         "The program was started with an HTTP transport, so it never reads its standard input.",
         "Run `lockgate check URL` with the URL it prints, or start it with its stdio transport."),
    Kind("start-fragile", "warning", "start", "It ends at a request before initialize",
         "Clients of today ask server/discover first, and servers that do not know it have to "
         "answer with an error.",
         "Answer unknown requests with -32601 at any time; update the SDK."),
    Kind("start-silent", "error", "start", "It runs and does not answer",
         "It waits for something: a download, a login, a terminal; or it does not read stdin; or "
         "its output is buffered and never flushed.",
         "Run the command by hand and look at what it waits for; flush stdout after each message."),
    Kind("stdout-noise", "error", "stdout", "It prints other things than messages on stdout",
         "print(), a banner, a progress bar or a logger writes to stdout, which belongs to the "
         "protocol alone. Strict clients end the connection at the first such line.",
         "Send them to stderr: print(..., file=sys.stderr), logging to stderr, quiet options."),
    Kind("stdout-framing", "error", "stdout", "Its messages are not one a line",
         "It writes Content-Length headers as language servers do, or breaks a message over "
         "several lines.",
         "Write each message as one line of JSON, ended by a line feed."),
    Kind("exit-stays", "warning", "exit", "It does not end when its input is closed",
         "A thread or a connection keeps it alive, so every client that goes leaves one behind.",
         "End when standard input ends; make threads daemons; close what is open."),
    Kind("exit-killed", "error", "exit", "It does not even end on SIGTERM",
         "It ignores the signal, or hangs in a call that cannot be interrupted.",
         "Do not catch SIGTERM without ending; it had to be killed."),
    Kind("exit-code", "note", "exit", "It ends with an error code when its input is closed",
         "The end of input is taken for a failure.",
         "End with 0: the client is done, and nothing has gone wrong."),
    Kind("exit-early", "error", "exit", "It ended in the middle of the diagnosis",
         "A request made it crash; the last words say more.",
         "Catch what a single request raises, and answer it with an error."),
)
# fmt: on
