from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stratuslab.client import Cloud
from stratuslab.client.configuration.cloud import Password
from stratuslab.client.errors import ConfigurationError

HOST = "cloud.example.org"
HERE = f"https://{HOST}"


def cloud_at(host: str, **given: Any) -> Cloud:
    return Cloud.at_host(host, username="alice", password="s3cret", **given)


@pytest.mark.parametrize(
    ("host", "given", "compute", "pdisk", "marketplace"),
    [
        (HOST, {}, f"{HERE}/one-proxy/pswd/xmlrpc", f"{HERE}/pdisk", f"{HERE}/marketplace"),
        (
            HOST,
            {"port": 8443},
            f"{HERE}:8443/one-proxy/pswd/xmlrpc",
            f"{HERE}:8443/pdisk",
            f"{HERE}:8443/marketplace",
        ),
        (
            f"{HERE}/a/b/",
            {},
            f"{HERE}/a/b/one-proxy/pswd/xmlrpc",
            f"{HERE}/a/b/pdisk",
            f"{HERE}/a/b/marketplace",
        ),
        ("localhost", {}, "http://localhost:2633/RPC2", None, "https://localhost/marketplace"),
        ("Localhost/", {}, "http://localhost:2633/RPC2", None, "https://localhost/marketplace"),
        ("127.0.0.1", {}, "http://127.0.0.1:2633/RPC2", None, "https://127.0.0.1/marketplace"),
        (
            "localhost",
            {"port": 8080, "secure": False},
            "http://localhost:8080/one-proxy/pswd/xmlrpc",
            "http://localhost:8080/pdisk",
            "http://localhost:8080/marketplace",
        ),
        (f"{HERE}:2633", {}, f"{HERE}:2633/RPC2", None, f"{HERE}:2633/marketplace"),
        (
            "127.0.0.1",
            {"port": 2633, "secure": False},
            "http://127.0.0.1:2633/RPC2",
            None,
            "http://127.0.0.1:2633/marketplace",
        ),
        ("http://127.0.0.1:9/RPC2", {}, "http://127.0.0.1:9/RPC2", None, "http://127.0.0.1:9/marketplace"),
    ],
    ids=[
        "name",
        "port",
        "URL",
        "localhost",
        "localhost-slash",
        "loopback",
        "localhost-port",
        "OpenNebula-URL",
        "OpenNebula",
        "OpenNebula-path",
    ],
)
def test_the_services_of_a_host(
    host: str, given: dict[str, Any], compute: str, pdisk: str | None, marketplace: str
) -> None:
    cloud = cloud_at(host, **given)
    assert cloud.compute.url == compute
    assert (cloud.pdisk and cloud.pdisk.url) == pdisk
    assert cloud.marketplace.url == marketplace


def test_a_host_is_a_location_of_its_name() -> None:
    cloud = cloud_at(f"{HERE}:8443/cloud")
    assert (cloud.location, cloud.name, cloud.country) == (HOST, HOST, "unknown")
    assert cloud.credentials == cloud.pdisk_credentials == Password("alice", "s3cret")


def test_a_host_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="the argument host holds a user name or password") as caught:
        cloud_at(f"https://bob:hidden@{HOST}")
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize(("host", "given"), [(f"http://{HOST}", {}), (HOST, {"secure": False})])
def test_a_host_by_plain_http_is_refused(host: str, given: dict[str, bool]) -> None:
    with pytest.raises(ConfigurationError, match=f"the argument host: {HOST} would be reached by plain http"):
        cloud_at(host, **given)


def test_a_cloud_without_volumes_says_so() -> None:
    with pytest.raises(ConfigurationError, match="key pdisk_endpoint: is missing"):
        cloud_at("localhost").required_pdisk()
    assert cloud_at(HOST).required_pdisk().url == f"{HERE}/pdisk"


@pytest.mark.parametrize("name", ["timeout", "credentials", "compute"])
def test_settings_do_not_change(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(cloud_at(HOST), name, None)


def test_clouds_are_the_same_only_if_they_are_one_object() -> None:
    cloud, other = cloud_at(HOST), cloud_at(HOST)
    assert cloud != other
    assert len({cloud, other}) == 2


def test_no_password_is_shown() -> None:
    cloud = dataclasses.replace(cloud_at(HOST), proxy_url="http://bob:hidden@proxy.example.org:3128")
    assert "alice" in repr(cloud)
    for text in (repr(cloud), str(cloud), repr(cloud.credentials), str(cloud.credentials)):
        assert "s3cret" not in text
        assert "hidden" not in text


def test_a_user_name_with_a_colon_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="holds a colon"):
        Cloud.at_host(HOST, username="a:b", password="s3cret")
    with pytest.raises(ConfigurationError, match="holds a colon"):
        Cloud.at_opennebula(HOST, username="a:b", password="s3cret")
