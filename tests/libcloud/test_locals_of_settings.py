"""A configuration or a constructor that is refused shows its password to no tool that reports crashes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from libcloud.compute.deployment import Deployment

from stratuslab.client import UserConfigurator
from stratuslab.client.configuration.cloud import Cloud
from stratuslab.client.errors import InvalidArgumentError, StratusLabError
from stratuslab.libcloud.opennebula_driver import OpenNebulaNodeDriver
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSWORD = "opensesame"
GOOD = f"[default]\nendpoint = https://h/one-proxy/xmlrpc\nusername = alice\npassword = {PASSWORD}\n"
FILES = {
    "no default section": GOOD.replace("default", "other"),
    "no section": GOOD.partition("\n")[2],
    "neither key nor value": f"{GOOD}nonsense {PASSWORD}\n",
    "single percent sign": GOOD.replace(PASSWORD, f"{PASSWORD}%x"),
    "no user name": GOOD.replace("username", "pdisk_username"),
    "colon": GOOD.replace("alice", "al:ice"),
    "half of a login": f"{GOOD}pdisk_password = {PASSWORD}\n",
    "login in the address": GOOD.replace("https://", f"https://alice:{PASSWORD}@"),
    "plain http": GOOD.replace("https", "http"),
    "time-out": f"{GOOD}endpoint_timeout = never\n",
    "selected section": f"{GOOD}selected_section = nowhere\n",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "port": {"port": 65536},
    "port's text": {"port": "https"},
    "colon": {"key": "al:ice"},
    "no key": {"key": None},
    "number as key": {"key": 7},
    "bytes as host": {"host": b"cloud.example.org"},
    "half a surrogate pair": {"secret": f"{PASSWORD}\udcff"},
    "endless time-out": {"timeout": 1e12},
    "host": {"host": "two words"},
    "login in the host": {"host": f"https://alice:{PASSWORD}@h"},
    "plain http": {"host": "http://h"},
    "secure": {"secure": "perhaps"},
    "time-out": {"timeout": "never"},
    "proxy": {"proxy_url": f"ftp://alice:{PASSWORD}@proxy:21"},
    "file too": {"stratuslab_user_config": "/nowhere"},
    "file only": {"host": None, "stratuslab_user_config": "/nowhere"},
}


def shown(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r} {error.args!r} {vars(error)!r}"
        step = error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            if "/tests/" not in code.co_filename:
                yield from (f"{code.co_name}: {name} = {it!r}" for name, it in step.tb_frame.f_locals.items())
            step = step.tb_next
        yield from shown(error.__context__) if error.__context__ is not error.__cause__ else ()
        error = error.__cause__


def assert_is_covered(call: Callable[[], object], secret: str = PASSWORD) -> StratusLabError:
    with pytest.raises(StratusLabError) as caught:
        call()
    found = list(shown(caught.value))
    assert found
    assert [line for line in found if secret in line] == []
    return caught.value


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("form", ["text", "bytes", "file"])
def test_a_wrong_file(tmp_path: Path, what: str, form: str) -> None:
    path = tmp_path / "user.cfg"
    path.write_text(FILES[what], encoding="utf-8")
    path.chmod(0o600)
    content = FILES[what]

    def source() -> Any:
        return {"text": io.StringIO(content), "bytes": io.BytesIO(content.encode()), "file": path}[form]

    assert_is_covered(lambda: StratusLabNodeDriver(stratuslab_user_config=source()).list_nodes())
    assert_is_covered(lambda: UserConfigurator(source()).cloud(UserConfigurator(source()).selected_location))


def test_a_file_that_is_no_text() -> None:
    for ending in (b"\xff", b"\xc3"):
        content = io.BytesIO(GOOD.encode() + ending)
        assert_is_covered(lambda content=content: UserConfigurator(content))  # type: ignore[misc]  # bound now


@pytest.mark.parametrize("what", ARGUMENTS)
@pytest.mark.parametrize("kind", [StratusLabNodeDriver, OpenNebulaNodeDriver])
def test_wrong_arguments(kind: type[StratusLabNodeDriver], what: str) -> None:
    given = {"key": "alice", "secret": PASSWORD, "host": "cloud.example.org", **ARGUMENTS[what]}
    assert_is_covered(lambda: kind(**given))


@pytest.mark.parametrize("make", [Cloud.at_host, Cloud.at_opennebula])
def test_a_cloud_without_a_file(make: Callable[..., Cloud]) -> None:
    for host in ("two words", "http://h", f"https://alice:{PASSWORD}@h"):
        assert_is_covered(lambda host=host: make(host, username="alice", password=PASSWORD))  # type: ignore[misc]  # bound now


def test_a_port_is_refused_by_its_name() -> None:
    error = assert_is_covered(lambda: StratusLabNodeDriver("alice", PASSWORD, host="h", port=65536))
    assert isinstance(error, InvalidArgumentError)
    assert str(error) == "the argument port: found 65536; give a port from 1 to 65535"


def test_a_cause_is_kept() -> None:
    with pytest.raises(StratusLabError) as caught:
        StratusLabNodeDriver(stratuslab_user_config="/")
    assert isinstance(caught.value.__cause__, OSError)


def test_a_private_key_and_its_pass_phrase(tmp_path: Path) -> None:
    pytest.importorskip("paramiko")
    key = tmp_path / "id_rsa"
    content = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PASSWORD}\n-----END OPENSSH PRIVATE KEY-----\n"
    key.write_text(content, encoding="ascii")
    driver = StratusLabNodeDriver("alice", "another", host="cloud.example.org")

    def deploy() -> None:
        driver.deploy_node(
            Deployment(), image="A" * 27, size="m1.small", ssh_key=str(key), ssh_key_password="under the mat"
        )

    assert_is_covered(deploy)
    assert_is_covered(deploy, "under the mat")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"key": None}, "the argument key: is missing; with host give key and secret"),
        ({"secret": ""}, "the argument secret: is missing; with host give key and secret"),
        ({"key": 7}, "the argument key: found a int; give text"),
        ({"secret": b"opensesame"}, "the argument secret: found a bytes; give text"),
        ({"host": b"h"}, "the argument host: found a bytes; give text"),
        ({"secret": "open\udcffsesame"}, "the argument secret: holds half of a surrogate pair"),
        ({"timeout": 1e12}, "the argument timeout: found 1000000000000.0; give a number of seconds, up to"),
    ],
)
def test_the_error_says_what_was_found(given: dict[str, Any], message: str) -> None:
    arguments = {"key": "alice", "secret": PASSWORD, "host": "cloud.example.org", **given}
    assert str(assert_is_covered(lambda: StratusLabNodeDriver(**arguments))).startswith(message)


def test_a_time_out_that_no_socket_takes_is_refused_in_the_file_too() -> None:
    source = io.StringIO(f"{GOOD}endpoint_timeout = 1e12\n")
    error = assert_is_covered(lambda: UserConfigurator(source).cloud("default"))
    assert "key endpoint_timeout: found '1e12'; write a number of seconds above 0, up to 2" in str(error)
