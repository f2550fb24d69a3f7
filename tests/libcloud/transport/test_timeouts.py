"""How long a request may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratuslab.client.errors import AnswerTimeoutError, ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
    from stratuslab.sandbox import Sandbox
    from tests.libcloud.conftest import ScriptedServer


@pytest.fixture
def silent(serve: Callable[[bytes | Callable[[socket.socket], object]], ScriptedServer]) -> ScriptedServer:
    """A server that takes requests and says nothing."""
    return serve(lambda connection: connection.recv(1))


@pytest.mark.parametrize("service", ["list_nodes", "list_volumes", "list_images"])
@pytest.mark.parametrize("timeout", [0.3, "0.3"])
def test_the_argument_goes_before_the_file(
    silent: ScriptedServer, driver_at: Callable[..., StratusLabNodeDriver], service: str, timeout: float | str
) -> None:
    driver = driver_at(silent.url, {"timeout": timeout}, endpoint_timeout=3)

    with pytest.raises(AnswerTimeoutError, match=r"within 0\.3 s"):
        getattr(driver, service)()


def test_the_file_goes_before_the_default(
    silent: ScriptedServer, driver_at: Callable[..., StratusLabNodeDriver]
) -> None:
    with pytest.raises(AnswerTimeoutError, match=r"within 0\.3 s"):
        driver_at(silent.url, endpoint_timeout=0.3).list_nodes()


def test_a_minute_is_the_default(sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver]) -> None:
    assert driver_at(sandbox.url).connection.timeout == 60


@pytest.mark.parametrize("timeout", [0, -1, "soon", "nan", "inf", float("nan"), [1], ""])
@pytest.mark.parametrize("argument", ["timeout", "retry_delay", "backoff"])
def test_what_is_no_time_is_refused_at_once(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], argument: str, timeout: object
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"the argument {argument}: found"):
        driver_at(sandbox.url, {argument: timeout})


@pytest.mark.parametrize("timeout", ["0", "-1", "soon", "nan", "inf"])
def test_what_is_no_time_in_the_file_is_told_of_when_it_is_needed(
    sandbox: Sandbox, driver_at: Callable[..., StratusLabNodeDriver], timeout: str
) -> None:
    driver = driver_at(sandbox.url, endpoint_timeout=timeout)

    with pytest.raises(ConfigurationError, match=r"section \[here\], key endpoint_timeout: found"):
        driver.list_nodes()
