"""The arguments of the command stratuslab-sandbox."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path

from stratuslab.sandbox import defaults
from stratuslab.sandbox.dialect import DIALECTS
from stratuslab.sandbox.faults.rule import GRAMMAR
from stratuslab.sandbox.options import CLOUDS

DISTRIBUTION = "stratuslab-libcloud-drivers"
PROGRAM = "stratuslab-sandbox"
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
a terminal shows how to use them; anything else, and --json, gets one line of JSON that says where they are:

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


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all arguments but the command that exec runs."""
    parser = argparse.ArgumentParser(
        PROGRAM,
        description=_DESCRIPTION,
        epilog=_ANSWERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version(DISTRIBUTION)}")
    actions = parser.add_subparsers(dest="action", required=True, metavar="{serve,exec}")
    serve = actions.add_parser(
        "serve",
        help="serve clouds until the end of this process",
        description=_SERVE,
        epilog=GRAMMAR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument(
        "--json",
        action="store_true",
        help="print the line of JSON also on a terminal",
    )
    execute = actions.add_parser(
        "exec",
        help="run a command with clouds of its own",
        description=_EXEC,
        epilog=GRAMMAR,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=f"{PROGRAM} exec [OPTION]... -- COMMAND [ARGUMENT]...",
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
        choices=CLOUDS,
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
    parser.add_argument(
        "--boot-seconds",
        type=float,
        default=defaults.BOOT_SECONDS,
        metavar="S",
        help="how long a machine takes to start (default: %(default)s)",
    )
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
        help="the room on each host: a machine that finds none stays PENDING (default: room for any"
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
        help="serve https, with a certificate of an authority that is in the configuration (ca_certificate)",
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
        help="have an SSH server in each machine that is RUNNING, at an address of its own that only this"
        " computer has (127.86.0.1 and so on); it accepts the machine's key. Commands run in a folder"
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
