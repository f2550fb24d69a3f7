"""Who gets to see a password, and who does not."""

from __future__ import annotations

import base64
import io
import logging
from typing import TYPE_CHECKING

import libcloud
import pytest
from libcloud.common.base import Connection
from libcloud.utils.loggingconnection import LoggingConnection

from stratuslab.client.errors import ConfigurationError
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from pathlib import Path

    from stratuslab.sandbox import Sandbox

PASSWORD = "demo-pass"
SECRETS = (PASSWORD, base64.b64encode(f"demo:{PASSWORD}".encode()).decode())


@pytest.fixture
def debug_log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    log = io.StringIO()
    monkeypatch.setattr(LoggingConnection, "log", None)
    monkeypatch.setattr(Connection, "conn_class", Connection.conn_class)
    libcloud.enable_debug(log)  # type: ignore[no-untyped-call]  # Libcloud's own has no types
    return log


def test_libclouds_debug_log_shows_requests_without_the_password(
    sandbox: Sandbox, debug_log: io.StringIO
) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
    driver.list_nodes()
    driver.create_volume(1, "x")
    driver.list_images()

    written = debug_log.getvalue()
    assert written.count("begin") == 8
    assert "one.vmpool.info" in written
    assert "Authorization: ***" in written
    assert [secret for secret in SECRETS if secret in written] == []
    assert {request.status for request in sandbox.request_log} == {200, 201}


def test_no_log_of_ours_or_of_the_libraries_below_holds_the_password(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
    with caplog.at_level(logging.DEBUG):
        driver.list_nodes()
        driver.list_volumes()

    assert "GET /here/pdisk/pswd/disks/" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def test_no_repr_holds_the_password(sandbox: Sandbox) -> None:
    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
    cloud = driver._at(None).cloud
    node = driver.create_node("x", driver.list_sizes()[0], driver.list_images()[0])

    for it in (driver, cloud, cloud.credentials, driver.connection, node, driver.list_locations()):
        assert PASSWORD not in repr(it)


SECTION = """
[default]
username = demo
password = demo-pass
[here]
endpoint = {endpoint}
pdisk_endpoint = {pdisk}
{more}
"""
SECURE = {"endpoint": "https://cloud.example.org", "pdisk": "https://cloud.example.org", "more": ""}


@pytest.mark.parametrize("key", ["endpoint", "pdisk"])
def test_a_password_is_not_sent_by_plain_http_unless_the_section_says_so(key: str) -> None:
    def cloud(**settings: str) -> object:
        text = SECTION.format(**{**SECURE, key: "http://cloud.example.org/x", **settings})
        return StratusLabNodeDriver(
            stratuslab_user_config=io.StringIO(text), stratuslab_default_location="here"
        ).connection

    with pytest.raises(ConfigurationError, match=rf"section \[here\], key {key}.*: is plain http"):
        cloud()
    assert cloud(more="allow_plain_http = true")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.9.10"])
def test_this_machine_is_reached_by_plain_http(host: str) -> None:
    assert StratusLabNodeDriver("u", "p", host=host, port=80, secure=False).connection


@pytest.mark.parametrize("host", ["cloud.example.org", "192.0.2.1", "127.0.0.1.example.org", "[2001:db8::1]"])
def test_another_machine_named_without_a_file_is_not(host: str) -> None:
    with pytest.raises(ConfigurationError, match="plain http"):
        StratusLabNodeDriver("u", "p", host=host, port=80, secure=False)


def test_a_file_that_others_can_read_is_told_of(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "user.cfg"
    file.write_text(sandbox.config_file.read_text())
    file.chmod(0o600)
    StratusLabNodeDriver(stratuslab_user_config=file)
    assert caplog.text == ""

    file.chmod(0o640)
    StratusLabNodeDriver(stratuslab_user_config=file)
    assert f"{file} holds a password and others can read it" in caplog.text
    assert PASSWORD not in caplog.text
