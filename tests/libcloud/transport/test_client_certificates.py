"""Users who show a certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.errors import ConfigurationError, ServiceError, TlsError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.transport.conftest import Authority, Gate, Seen


@pytest.fixture
def keys(authority: Authority, sandbox: Sandbox) -> dict[str, Any]:
    """The keys of a section with demo's certificate, and with a Marketplace that wants none."""
    certificate, key = authority.issue("demo")
    return {
        "pem_certificate": certificate,
        "pem_key": key,
        "ca_certificate": authority.file,
        "marketplace_endpoint": f"{sandbox.url}/here/marketplace",
    }


@pytest.fixture
def cloud(secure: Callable[..., Gate], authority: Authority) -> Gate:
    """A cloud that lets nobody in without a certificate."""
    return secure(clients=authority)


def of_service(seen: list[Seen], service: str) -> list[Seen]:
    return [request for request in seen if f"/{service}/" in request.target]


def test_the_certificate_opens_compute_and_pdisk(
    cloud: Gate,
    driver_at: Callable[..., StratusLabNodeDriver],
    keys: dict[str, Any],
    use: Callable[[StratusLabNodeDriver], None],
) -> None:
    use(driver_at(cloud.url, **keys))

    compute, pdisk = of_service(cloud.seen, "one-proxy"), of_service(cloud.seen, "pdisk")
    assert {request.target for request in compute} == {"/here/one-proxy/cert/xmlrpc"}
    assert {request.target.rpartition("/")[0] for request in pdisk} == {"/here/pdisk/cert/disks"}
    assert {request.user for request in compute + pdisk} == {"demo"}
    assert all(b">dummy:pass<" in request.body for request in compute)
    assert [it for it in cloud.seen if it.headers["Authorization"] or b"demo-pass" in it.body] == []
    assert len({request.client_port for request in compute}) == 1


def test_a_grid_proxy_is_one_file_for_both(
    cloud: Gate,
    driver_at: Callable[..., StratusLabNodeDriver],
    keys: dict[str, Any],
    use: Callable[[StratusLabNodeDriver], None],
    tmp_path: Path,
) -> None:
    proxy = tmp_path / "x509up"
    proxy.write_bytes(keys["pem_certificate"].read_bytes() + keys["pem_key"].read_bytes())
    use(driver_at(cloud.url, **{**keys, "pem_certificate": proxy, "pem_key": proxy}))

    assert {request.user for request in cloud.seen} == {"demo"}


def test_pdisk_can_take_a_password_where_compute_takes_a_certificate(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    keys: dict[str, Any],
    use: Callable[[StratusLabNodeDriver], None],
    sandbox: Sandbox,
) -> None:
    cloud = secure()
    login = {"pdisk_username": "demo", "pdisk_password": "demo-pass"}
    driver = driver_at(cloud.url, **keys, **login)
    driver.list_volumes()

    [request] = cloud.seen
    assert request.target == "/here/pdisk/pswd/disks/"
    assert request.headers["Authorization"].startswith("Basic ")
    assert request.user is None
    assert [logged.status for logged in sandbox.request_log] == [200]


def test_the_certificate_is_shown_through_a_proxy(
    cloud: Gate,
    driver_at: Callable[..., StratusLabNodeDriver],
    keys: dict[str, Any],
    use: Callable[[StratusLabNodeDriver], None],
    gate: Callable[..., Gate],
) -> None:
    proxy = gate()
    driver_at(cloud.url, {"proxy_url": proxy.url}, **keys).list_nodes()

    assert proxy.operations() == [f"CONNECT 127.0.0.1:{cloud.server_port}"]
    assert [request.user for request in cloud.seen] == ["demo"]


def test_a_certificate_that_the_cloud_does_not_trust(
    cloud: Gate,
    driver_at: Callable[..., StratusLabNodeDriver],
    keys: dict[str, Any],
    make_authority: Callable[[str], Authority],
) -> None:
    certificate, key = make_authority("stranger").issue("demo")
    driver = driver_at(cloud.url, **{**keys, "pem_certificate": certificate, "pem_key": key})

    with pytest.raises(TlsError, match="alert unknown ca; see pem_certificate and pem_key"):
        driver.list_nodes()
    with pytest.raises(TlsError):
        driver.create_volume(1, "data")
    assert cloud.seen == []


def test_a_user_whom_the_cloud_does_not_know(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], keys: dict[str, Any], authority: Authority
) -> None:
    certificate, key = authority.issue("mallory")
    driver = driver_at(cloud.url, **{**keys, "pem_certificate": certificate, "pem_key": key})

    with pytest.raises(ServiceError) as caught:
        driver.list_nodes()
    assert caught.value.http_code == 403


def test_the_key_of_another_certificate(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], keys: dict[str, Any], authority: Authority
) -> None:
    driver = driver_at(cloud.url, **{**keys, "pem_key": authority.issue("other")[1]})

    with pytest.raises(TlsError, match="key values mismatch"):
        driver.list_nodes()


def test_a_key_with_a_password_is_no_question_to_the_terminal(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], keys: dict[str, Any], authority: Authority
) -> None:
    certificate, key = authority.issue("demo", password=b"secret")
    driver = driver_at(cloud.url, **{**keys, "pem_certificate": certificate, "pem_key": key})

    with pytest.raises(TlsError, match="key is encrypted"):
        driver.list_nodes()


@pytest.mark.parametrize("gone", ["pem_certificate", "pem_key"])
def test_a_file_that_has_gone_since(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], keys: dict[str, Any], gone: str
) -> None:
    driver = driver_at(cloud.url, **keys)
    assert driver.connection
    keys[gone].unlink()

    with pytest.raises(UnreachableError, match=str(keys[gone])):
        driver.list_nodes()
    with pytest.raises(UnreachableError, match=str(keys[gone])):
        driver.create_volume(1, "data")


def test_opennebula_without_proxy_takes_no_certificate(
    cloud: Gate, driver_at: Callable[..., StratusLabNodeDriver], keys: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="takes username and password, not a certificate"):
        driver_at(cloud.url, **keys, endpoint=f"{cloud.url}/here/RPC2").list_nodes()
