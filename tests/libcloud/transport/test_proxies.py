"""Clouds that are reached through a proxy."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import InvalidArgumentError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer
    from tests.libcloud.transport.conftest import Authority, Gate


def services(gate: Gate) -> set[str]:
    """Return which services of the cloud "here" were asked for."""
    paths = (seen.target.partition("/here/")[2] for seen in gate.seen)
    return {path.partition("/")[0] for path in paths}


def far(sandbox: Sandbox) -> str:
    """Return the sandbox's URL with a name that only the proxy knows."""
    return sandbox.url.replace("127.0.0.1", "cloud.invalid")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_all_services_are_asked_through_the_proxy(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    use: Callable[[StratusLabNodeDriver], None],
) -> None:
    proxy = gate()
    use(driver_at(sandbox.url, {"proxy_url": proxy.url}))

    assert services(proxy) == {"one-proxy", "pdisk", "marketplace"}
    assert len(proxy.seen) == len(sandbox.request_log)
    assert all(seen.target.startswith(sandbox.url) for seen in proxy.seen)
    assert len({seen.client_port for seen in proxy.seen}) == 3


def test_secure_services_are_asked_through_a_tunnel(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    use: Callable[[StratusLabNodeDriver], None],
    authority: Authority,
) -> None:
    cloud, proxy = secure(), gate()
    use(driver_at(cloud.url, {"proxy_url": proxy.url}, ca_certificate=authority.file))

    assert proxy.operations() == [f"CONNECT 127.0.0.1:{cloud.server_port}"] * 3
    assert services(cloud) == {"one-proxy", "pdisk", "marketplace"}


def test_the_proxys_password_goes_to_the_proxy_only(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], gate: Callable[..., Gate]
) -> None:
    cloud, proxy = gate(sandbox.url), gate()
    url = proxy.url.replace("//", "//alice:opensesame@")
    driver_at(cloud.url, {"proxy_url": url}).list_nodes()

    assert [seen.headers["Proxy-Authorization"] for seen in proxy.seen] == ["Basic YWxpY2U6b3BlbnNlc2FtZQ=="]
    assert [seen.headers["Proxy-Authorization"] for seen in cloud.seen] == [None]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_the_environment_can_name_the_proxy(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    proxy = gate()
    monkeypatch.setenv(variable, proxy.url)
    driver_at(far(sandbox), allow_plain_http="true").list_nodes()

    assert services(proxy) == {"one-proxy"}


@pytest.mark.parametrize("exceptions", ["", "localhost", "example.org"])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_a_loopback_address_goes_through_no_proxy_of_the_environment(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    use: Callable[[StratusLabNodeDriver], None],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    exceptions: str,
) -> None:
    proxy = gate()
    monkeypatch.setenv(variable, proxy.url)
    monkeypatch.setenv("NO_PROXY", exceptions)
    for url in (sandbox.url, sandbox.url.replace("127.0.0.1", "localhost")):
        use(driver_at(url))

    assert proxy.seen == []


def test_a_proxys_password_beyond_latin_1_is_utf_8(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], gate: Callable[..., Gate]
) -> None:
    proxy = gate()
    driver_at(sandbox.url, {"proxy_url": proxy.url.replace("//", "//alice:%C5%BElu%C5%A5@")}).list_nodes()

    pair = base64.b64encode("alice:žluť".encode()).decode()
    assert [seen.headers["Proxy-Authorization"] for seen in proxy.seen] == [f"Basic {pair}"]


def test_the_environment_can_name_exceptions(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = gate()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    driver_at(sandbox.url).list_nodes()

    assert proxy.seen == []


def test_the_argument_counts_more_than_the_environment(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    use: Callable[[StratusLabNodeDriver], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy, other = gate(), gate()
    monkeypatch.setenv("HTTP_PROXY", other.url)
    use(driver_at(sandbox.url, {"proxy_url": proxy.url}))

    assert services(proxy) == {"one-proxy", "pdisk", "marketplace"}
    assert other.seen == []


def test_a_proxy_can_be_set_on_the_connection(
    sandbox: Sandbox,
    driver_at: Callable[..., StratusLabNodeDriver],
    gate: Callable[..., Gate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy, other = gate(), gate()
    monkeypatch.setenv("HTTP_PROXY", other.url)
    driver = driver_at(far(sandbox), allow_plain_http="true")
    driver.list_nodes()
    driver.connection.set_http_proxy(proxy.url)
    driver.list_nodes()

    assert (len(other.seen), len(proxy.seen)) == (1, 1)
    assert len(sandbox.request_log) == 2


def test_a_proxy_that_is_down_is_an_error_of_ours(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver]
) -> None:
    url = f"http://alice:opensesame@127.0.0.1:{closed_port()}"
    driver = driver_at(sandbox.url, {"proxy_url": url})

    for call in (driver.list_nodes, lambda: driver.create_volume(1, "data")):
        with pytest.raises(UnreachableError, match=r"through the proxy: .*Connection refused") as caught:
            call()
        assert "opensesame" not in str(caught.value) + repr(caught.value.__cause__)


def test_a_proxy_that_opens_no_tunnel_is_an_error_of_ours(
    secure: Callable[..., Gate],
    driver_at: Callable[..., StratusLabNodeDriver],
    serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer],
) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    driver = driver_at(secure().url, {"proxy_url": serve(refusal).url})

    for call in (driver.list_nodes, lambda: driver.create_volume(1, "data")):
        with pytest.raises(UnreachableError, match="through the proxy: 407 Proxy Authentication Required"):
            call()


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example.org",
        "proxy.example.org:3128",
        "http://proxy.example.org",
        "socks5://opensesame@proxy.example.org:1080",
        "http://opensesame@proxy.example.org:3128",
        "http://proxy.example.org:opensesame",
        "http://proxy.example.org:99999",
        "",
        7,
    ],
)
def test_what_is_no_proxy_is_refused_at_once_and_not_repeated(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], url: object
) -> None:
    with pytest.raises(InvalidArgumentError, match="the argument proxy_url: give scheme, host") as caught:
        driver_at(sandbox.url, {"proxy_url": url})
    assert "opensesame" not in str(caught.value)
