from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratuslab.client.configuration.endpoints import (
    AuthPrefix,
    EndpointError,
    compute_endpoint,
    compute_endpoint_below,
    host_endpoint,
    marketplace_endpoint,
    pdisk_endpoint,
    pdisk_value_beside,
)

if TYPE_CHECKING:
    from collections.abc import Callable


HOST = "cloud.example.org"
HERE = f"https://{HOST}"

COMPUTE = {
    # what the configuration may hold: what is called with user name and password
    HOST: f"{HERE}:2634/pswd/xmlrpc",
    f"{HOST}/": f"{HERE}:2634/pswd/xmlrpc",
    f"{HOST}:2634": f"{HERE}:2634/pswd/xmlrpc",
    f"{HOST}:8443": f"{HERE}:8443/pswd/xmlrpc",
    f"{HOST}:2634/xmlrpc": f"{HERE}:2634/pswd/xmlrpc",
    f"{HOST}/one-proxy/xmlrpc": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HOST}/one-proxy": f"{HERE}/one-proxy/pswd/xmlrpc",
    HERE: f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}:443": f"{HERE}:443/one-proxy/pswd/xmlrpc",
    f"{HERE}:8443": f"{HERE}:8443/one-proxy/pswd/xmlrpc",
    f"{HERE}:2634": f"{HERE}:2634/pswd/xmlrpc",
    f"{HERE}:2634/": f"{HERE}:2634/pswd/xmlrpc",
    f"{HERE}:2634/xmlrpc": f"{HERE}:2634/pswd/xmlrpc",
    f"{HERE}/one-proxy/xmlrpc": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy/xmlrpc/": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}//one-proxy//xmlrpc//": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy/": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy/pswd": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy/cert/": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy/pswd/xmlrpc": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}/one-proxy/cert/xmlrpc/": f"{HERE}/one-proxy/pswd/xmlrpc",
    f"{HERE}:2634/pswd/xmlrpc": f"{HERE}:2634/pswd/xmlrpc",
    f"{HERE}/behind/one-proxy/xmlrpc": f"{HERE}/behind/one-proxy/pswd/xmlrpc",
    f"http://{HOST}:9208/xmlrpc": f"http://{HOST}:9208/pswd/xmlrpc",
    f"HTTPS://{HOST.upper()}/one-proxy/xmlrpc": f"{HERE}/one-proxy/pswd/xmlrpc",
    "http://localhost:9208/xmlrpc": "http://localhost:9208/pswd/xmlrpc",
    "192.0.2.7": "https://192.0.2.7:2634/pswd/xmlrpc",
    "[2001:db8::7]": "https://[2001:db8::7]:2634/pswd/xmlrpc",
    "[2001:db8::7]:8443": "https://[2001:db8::7]:8443/pswd/xmlrpc",
    "https://[2001:db8::7]": "https://[2001:db8::7]/one-proxy/pswd/xmlrpc",
    "https://[2001:DB8::7]:2634": "https://[2001:db8::7]:2634/pswd/xmlrpc",
}

DIRECT = {
    # OpenNebula without StratusLab's proxy
    "localhost": "http://localhost:2633/RPC2",
    "127.0.0.1": "http://127.0.0.1:2633/RPC2",
    "Localhost/": "http://localhost:2633/RPC2",
    f"http://{HOST}:2633": f"http://{HOST}:2633/RPC2",
    f"http://{HOST}:2633/": f"http://{HOST}:2633/RPC2",
    f"http://{HOST}:2633/RPC2": f"http://{HOST}:2633/RPC2",
    f"http://{HOST}:2633/RPC2/": f"http://{HOST}:2633/RPC2",
    f"{HERE}/opennebula/RPC2": f"{HERE}/opennebula/RPC2",
    f"{HOST}:2633": f"{HERE}:2633/RPC2",
    f"{HOST}:2633/RPC2": f"{HERE}:2633/RPC2",
    f"{HOST}/RPC2": f"{HERE}/RPC2",
    "http://[::1]:2633": "http://[::1]:2633/RPC2",
}

