"""A program: `controlling_terminal.py TERMINAL COMMAND [ARGUMENT]...` becomes a command on that terminal.

It is to be the leader of a new session, whose controlling terminal the first one is that it opens. Signals
which a terminal sends have their usual effect again: a sandbox in the background may have had to ignore them.
"""

from __future__ import annotations

import os
import signal
import sys

_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP)


def become(terminal: str, command: list[str]) -> None:
    """Become the command, or say on the terminal why not, and exit."""
    descriptor = os.open(terminal, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - it is what is asked for
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    become(sys.argv[1], sys.argv[2:])
