"""`python -m lockgate`: the command line, where no script of that name is on PATH.

Must not know: any command.
"""

from lockgate.cli.main import main

if __name__ == "__main__":
    main()