PDISK = {
    HOST: f"{HERE}:8445",
    f"{HOST}/": f"{HERE}:8445",
    f"{HOST}:9000": f"{HERE}:9000",
    f"{HOST}/pdisk": f"{HERE}:8445/pdisk",
    f"{HOST}:443/pdisk/": f"{HERE}:443/pdisk",
    HERE: f"{HERE}/pdisk",
    f"{HERE}/": f"{HERE}/pdisk",
    f"{HERE}:443": f"{HERE}:443/pdisk",
    f"{HERE}:8445": f"{HERE}:8445",
    f"{HERE}:8445/": f"{HERE}:8445",
    f"{HERE}/pdisk": f"{HERE}/pdisk",
    f"{HERE}/pdisk/": f"{HERE}/pdisk",
    f"{HERE}/pdisk/pswd": f"{HERE}/pdisk",
    f"{HERE}/pdisk/cert/": f"{HERE}/pdisk",
    f"{HERE}/pdisk/disks/": f"{HERE}/pdisk",
    f"{HERE}/pdisk/pswd/disks/": f"{HERE}/pdisk",
    f"{HERE}:8445/cert/disks": f"{HERE}:8445",
    f"http://{HOST}:9206/pdisk": f"http://{HOST}:9206/pdisk",
    "[2001:db8::7]": "https://[2001:db8::7]:8445",
    "https://[2001:db8::7]:8445/": "https://[2001:db8::7]:8445",
}

MARKETPLACE = {
    HOST: HERE,
    f"{HOST}/": HERE,
    f"{HOST}/marketplace": f"{HERE}/marketplace",
    HERE: HERE,
    f"{HERE}/": HERE,
    f"{HERE}/metadata": HERE,
    f"{HERE}/metadata/": HERE,
    f"{HERE}/marketplace": f"{HERE}/marketplace",
    f"{HERE}/marketplace/": f"{HERE}/marketplace",
    f"{HERE}/marketplace/metadata/": f"{HERE}/marketplace",
    f"http://{HOST}:8081/marketplace": f"http://{HOST}:8081/marketplace",
    "[2001:db8::7]:8081": "https://[2001:db8::7]:8081",
    "my_cloud-1.café.": "https://my_cloud-1.café.",
}

BESIDE = {
    # where the volumes are if only the compute endpoint is given
    HOST: HOST,
    f"{HOST}:2634": HOST,
    f"{HOST}:2634/xmlrpc": HOST,
    HERE: f"{HERE}/pdisk",
    f"{HERE}/one-proxy/xmlrpc": f"{HERE}/pdisk",
    f"{HERE}:8443/one-proxy/pswd/xmlrpc": f"{HERE}:8443/pdisk",
    f"{HERE}/behind/one-proxy/xmlrpc": f"{HERE}/behind/pdisk",
    f"{HERE}:2634": f"{HERE}:8445",
    f"{HERE}:2634/xmlrpc": f"{HERE}:8445",
    "localhost": None,
    f"http://{HOST}:2633/RPC2": None,
}

REFUSED = [
    ("", "names no host"),
    ("https://", "names no host"),
    ("https:///one-proxy/xmlrpc", "names no host"),
    (f"ftp://{HOST}", "begins with ftp://; use https://"),
    (f"://{HOST}", "begins with ://; use https://"),
    (f'"{HERE}"', "is in quotes; leave them out"),
    (f"'{HOST}'", "is in quotes; leave them out"),
    (f"{HERE}..org", "has a host name that is not valid"),
    (f"https://{'a' * 64}.org", "has a host name that is not valid"),
    ("https://cloud%41.example.org", "has a host name that is not valid"),
    ("cloud\\example", "has a host name that is not valid"),
    (f"https:/{HOST}", "is not a URL"),
    (f"https:{HOST}", "is not a URL"),
    (f"{HERE}:0", "is not a URL"),
    (f"{HERE}:", "is not a URL"),
    (f"{HERE}:65536", "ports go from 1 to 65535"),
    (f"{HERE}:port", "is not a URL"),
    (f"{HERE}:-1", "is not a URL"),
    (f"{HOST}:port", "is not a URL"),
    ("https://[2001:db8::7", "is not a URL"),
    ("2001:db8::7", "is not a URL"),
    (f"https://alice:secret@{HOST}", "holds a user name or password"),
    (f"alice@{HOST}", "holds a user name or password"),
    (f"{HERE}/xmlrpc?session=secret", "holds a space, a ? or a #"),
    (f"{HERE}/xmlrpc#secret", "holds a space, a ? or a #"),
    (f"{HERE}/one proxy", "holds a space, a ? or a #"),
    (f"{HERE}\n/xmlrpc", "holds a space, a ? or a #"),
    (f"{HOST}, other.example.org", "holds a space, a ? or a #"),
]


def each(table: dict[str, str] | dict[str, str | None]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("value", "expected"), table.items(), ids=list(table))


