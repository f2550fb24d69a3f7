from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LOOK = """\
import configparser, os, xmlrpc.client
configuration = configparser.ConfigParser()
configuration.read(os.environ["STRATUSLAB_CONFIG"])
url = configuration["sandbox"]["endpoint"].replace("://", "://oneadmin:x@").replace("/xmlrpc", "/pswd/xmlrpc")
with xmlrpc.client.ServerProxy(url) as cloud:
    cloud.one.vm.allocate("session", "CPU = 3")
    print(cloud.one.vmpool.info("session", -2, -1, -1, -2)[1])
    print(cloud.one.hostpool.info("session")[1])
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stratuslab.sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def look(*options: str) -> subprocess.CompletedProcess[str]:
    user = ["--user", "oneadmin:x", "--boot-seconds", "0"]
    return run("exec", *user, *options, "--", sys.executable, "-c", LOOK)


def test_hosts_and_their_capacity() -> None:
    ended = look("--hosts", "2", "--host-capacity", "2:1024")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "<STATE>1</STATE>" in ended.stdout
    assert re.findall(r"<MAX_CPU>(\d+)", ended.stdout) == ["200", "200"]
    assert re.findall(r"<MAX_MEM>(\d+)", ended.stdout) == ["1048576", "1048576"]


def test_state(tmp_path: Path) -> None:
    path = tmp_path / "state"
    assert re.findall(r"<VM><ID>(\d+)", look("--state", str(path)).stdout) == ["0"]
    assert re.findall(r"<VM><ID>(\d+)", look("--state", str(path)).stdout) == ["0", "1"]
    assert [*tmp_path.iterdir()] == [path]


def test_a_file_which_is_no_state(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("mine")
    ended = run("serve", "--state", str(path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"stratuslab-sandbox: {path} cannot be the state of a sandbox: file is not a database\n"
    )
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    "options",
    [
        ["--hosts", "0"],
        ["--hosts", "many"],
        ["--host-capacity", "2"],
        ["--host-capacity", "2:"],
        ["--host-capacity", "-1:512"],
        ["--host-capacity", "1:0.5"],
    ],
)
def test_wrong_options(options: list[str]) -> None:
    ended = run("serve", *options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "host" in ended.stderr.splitlines()[-1]
