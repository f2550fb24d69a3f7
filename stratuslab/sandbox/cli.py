"""The command stratuslab-sandbox: a StratusLab cloud in one line."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from stratuslab.sandbox import defaults
from stratuslab.sandbox.dialect import DIALECTS
from stratuslab.sandbox.faults.rule import GRAMMAR
from stratuslab.sandbox.opennebula.releases import RELEASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratuslab.sandbox.sandbox import Sandbox

_PROGRAM = "stratuslab-sandbox"
_DESCRIPTION = """\
StratusLab clouds on this machine: compute (OpenNebula), volumes (PDisk) and images (the Marketplace), as
release 14.06 had them. For trying, and for tests: no machine is really started.
"""
_ANSWERS = """\
How do I see what it is?    stratuslab-sandbox exec -- python examples/lifecycle.py
How do I start a cloud?     stratuslab-sandbox serve; open its "web_page" in a browser to look inside
How for one command only?   stratuslab-sandbox exec -- COMMAND
Where is the configuration? serve prints its path ("config"); exec puts it into STRATUSLAB_CONFIG, where the
                            Libcloud driver finds it by itself
How do I stop it?           Ctrl-C; exec stops by itself. Nothing is left but a file of --state
Is it safe?                 It listens on this machine alone, sends nothing anywhere, and asks for a password
                            which is in the configuration; but with --ssh, commands run as you
And in pytest?              the fixtures stratuslab_sandbox and stratuslab_driver come with this package
"""
_SERVE = """\
Start StratusLab clouds on this machine and serve them until SIGINT (Ctrl-C) or SIGTERM. When they are ready,
one line of JSON says where they are:

  {"config": FILE, "locations": {NAME: {"endpoint": URL, "pdisk_endpoint": URL, "marketplace_endpoint": URL}},
   "control": URL, "web_page": URL}

and with --tls also "ca_certificate": FILE, with --ssh also "ssh_port": NUMBER.
"""
_EXEC = """\
Start StratusLab clouds on this machine, run COMMAND with their configuration file in the environment variable
STRATUSLAB_CONFIG, the URL of their control in STRATUSLAB_SANDBOX_CONTROL and the port of --ssh in
STRATUSLAB_SANDBOX_SSH_PORT, and end the clouds after it. The exit status is that of COMMAND: 128+N if signal
N ended it, 127 if there is no such command, 126 if it cannot be run.
"""
_REQUIREMENTS = ("werkzeug", "cryptography", "asyncssh")
_FAILED, _NOT_EXECUTABLE, _NOT_FOUND, _SIGNALLED = 1, 126, 127, 128
_ENDING_SIGNALS = [number for number in signal.Signals if number.name in ("SIGHUP", "SIGINT", "SIGTERM")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those of the process; return its exit status."""
    own, command = _divided(list(sys.argv[1:] if arguments is None else arguments))
    parser = _parser()
    options = parser.parse_args(own)
    if options.action == "exec" and not command:
        parser.error("after exec and its options come -- and the command to run")
    if options.action != "exec" and command is not None:
        parser.error(f"{options.action} runs no command")
    try:
        sandbox = _sandbox(options)
        return _serve(sandbox) if command is None else _exec(sandbox, command)
    except ValueError as error:
        parser.error(str(error))
    except ModuleNotFoundError as error:
        if error.name not in _REQUIREMENTS:
            raise
        print(f"{_PROGRAM}: please install stratuslab-libcloud-drivers[sandbox]", file=sys.stderr)
    except OSError as error:
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
    return _FAILED


