from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.configuration.cloud import Password
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.conftest import Configured


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("endpoint", "", "is missing; write where the cloud is"),
        ("endpoint", "ftp://cloud.example.org", "begins with ftp://; use https:// (or http://)"),
        ("endpoint", "https://alice:s3cret@cloud.example.org", "holds a user name or password"),
        ("pdisk_endpoint", "https://cloud.example.org:99999", "is not a URL"),
        ("marketplace_endpoint", "https://cloud.example.org/a b", "holds a space"),
        ("username", "", "is missing; username and password go together"),
        ("password", "", "is missing; username and password go together"),
        ("username", "ali:ce", "holds a colon, which HTTP does not allow in user names"),
        ("default_instance_type", "huge", "found 'huge'; use one of t1.micro, m1.small, "),
        ("default_context_method", "iso", "found 'iso'; use one of one, cloud-init"),
        ("endpoint", "http://cloud.example.org", "is plain http, which shows your password to everybody"),
        ("pdisk_endpoint", "http://cloud.example.org", "is plain http, which shows your password"),
        ("verify_tls", "perhaps", "found 'perhaps'; use true or false"),
        ("endpoint_timeout", "soon", "found 'soon'; write a number of seconds above 0"),
        ("endpoint_timeout", "0", "found '0'; write a number of seconds above 0"),
        ("endpoint_timeout", "-1", "found '-1'; write a number of seconds above 0"),
        ("endpoint_timeout", "inf", "found 'inf'; write a number of seconds above 0"),
        ("endpoint_timeout", "nan", "found 'nan'; write a number of seconds above 0"),
        ("ca_certificate", "nowhere.pem", "found 'nowhere.pem'; there is no such file"),
        ("ca_certificate", "~no-such-user/ca.pem", "found '~no-such-user/ca.pem'; there is no such file"),
    ],
)
def test_a_wrong_value_is_told_with_file_section_and_key(
    key: str, value: str, problem: str, refusal_of: Callable[..., str]
) -> None:
    text = refusal_of(**{key: value})
    assert text.startswith(f"the configuration file, section [default], key {key}: {problem}")


@pytest.mark.parametrize(
    ("given", "key"), [("pdisk_username", "pdisk_password"), ("pdisk_password", "pdisk_username")]
)
def test_half_of_pdisk_s_credentials_is_refused(given: str, key: str, refusal_of: Callable[..., str]) -> None:
    assert refusal_of(**{given: "s3cret"}).endswith(
        f"key {key}: is missing; pdisk_username and pdisk_password go together"
    )


@pytest.mark.parametrize(
    ("given", "missing"), [("pem_certificate", "pem_key"), ("pem_key", "pem_certificate")]
)
def test_half_of_a_certificate_is_refused(
    pem_files: tuple[Path, Path], given: str, missing: str, configured: Configured
) -> None:
    keys = {"endpoint": "cloud.example.org", given: str(pem_files[0])}
    with pytest.raises(ConfigurationError, match=rf"key {missing}: is missing; a PEM certificate and"):
        configured(keys).cloud("default")


def test_no_credentials_at_all_are_refused(configured: Configured) -> None:
    with pytest.raises(ConfigurationError, match="key username: is missing; write username and password"):
        configured({"endpoint": "cloud.example.org"}).cloud("default")


def test_a_certificate_s_missing_file_is_refused(
    pem_files: tuple[Path, Path], configured: Configured
) -> None:
    keys = {
        "endpoint": "cloud.example.org",
        "pem_certificate": str(pem_files[0]),
        "pem_key": "gone.pem",
    }
    with pytest.raises(ConfigurationError, match=r"key pem_key: found 'gone.pem'; there is no such file"):
        configured(keys).cloud("default")


def test_a_file_that_the_system_does_not_let_us_look_for_is_refused(refusal_of: Callable[..., str]) -> None:
    assert refusal_of(ca_certificate="x" * 5000).startswith(
        "the configuration file, section [default], key ca_certificate: found 'xxx"
    )


def test_what_is_wrong_in_one_section_does_not_matter_to_another(
    configured: Configured, minimum: dict[str, str]
) -> None:
    wrong = {"endpoint": "ftp://", "username": "a:b", "password": "%", "verify_tls": "?", "name": "%x"}
    configurator = configured(minimum, bad=wrong, good={"username": "bob"})
    assert configurator.locations() == ["default", "bad", "good"]
    assert configurator.cloud("good").credentials == Password("bob", "s3cret")
    assert configurator.cloud("default").credentials == Password("alice", "s3cret")
    with pytest.raises(ConfigurationError, match=r"section \[bad\]"):
        configurator.cloud("bad")
    with pytest.raises(ConfigurationError, match=r"section \[bad\], key name: holds a single percent"):
        configurator.display_name("bad")
