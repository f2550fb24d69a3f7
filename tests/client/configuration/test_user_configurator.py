from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratuslab.client import InstanceType
from stratuslab.client.configuration.cloud import STANDARD_INSTANCE_TYPES, CertificateFiles, Password
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import CloudOf, Configured


def test_the_least_that_a_cloud_needs(cloud_of: CloudOf) -> None:
    cloud = cloud_of()
    assert cloud.location == "default"
    assert cloud.name == "default"
    assert cloud.country == "unknown"
    assert cloud.source == "the configuration file, section [default]"
    assert cloud.compute.url == "https://cloud.example.org:2634/pswd/xmlrpc"
    assert cloud.required_pdisk().url == "https://cloud.example.org:8445"
    assert cloud.marketplace.url == "https://marketplace.stratuslab.eu"
    assert cloud.credentials == cloud.pdisk_credentials == Password("alice", "s3cret")
    assert dict(cloud.instance_types) == dict(STANDARD_INSTANCE_TYPES)
    assert cloud.default_instance_type == "m1.small"
    assert cloud.context_method == "one"
    assert cloud.public_key_file is None
    assert cloud.private_key_file is None
    assert cloud.verify_tls is True
    assert cloud.ca_certificate is None
    assert cloud.timeout == 60


def test_the_standard_instance_types() -> None:
    assert {
        kind.name: (kind.cpu, kind.ram_mib, kind.swap_mib) for kind in STANDARD_INSTANCE_TYPES.values()
    } == {
        "t1.micro": (1, 512, 512),
        "m1.small": (1, 1536, 1536),
        "m1.medium": (1, 3072, 3072),
        "m1.large": (2, 6144, 6144),
        "m1.xlarge": (4, 8192, 8192),
        "c1.medium": (2, 1536, 1536),
        "c1.xlarge": (4, 6144, 6144),
    }


def test_every_key_reaches_the_cloud(tmp_path: Path, configured: Configured) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    cloud = configured(
        {"selected_section": "my-cloud"},
        **{
            "my-cloud": {
                "name": "My cloud",
                "country": "Europe",
                "endpoint": "https://cloud.example.org/one-proxy/xmlrpc",
                "pdisk_endpoint": "https://disks.example.org/pdisk/",
                "marketplace_endpoint": "https://images.example.org/marketplace/metadata",
                "username": "alice",
                "password": "s3cret",
                "pdisk_username": "bob",
                "pdisk_password": "hidden",
                "endpoint_timeout": "2.5",
                "default_instance_type": "my.type",
                "default_context_method": "cloud-init",
                "user_public_key_file": "~/key.pub",
                "user_private_key_file": "/keys/key",
                "verify_tls": "no",
                "ca_certificate": str(authority),
            },
            "instance_types": {"my.type": "3, 4096, 0"},
        },
    ).cloud("my-cloud")
    assert cloud.location == "my-cloud"
    assert cloud.name == "My cloud"
    assert cloud.country == "Europe"
    assert cloud.compute.url == "https://cloud.example.org/one-proxy/pswd/xmlrpc"
    assert cloud.required_pdisk().url == "https://disks.example.org/pdisk"
    assert cloud.marketplace.url == "https://images.example.org/marketplace"
    assert cloud.credentials == Password("alice", "s3cret")
    assert cloud.pdisk_credentials == Password("bob", "hidden")
    assert cloud.timeout == 2.5
    assert cloud.default_instance_type == "my.type"
    assert cloud.instance_types["my.type"] == InstanceType("my.type", 3, 4096, 0)
    assert cloud.context_method == "cloud-init"
    assert cloud.public_key_file == Path.home() / "key.pub"
    assert cloud.private_key_file == Path("/keys/key")
    assert cloud.verify_tls is False
    assert cloud.ca_certificate == authority


def test_a_certificate_and_its_key(pem_files: tuple[Path, Path], configured: Configured) -> None:
    certificate, key = pem_files
    cloud = configured(
        {
            "endpoint": "https://cloud.example.org",
            "pem_certificate": str(certificate),
            "pem_key": str(key),
        }
    ).cloud("default")
    assert cloud.credentials == cloud.pdisk_credentials == CertificateFiles(certificate, key)
    assert cloud.compute.url == "https://cloud.example.org/one-proxy/cert/xmlrpc"
    assert cloud.required_pdisk().url == "https://cloud.example.org/pdisk"


def test_a_password_goes_before_a_certificate(pem_files: tuple[Path, Path], cloud_of: CloudOf) -> None:
    certificate, key = pem_files
    cloud = cloud_of(pem_certificate=str(certificate), pem_key=str(key))
    assert cloud.credentials == Password("alice", "s3cret")


