"""What a developer sees of the requests, and what the cloud sees of the program."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import libcloud
import pytest
from libcloud.common.base import Connection
from libcloud.utils.loggingconnection import LoggingConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.transport.conftest import Gate


SECRETS = ("demo-pass", base64.b64encode(b"demo:demo-pass").decode())
PROGRAM = """
import sys
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
driver = StratusLabNodeDriver(stratuslab_user_config=sys.argv[1])
driver.create_node("web", driver.list_sizes()[0], driver.list_images()[0])
driver.create_volume(1, "data")
print([node.name for node in driver.list_nodes()], [volume.name for volume in driver.list_volumes()])
"""


@pytest.fixture
def debug_log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.setattr(LoggingConnection, "log", None)
    monkeypatch.setattr(Connection, "conn_class", Connection.conn_class)
    log = io.StringIO()
    libcloud.enable_debug(log)  # type: ignore[no-untyped-call]  # Libcloud's own has no types
    return log


def test_enable_debug_writes_requests_and_answers(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], debug_log: io.StringIO
) -> None:
    driver = driver_at(sandbox.url)
    driver.create_volume(3, "data")
    driver.list_nodes()

    log = debug_log.getvalue()
    assert "curl -i -X POST" in log
    assert f"--compress {sandbox.url}/here/pdisk/pswd/disks/" in log
    assert f"--compress {sandbox.url}/here/one-proxy/pswd/xmlrpc" in log
    assert "size=3&tag=data&visibility=private" in log
    assert "<methodName>one.vmpool.info</methodName>" in log
    assert "&lt;VM_POOL" in log


def test_libcloud_debug_in_the_environment(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "debug.log"
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, sandbox.config_file],
        env={**os.environ, "LIBCLOUD_DEBUG": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ran.stderr, ran.returncode) == ("", 0)
    assert "['web']" in ran.stdout
    log = file.read_text("utf-8")
    assert log.count(" request ----------") == log.count("begin") // 2 == len(sandbox.request_log) == 7
    assert "<methodName>one.vm.allocate</methodName>" in log
    assert [secret for secret in SECRETS if secret in log] == []


def test_the_cloud_is_told_who_asks(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], gate: Callable[..., Gate]
) -> None:
    cloud = gate(sandbox.url)
    driver = driver_at(cloud.url)
    driver.list_nodes()
    driver.connection.user_agent_append("worknode/1.0")  # type: ignore[no-untyped-call]  # Libcloud's own has no types
    driver.connection.user_agent_append("grid")  # type: ignore[no-untyped-call]  # Libcloud's own has no types
    driver.list_nodes()
    driver.list_volumes()

    plain = f"libcloud/{libcloud.__version__} (StratusLab)"
    assert [seen.headers["User-Agent"] for seen in cloud.seen] == [
        plain,
        f"{plain} (worknode/1.0) (grid)",
        plain,
    ]
