"""The command stratuslab-sandbox: a StratusLab cloud in one line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from queue import SimpleQueue
from typing import TYPE_CHECKING

from stratuslab.sandbox import EXTRA
from stratuslab.sandbox.cli_options import DISTRIBUTION, PROGRAM, make_parser
from stratuslab.sandbox.welcome import welcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from stratuslab.sandbox.sandbox import Sandbox

_FAILED, _NOT_EXECUTABLE, _NOT_FOUND, _SIGNALLED = 1, 126, 127, 128
_ENDING_SIGNALS = [number for number in signal.Signals if number.name in ("SIGHUP", "SIGINT", "SIGTERM")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process; return its exit status."""
    own, command = _divided(list(sys.argv[1:] if arguments is None else arguments))
    parser = make_parser()
    options, unknown = parser.parse_known_args(own)
    if unknown and options.action == "exec" and command is None:
        words = shlex.join(own[own.index(unknown[0]) :])
        parser.error(f"-- goes before the command; give: {PROGRAM} exec -- {words}")
    if unknown:
        parser.error(f"unknown arguments: {shlex.join(unknown)}")
    if options.action == "exec" and not command:
        parser.error("after exec and its options come -- and the command to run")
    if options.action != "exec" and command is not None:
        parser.error(f"{options.action} runs no command")
    try:
        sandbox = _sandbox(options)
        return _serve(sandbox, as_json=options.json) if command is None else _exec(sandbox, command)
    except ValueError as error:
        parser.error(str(error))
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        print(f"{PROGRAM}: please install {DISTRIBUTION}[sandbox]", file=sys.stderr)
    except OSError as error:
        text = error if error.filename or not error.strerror else error.strerror
        print(f"{PROGRAM}: {text}", file=sys.stderr)
    return _FAILED


def _divided(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in arguments:
        return arguments, None
    index = arguments.index("--")
    return arguments[:index], arguments[index + 1 :]


def _sandbox(options: argparse.Namespace) -> Sandbox:
    from stratuslab.sandbox.sandbox import Sandbox

    sandbox = Sandbox(
        locations=options.locations,
        cloud=options.cloud,
        users=dict(options.users) if options.users else None,
        boot_seconds=options.boot_seconds,
        hosts=options.hosts,
        host_capacity=options.host_capacity,
        dialect=options.dialect,
        state_file=options.state,
        port=options.port,
        tls=options.tls,
        certificate=options.certificate,
        ssh=options.ssh,
        ssh_port=options.ssh_port,
        config_file=options.config_out,
    )
    for rule in options.faults:
        sandbox.faults.add(rule)
    return sandbox


def _serve(sandbox: Sandbox, *, as_json: bool) -> int:
    endings: SimpleQueue[int] = SimpleQueue()
    for number in _ENDING_SIGNALS:
        signal.signal(number, lambda received, _frame: endings.put(received))
    with sandbox:
        for_a_person = sys.stdout.isatty() and not as_json
        print(welcome(sandbox) if for_a_person else _places(sandbox), flush=True)
        endings.get()
    return 0


def _places(sandbox: Sandbox) -> str:
    places: dict[str, object] = {
        "config": str(sandbox.config_file),
        "locations": sandbox.endpoints,
        "control": sandbox.control_url,
        "web_page": f"{sandbox.url}/",
    }
    if sandbox.ca_certificate is not None:
        places["ca_certificate"] = str(sandbox.ca_certificate)
    if sandbox.ssh_port:
        places["ssh_port"] = sandbox.ssh_port
    return json.dumps(places)


def _exec(sandbox: Sandbox, command: Sequence[str]) -> int:
    relay = _Relay()
    for number in _ENDING_SIGNALS:
        signal.signal(number, relay)
    with sandbox:
        environment = {
            **os.environ,
            "STRATUSLAB_CONFIG": str(sandbox.config_file),
            "STRATUSLAB_SANDBOX_CONTROL": sandbox.control_url,
            "STRATUSLAB_SANDBOX_SSH_PORT": str(sandbox.ssh_port),
        }
        try:
            process = subprocess.Popen(command, env=environment)  # noqa: S603 - it is what is asked for
        except FileNotFoundError:
            print(f"{PROGRAM}: {command[0]}: command not found", file=sys.stderr)
            return _NOT_FOUND
        except OSError as error:
            print(f"{PROGRAM}: {command[0]}: {error.strerror}", file=sys.stderr)
            return _NOT_EXECUTABLE
        relay.connect(process)
        status = process.wait()
    return status if status >= 0 else _SIGNALLED - status


class _Relay:
    """Passes signals on to the command; signals that came before its start are passed on then.

    After that, Ctrl-C is left out: the terminal sends it to the command as well.
    """

    def __init__(self) -> None:
        self._early: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, number: int, _frame: object) -> None:
        if self._process is None:
            self._early.append(number)
        elif number != signal.SIGINT:
            self._process.send_signal(number)

    def connect(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)
