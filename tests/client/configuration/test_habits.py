"""Files as people have them: with keys of other programs, and with a grid proxy."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.configuration.cloud import CertificateFiles, Password
from stratuslab.client.configuration.user_configurator import UserConfigurator
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from stratuslab.client.configuration.cloud import Cloud

LOGIN = "username = demo\npassword = x\n"
PROXY = (
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"
)


def cloud(lines: str) -> Cloud:
    text = f"[default]\nendpoint = https://cloud.example.org/one-proxy/xmlrpc\n{lines}"
    return UserConfigurator(io.StringIO(text)).cloud("default")


def test_unknown_keys_are_named_with_the_nearest_right_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stratuslab"):
        cloud(f"{LOGIN}verify_ssl = false\npasswd = y\ncolour_of_page = red\nvm_requirements = x\n")

    said = [record.getMessage().partition("[default]: ")[2] for record in caplog.records]
    assert said == [
        "the key verify_ssl is unknown and is ignored; did you mean verify_tls?",
        "the key passwd is unknown and is ignored; did you mean password?",
        "the key colour_of_page is unknown and is ignored",
    ]


def test_right_keys_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stratuslab"):
        cloud(f"{LOGIN}name = x\nverify_tls = true\nendpoint_timeout = 7\ndefault_network = x\n")

    assert caplog.records == []


@pytest.fixture
def proxy(tmp_path: Path) -> Path:
    file = tmp_path / "x509up_u1000"
    file.write_text(PROXY)
    return file


def test_a_certificate_that_holds_its_key_is_enough(proxy: Path) -> None:
    credentials = cloud(f"pem_certificate = {proxy}\n").credentials

    assert credentials == CertificateFiles(proxy, proxy)


def test_the_proxy_of_the_environment_is_for_sections_without_credentials(
    proxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X509_USER_PROXY", str(proxy))

    assert cloud("").credentials == CertificateFiles(proxy, proxy)
    assert cloud(LOGIN).credentials == Password("demo", "x")


@pytest.mark.parametrize("name", ["/nowhere/x509up", "/"])
def test_a_proxy_that_is_missing_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X509_USER_PROXY", name)

    with pytest.raises(ConfigurationError, match=f"X509_USER_PROXY: found {name!r}; there is no such"):
        cloud("")