def test_pdisk_may_take_a_password_where_compute_takes_a_certificate(
    pem_files: tuple[Path, Path], configured: Configured
) -> None:
    certificate, key = pem_files
    cloud = configured(
        {
            "endpoint": "https://cloud.example.org",
            "pem_certificate": str(certificate),
            "pem_key": str(key),
            "pdisk_endpoint": "http://cloud.example.org/pdisk",
            "allow_plain_http": "true",
            "pdisk_username": "alice",
            "pdisk_password": "s3cret",
        }
    ).cloud("default")
    assert cloud.credentials == CertificateFiles(certificate, key)
    assert cloud.pdisk_credentials == Password("alice", "s3cret")
    assert cloud.required_pdisk().url == "http://cloud.example.org/pdisk"


@pytest.mark.parametrize("key", ["endpoint", "pdisk_endpoint"])
def test_a_certificate_is_shown_over_https_only(
    pem_files: tuple[Path, Path], key: str, configured: Configured
) -> None:
    certificate, pem_key = pem_files
    keys = {
        "endpoint": "https://cloud.example.org",
        "pem_certificate": str(certificate),
        "pem_key": str(pem_key),
        key: "http://cloud.example.org:9000/x",
    }
    with pytest.raises(ConfigurationError, match=rf"\[default\], key {key}: is not https"):
        configured(keys).cloud("default")


def test_a_section_takes_what_it_leaves_out_from_default(
    configured: Configured, minimum: dict[str, str]
) -> None:
    configurator = configured(
        minimum | {"country": "Europe", "endpoint_timeout": "7", "selected_section": "mine"},
        mine={"username": "bob", "password": "hidden"},
    )
    cloud = configurator.cloud("mine")
    assert cloud.credentials == Password("bob", "hidden")
    assert cloud.compute.host == "cloud.example.org"
    assert cloud.country == "Europe"
    assert cloud.timeout == 7
    assert configurator.cloud("default").credentials == Password("alice", "s3cret")


def test_the_name_is_not_inherited(configured: Configured, minimum: dict[str, str]) -> None:
    configurator = configured(minimum | {"name": "Default's own"}, mine={})
    assert configurator.cloud("default").name == "Default's own"
    assert configurator.cloud("mine").name == "mine"


def test_an_empty_key_inherits_nothing(configured: Configured, minimum: dict[str, str]) -> None:
    configurator = configured(
        minimum | {"country": "Europe", "pdisk_endpoint": "elsewhere.example.org"},
        mine={"country": "", "pdisk_endpoint": ""},
    )
    assert configurator.cloud("mine").country == "unknown"
    assert configurator.cloud("mine").required_pdisk().host == "cloud.example.org"


def test_keys_in_capitals_are_the_same_keys(configured: Configured, minimum: dict[str, str]) -> None:
    assert configured(minimum, mine={"USERNAME": "bob"}).cloud("mine").credentials == Password(
        "bob", "s3cret"
    )


def test_the_last_of_two_equal_keys_and_of_two_equal_sections_counts(
    configured: Configured, minimum: dict[str, str]
) -> None:
    minimum["password"] = "s3cret\nusername = bob\n[default]\ncountry = Europe"
    cloud = configured(minimum).cloud("default")
    assert cloud.credentials == Password("bob", "s3cret")
    assert cloud.country == "Europe"


def test_an_opennebula_without_proxy_has_no_pdisk(cloud_of: CloudOf) -> None:
    assert cloud_of(endpoint="localhost").pdisk is None


def test_an_opennebula_without_proxy_may_be_given_a_pdisk(cloud_of: CloudOf) -> None:
    cloud = cloud_of(endpoint="localhost", pdisk_endpoint="disks.example.org")
    assert cloud.required_pdisk().url == "https://disks.example.org:8445"


@pytest.mark.parametrize(
    ("endpoint", "pdisk"),
    [
        ("https://cloud.example.org/one-proxy/xmlrpc", "https://cloud.example.org/pdisk"),
        ("https://cloud.example.org", "https://cloud.example.org/pdisk"),
        ("cloud.example.org", "https://cloud.example.org:8445"),
        ("https://cloud.example.org:2634/xmlrpc", "https://cloud.example.org:8445"),
    ],
)
def test_pdisk_is_beside_compute_where_nothing_is_said(endpoint: str, pdisk: str, cloud_of: CloudOf) -> None:
    assert cloud_of(endpoint=endpoint).required_pdisk().url == pdisk


def test_a_wrong_endpoint_is_told_of_the_endpoint_and_not_of_pdisk(refusal_of: Callable[..., str]) -> None:
    assert "key endpoint: begins with ftp://" in refusal_of(endpoint="ftp://cloud.example.org")
