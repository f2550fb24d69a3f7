"""What a person needs to use a running sandbox: its page, the variable to export, a first program."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stratuslab.sandbox.sandbox import Sandbox


def export_line(config_file: Path, ssh_port: int = 0) -> str:
    """Return the line by which a shell, and what is started from it, finds the clouds and their machines."""
    line = f"export STRATUSLAB_CONFIG={shlex.quote(str(config_file))}"
    return f"{line} STRATUSLAB_SANDBOX_SSH_PORT={ssh_port}" if ssh_port else line


def first_program(endpoints: Sequence[str]) -> list[str]:
    """Return the lines of a program that lists the nodes; `endpoints` are the names of the first cloud's."""
    kind = "StratusLab" if "pdisk_endpoint" in endpoints else "OpenNebula"
    return [
        f"from stratuslab.libcloud.{kind.lower()}_driver import {kind}NodeDriver",
        f'driver = {kind}NodeDriver("default")',
        "print(driver.list_images())",
    ]


def welcome(sandbox: Sandbox) -> str:
    """Return what `serve` writes on a terminal."""
    endpoints = sandbox.endpoints
    line = "; ".join(first_program([*next(iter(endpoints.values()))]))
    return "\n".join(
        [
            f"Ready: {', '.join(endpoints)}",
            "",
            f"Look inside:   {sandbox.url}/",
            "",
            "In another terminal:",
            f"  {export_line(sandbox.config_file, sandbox.ssh_port)}",
            f"  python3 -c {shlex.quote(line)}",
            "",
            "Ctrl-C ends it; nothing is left.",
        ]
    )
