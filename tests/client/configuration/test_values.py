from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.configuration.cloud import Password
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import CloudOf, Configured


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"StratusLab Cloud"', "StratusLab Cloud"),
        ("'StratusLab Cloud'", "StratusLab Cloud"),
        ("StratusLab Cloud", "StratusLab Cloud"),
        ('"', '"'),
        ('""', "fallback"),
        ('"half', '"half'),
        ("\"mixed'", "\"mixed'"),
        ('say "cheese"', 'say "cheese"'),
        ("100 %% ours", "100 % ours"),
        ("Ours ; not theirs", "Ours"),
        ("Ours;theirs", "Ours;theirs"),
        ("Ours # 1", "Ours # 1"),
    ],
)
def test_names_and_countries_lose_their_quotes(
    written: str, read: str, configured: Configured, minimum: dict[str, str]
) -> None:
    cloud = configured(minimum, mine={"name": written, "country": written}).cloud("mine")
    assert cloud.name == read.replace("fallback", "mine")
    assert cloud.country == read.replace("fallback", "unknown")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a%%b", "a%b"),
        ("%%", "%"),
        ("%%(username)s", "%(username)s"),
        ('"quoted"', '"quoted"'),
        ("a;b#c", "a;b#c"),
        ("#a", "#a"),
        ("a=b:c", "a=b:c"),
        ("ünï", "ünï"),
        ("a b", "a b"),
    ],
)
def test_passwords_are_literal_but_for_the_percent_sign(written: str, read: str, cloud_of: CloudOf) -> None:
    assert cloud_of(password=written).credentials == Password("alice", read)


@pytest.mark.parametrize("password", ["s3cret%", "%s3cret", "s3%cret", "s3cret%(nothing)s", "%(s3cret"])
def test_a_single_percent_sign_is_refused_without_showing_the_value(
    password: str, refusal_of: Callable[..., str]
) -> None:
    assert refusal_of(password=password) == (
        "the configuration file, section [default], key password: "
        "holds a single percent sign; write %% for a percent sign"
    )


def test_a_percent_sign_in_default_is_told_of_default(
    configured: Configured, minimum: dict[str, str]
) -> None:
    configurator = configured(minimum | {"password": "s3cret%"}, mine={"username": "bob"})
    with pytest.raises(ConfigurationError, match=r"section \[default\], key password: holds a single"):
        configurator.cloud("mine")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("true", True),
        ("Yes", True),
        ("ON", True),
        ("1", True),
        ("False", False),
        ("off", False),
        ("0", False),
    ],
)
def test_verify_tls(written: str, read: bool, cloud_of: CloudOf) -> None:
    assert cloud_of(verify_tls=written).verify_tls is read


@pytest.mark.parametrize(
    "keys",
    [
        {"endpoint": "http://cloud.example.org", "allow_plain_http": "yes"},
        {"pdisk_endpoint": "http://cloud.example.org", "allow_plain_http": "true"},
        {"marketplace_endpoint": "http://cloud.example.org"},
        {"endpoint": "http://localhost:8080/xmlrpc"},
        {"endpoint": "http://127.0.0.1:8080/xmlrpc"},
        {"endpoint": "http://[::1]:8080/xmlrpc"},
    ],
    ids=str,
)
def test_plain_http_goes_where_it_is_allowed_or_shows_no_password_to_others(
    keys: dict[str, str], cloud_of: CloudOf
) -> None:
    cloud = cloud_of(**keys)
    assert not (cloud.compute.secure and cloud.required_pdisk().secure and cloud.marketplace.secure)


@pytest.mark.parametrize(("written", "read"), [("0.25", 0.25), ("1e2", 100), ("300", 300)])
def test_the_time_out_is_in_seconds(written: str, read: float, cloud_of: CloudOf) -> None:
    assert cloud_of(endpoint_timeout=written).timeout == read


@pytest.mark.parametrize("written", ["C1.XLarge", "c1.xlarge"])
def test_the_default_instance_type_in_any_case(written: str, cloud_of: CloudOf) -> None:
    assert cloud_of(default_instance_type=written).default_instance_type == "c1.xlarge"


@pytest.mark.parametrize(("written", "read"), [("one", "one"), ("Cloud-Init", "cloud-init"), ("", "one")])
def test_the_context_method(written: str, read: str, cloud_of: CloudOf) -> None:
    assert cloud_of(default_context_method=written).context_method == read
