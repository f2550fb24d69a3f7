"""Whom the driver believes to be the cloud."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import libcloud.security
import pytest

from stratuslab.client.errors import TlsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.transport.conftest import Authority, Gate


TRUSTING = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
CALLS = {
    "compute": lambda driver: driver.list_nodes(),
    "pdisk": lambda driver: driver.list_volumes(),
    "marketplace": lambda driver: driver.list_images(),
}
every_service = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_service
def test_a_certificate_of_a_stranger_is_refused(
    secure: Callable[..., Gate], driver_at: Callable[..., StratusLabNodeDriver], call: Callable[..., object]
) -> None:
    cloud = secure()
    with pytest.raises(TlsError) as caught:
        call(driver_at(cloud.url))

    text = str(caught.value)
    assert text.startswith("location 'here': ")
    assert "no secure connection to 127.0.0.1:" in text
    assert "certificate verify failed" in text
    assert "see verify_tls and ca_certificate in the configuration file, section [here]" in text
    assert cloud.seen == []


def test_the_authority_of_the_section_is_trusted(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    authority: Authority,
) -> None:
    cloud = secure()
    use(driver_at(cloud.url, ca_certificate=authority.file))

    assert len({seen.client_port for seen in cloud.seen}) == 3


@every_service
def test_the_certificate_of_another_host_is_refused(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    authority: Authority,
    call: Callable[..., object],
) -> None:
    cloud = secure("cloud.example.org")
    with pytest.raises(TlsError, match=r"not valid for '127\.0\.0\.1'|'127\.0\.0\.1' doesn't match"):
        call(driver_at(cloud.url, ca_certificate=authority.file))
    assert cloud.seen == []


@TRUSTING
def test_whoever_wants_no_verification_is_warned(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "stratuslab"):
        use(driver_at(secure().url, verify_tls="false"))

    warnings = sorted(record.getMessage() for record in caplog.records if record.name[:10] == "stratuslab")
    assert warnings == [
        f"location 'here': the certificate of the {service} service is not verified (verify_tls = false)"
        for service in ("compute", "marketplace", "pdisk")
    ]


def test_nobody_is_warned_where_there_is_no_certificate(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    use(driver_at(sandbox.url, verify_tls="false"))

    assert caplog.text == ""


@TRUSTING
def test_libclouds_switch_counts_when_the_connection_is_made(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = secure()
    driver = driver_at(cloud.url)
    monkeypatch.setattr(libcloud.security, "VERIFY_SSL_CERT", False)
    use(driver)

    monkeypatch.setattr(libcloud.security, "VERIFY_SSL_CERT", True)
    use(driver)
    with pytest.raises(TlsError):
        driver_at(cloud.url).list_nodes()


def test_libclouds_authorities_are_trusted(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libcloud.security, "CA_CERTS_PATH", str(authority.file))
    use(driver_at(secure().url))


def test_the_authorities_of_the_environment_are_trusted_where_libcloud_has_none(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libcloud.security, "CA_CERTS_PATH", None)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    use(driver_at(secure().url))


@TRUSTING
def test_the_environment_brings_no_verification_back(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    use: Callable[[StratusLabNodeDriver], None],
    make_authority: Callable[[str], Authority],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(make_authority("stranger").file))
    use(driver_at(secure().url, verify_tls="false"))


@every_service
def test_the_authority_of_the_section_goes_before_libclouds_settings(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    authority: Authority,
    make_authority: Callable[[str], Authority],
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., object],
) -> None:
    stranger = make_authority("stranger")
    monkeypatch.setattr(libcloud.security, "VERIFY_SSL_CERT", False)
    monkeypatch.setattr(libcloud.security, "CA_CERTS_PATH", str(authority.file))

    with pytest.raises(TlsError):
        call(driver_at(secure().url, ca_certificate=stranger.file))


@every_service
def test_authorities_that_are_not_there_are_an_error_of_ours(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[..., object],
) -> None:
    monkeypatch.setattr(libcloud.security, "CA_CERTS_PATH", "/no/such/file")

    with pytest.raises(TlsError, match="/no/such/file"):
        call(driver_at(secure().url))


def test_a_file_without_certificates_is_an_error_of_ours(
    secure: Callable[..., Gate], driver_at: Callable[..., StratusLabNodeDriver], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")

    with pytest.raises(TlsError, match="see verify_tls and ca_certificate"):
        driver_at(secure().url, ca_certificate=empty).list_nodes()


@pytest.mark.parametrize("last_words", [b"", b"this is no TLS record"], ids=["cut", "garbled"])
def test_a_secure_connection_that_breaks_after_the_request_hides_nothing_that_was_made(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    authority: Authority,
    last_words: bytes,
) -> None:
    cloud = secure()
    cloud.cut = lambda seen: seen.method == "POST" and seen.target.endswith("/disks/")
    cloud.last_words = last_words
    driver = driver_at(cloud.url, ca_certificate=authority.file)

    volume = driver.create_volume(1, "data")

    assert [listed.id for listed in driver.list_volumes()] == [volume.id]
    assert cloud.operations().count("POST /here/pdisk/pswd/disks/") == 1