@each(COMPUTE)
def test_compute_behind_the_proxy(value: str, expected: str) -> None:
    found = compute_endpoint(value, "pswd")
    assert found.url == expected
    assert not found.direct
    assert compute_endpoint(value, "cert").url == expected.replace("/pswd/", "/cert/")


@each(COMPUTE)
def test_what_compute_was_read_as_is_read_the_same_again(value: str, expected: str) -> None:
    assert compute_endpoint(expected, "pswd") == compute_endpoint(value, "pswd")


@each(DIRECT)
@pytest.mark.parametrize("prefix", ["pswd", "cert"])
def test_compute_without_a_proxy_takes_no_prefix(value: str, expected: str, prefix: AuthPrefix) -> None:
    found = compute_endpoint(value, prefix)
    assert found.url == expected
    assert found.direct


@each(PDISK)
def test_pdisk(value: str, expected: str) -> None:
    assert pdisk_endpoint(value).url == expected


@each(MARKETPLACE)
def test_marketplace(value: str, expected: str) -> None:
    assert marketplace_endpoint(value).url == expected


@each(BESIDE)
def test_pdisk_beside_compute(value: str, expected: str | None) -> None:
    assert pdisk_value_beside(value) == expected


@pytest.mark.parametrize(
    "read",
    [
        lambda value: compute_endpoint(value, "pswd"),
        pdisk_endpoint,
        marketplace_endpoint,
        pdisk_value_beside,
        host_endpoint,
    ],
    ids=["compute", "pdisk", "marketplace", "beside", "host"],
)
@pytest.mark.parametrize(("value", "message"), REFUSED, ids=[repr(value) for value, _ in REFUSED])
def test_refused(read: Callable[[str], object], value: str, message: str) -> None:
    with pytest.raises(EndpointError) as caught:
        read(value)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "given", "expected"),
    [
        (HOST, {}, HERE),
        (HOST, {"secure": False}, f"http://{HOST}"),
        (HOST, {"port": 8443}, f"{HERE}:8443"),
        (f"{HOST}:8443", {}, f"{HERE}:8443"),
        (f"{HOST}:8443", {"port": 9443}, f"{HERE}:9443"),
        (f"http://{HOST}/cloud/", {}, f"http://{HOST}/cloud"),
        ("[::1]", {"secure": False, "port": 80}, "http://[::1]:80"),
        (f"{HERE}/one-proxy/xmlrpc", {}, HERE),
        (f"{HERE}/cloud/one-proxy/", {}, f"{HERE}/cloud"),
        (f"{HERE}/cloud/one-proxy/pswd/xmlrpc", {"port": 9443}, f"{HERE}:9443/cloud"),
    ],
)
def test_host(host: str, given: dict[str, Any], expected: str) -> None:
    assert host_endpoint(host, **given).url == expected


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(EndpointError, match="ports go from 1 to 65535"):
        host_endpoint(HOST, port=port)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (HERE, f"{HERE}/one-proxy/cert/xmlrpc"),
        (f"{HERE}/cloud/", f"{HERE}/cloud/one-proxy/cert/xmlrpc"),
        (f"http://{HOST}:2633", f"http://{HOST}:2633/RPC2"),
        (f"http://{HOST}:2633/RPC2", f"http://{HOST}:2633/RPC2"),
        (f"{HERE}:8443/one/RPC2", f"{HERE}:8443/one/RPC2"),
    ],
)
def test_compute_below_a_host(base: str, expected: str) -> None:
    assert compute_endpoint_below(host_endpoint(base), "cert").url == expected


@pytest.mark.parametrize(
    ("url", "private"),
    [
        (HERE, True),
        ("http://localhost", True),
        ("http://127.0.0.1", True),
        ("http://127.8.8.8", True),
        ("http://[::1]", True),
        (f"http://{HOST}", False),
        ("http://192.0.2.7", False),
        ("http://[2001:db8::7]", False),
        (f"http://localhost.{HOST}", False),
        ("http://0.0.0.0", False),
    ],
)
def test_what_nobody_can_read_on_the_way(url: str, private: bool) -> None:
    assert host_endpoint(url).private is private


def test_an_endpoint_s_parts() -> None:
    found = compute_endpoint("https://[2001:db8::7]:8443/one-proxy/xmlrpc", "pswd")
    assert (found.secure, found.host, found.port, found.path) == (
        True,
        "[2001:db8::7]",
        8443,
        "/one-proxy/pswd/xmlrpc",
    )
    assert found.at("/elsewhere").url == "https://[2001:db8::7]:8443/elsewhere"