def _divided(arguments: list[str]) -> tuple[list[str], list[str] | None]:
    if "--" not in arguments:
        return arguments, None
    index = arguments.index("--")
    return arguments[:index], arguments[index + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        _PROGRAM,
        description=_DESCRIPTION,
        epilog=_ANSWERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="{serve,exec}")
    serve = actions.add_parser(
        "serve",
        help="serve clouds until the end of this process",
        description=_SERVE,
        epilog=GRAMMAR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    execute = actions.add_parser(
        "exec",
        help="run a command with clouds of its own",
        description=_EXEC,
        epilog=GRAMMAR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=f"{_PROGRAM} exec [OPTION]... -- COMMAND [ARGUMENT]...",
    )
    for subparser in (serve, execute):
        _add_options(subparser)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    users = " and ".join(f"{name}:{password}" for name, password in defaults.USERS.items())
    parser.add_argument(
        "--locations",
        type=lambda text: text.split(","),
        default=defaults.LOCATIONS,
        metavar="NAME[,NAME...]",
        help=f"a cloud for each name, which may have its own kind behind it, as in paris,lyon:opennebula-6.10"
        f" (default: {','.join(defaults.LOCATIONS)})",
    )
    parser.add_argument(
        "--cloud",
        choices=(defaults.CLOUD, *RELEASES),
        default=defaults.CLOUD,
        help="the kind of the clouds: StratusLab 14.06, or an OpenNebula without it (default: %(default)s)",
    )
    parser.add_argument(
        "--user",
        type=_user,
        action="append",
        dest="users",
        metavar="NAME:PASSWORD",
        help=f"somebody who may log in; may be given several times, the configuration has the first one"
        f" (default: {users}; with --ssh the passwords are random)",
    )
    _add_boot_seconds(parser)
    parser.add_argument(
        "--hosts",
        type=int,
        default=defaults.HOSTS,
        metavar="N",
        help="how many hosts each cloud has (default: %(default)s)",
    )
    parser.add_argument(
        "--host-capacity",
        type=_capacity,
        metavar="CORES:MIB",
        help="the room on each host: a machine for which there is none stays PENDING (default: room for any"
        " number of machines)",
    )
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        default=defaults.DIALECT,
        help="how the services word their answers: as in release 14.06, the default; the same without"
        " thousands separators; or as when their development ended",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="where to keep all that happens in the clouds, for the next time (default: nowhere)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        dest="faults",
        metavar="RULE",
        help="let something go wrong on purpose, as described below; may be given several times",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="where to listen on 127.0.0.1; 0, the default, is a free port",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="serve https, with a certificate of an authority which is in the configuration (ca_certificate)",
    )
    parser.add_argument(
        "--certificate",
        metavar="DN",
        help="with --tls: have the certificate of a user of this name, such as CN=Jane Tester,O=StratusLab,"
        " in the configuration, instead of a name and a password",
    )
    parser.add_argument(
        "--ssh",
        action="store_true",
        help="have an SSH server in each machine that is RUNNING, at an address of its own which only this"
        " computer has (127.86.0.1 and so on); it lets in who has the machine's key. Commands run in a folder"
        " of the machine, BUT AS YOU, with all your rights (Linux only). The passwords of the users are"
        " random, or those of --user, never the published ones",
    )
    parser.add_argument(
        "--ssh-port",
        type=int,
        default=0,
        metavar="PORT",
        help="the port of all these SSH servers; 0, the default, is a free port",
    )
    parser.add_argument(
        "--config-out",
        type=Path,
        metavar="FILE",
        help="where to write the configuration file, which is removed at the end; an existing file is never"
        " overwritten (default: in a temporary directory)",
    )


def _add_boot_seconds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--boot-seconds",
        type=float,
        default=defaults.BOOT_SECONDS,
        metavar="S",
        help="how long a machine takes to start (default: %(default)s)",
    )


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError("a user is NAME:PASSWORD")
    return name, password


def _capacity(text: str) -> tuple[int, int]:
    cores, colon, mebibytes = text.partition(":")
    if not (colon and cores.isdecimal() and mebibytes.isdecimal()):
        raise argparse.ArgumentTypeError("a capacity is CORES:MIB, two whole numbers")
    return int(cores), int(mebibytes)


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


def _serve(sandbox: Sandbox) -> int:
    endings: SimpleQueue[int] = SimpleQueue()
    for number in _ENDING_SIGNALS:
        signal.signal(number, lambda received, _frame: endings.put(received))
    with sandbox:
        place: dict[str, object] = {
            "config": str(sandbox.config_file),
            "locations": sandbox.endpoints,
            "control": sandbox.control_url,
            "web_page": f"{sandbox.url}/",
        }
        if sandbox.ca_certificate is not None:
            place["ca_certificate"] = str(sandbox.ca_certificate)
        if sandbox.ssh_port:
            place["ssh_port"] = sandbox.ssh_port
        print(json.dumps(place), flush=True)
        endings.get()
    return 0


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
            print(f"{_PROGRAM}: {command[0]}: command not found", file=sys.stderr)
            return _NOT_FOUND
        except OSError as error:
            print(f"{_PROGRAM}: {command[0]}: {error.strerror}", file=sys.stderr)
            return _NOT_EXECUTABLE
        relay.connect(process)
        status = process.wait()
    return status if status >= 0 else _SIGNALLED - status


class _Relay:
    """Hands signals on to the command, which gets those that came too early when it is there.

    Ctrl-C is left out then: the terminal sends it to the command as well.
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
