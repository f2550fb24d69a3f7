from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.command import run, run_python

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.slow

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


def look(*options: str) -> subprocess.CompletedProcess[str]:
    return run_python(LOOK, "--user", "oneadmin:x", "--boot-seconds", "0", *options)


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
