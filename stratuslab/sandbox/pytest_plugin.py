"""The pytest plugin: a cloud for a test, and a driver on it.

pytest loads this module in every run, needed or not, so it imports nothing before a fixture is used. It is
the only module of the sandbox that knows the driver.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from libcloud.compute.base import NodeDriver

    from stratuslab.sandbox.faults.rule import Fault
    from stratuslab.sandbox.sandbox import Sandbox

_MARKER = (
    "stratuslab(locations, boot_seconds, faults, cloud): what the test's stratuslab_sandbox is like: the"
    " names of its clouds, how long a machine takes to start, the rules by which something goes wrong, the"
    " kind of the clouds."
)


@dataclass(frozen=True)
class _Wishes:
    locations: Sequence[str]
    boot_seconds: float
    faults: Sequence[Fault | str] = ()
    cloud: str = "stratuslab"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings of pytest's configuration file."""
    parser.addini("stratuslab_locations", "names of the clouds of stratuslab_sandbox", "args", ["sandbox"])
    parser.addini("stratuslab_boot_seconds", "seconds that a machine takes to start there", default="0")
    parser.addini("stratuslab_cloud", "the kind of the clouds, such as opennebula-6.10", default="stratuslab")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def stratuslab_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Start a fresh StratusLab cloud, set STRATUSLAB_CONFIG to its configuration; its machines run at once.

    Change it with the settings stratuslab_locations and stratuslab_boot_seconds or with a mark, such as
    @pytest.mark.stratuslab(locations=["here", "there"], boot_seconds=2, faults=["one.vm.info:nth=1:garbage"])
    """
    with _running(request) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def stratuslab_sandbox_module(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Start a StratusLab cloud like stratuslab_sandbox, but one for all tests of a module."""
    with _running(request) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def stratuslab_sandbox_session(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Start a StratusLab cloud like stratuslab_sandbox, but one for the whole run; marks do not change it."""
    with _running(request) as sandbox:
        yield sandbox


@pytest.fixture
def stratuslab_driver(request: pytest.FixtureRequest, stratuslab_sandbox: Sandbox) -> NodeDriver:
    """Make a driver on stratuslab_sandbox, which asks for the state of a node whenever it is looked at.

    It is an OpenNebulaNodeDriver if the kind of the clouds is OpenNebula.
    """
    is_stratuslab = _wishes(request).cloud == "stratuslab"
    if is_stratuslab:
        make = import_module("stratuslab.libcloud.stratuslab_driver").StratusLabNodeDriver
    else:
        make = import_module("stratuslab.libcloud.opennebula_driver").OpenNebulaNodeDriver
    driver: NodeDriver = make(
        "default", stratuslab_user_config=stratuslab_sandbox.config_file, ex_state_max_age=0
    )
    return driver


@contextmanager
def _running(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    wishes = _wishes(request)
    # Imported from the package, so that a missing dependency says what to install.
    make: type[Sandbox] = import_module("stratuslab.sandbox").Sandbox
    with (
        make(locations=wishes.locations, cloud=wishes.cloud, boot_seconds=wishes.boot_seconds) as sandbox,
        pytest.MonkeyPatch.context() as environment,
    ):
        for fault in wishes.faults:
            sandbox.faults.add(fault)
        environment.setenv("STRATUSLAB_CONFIG", str(sandbox.config_file))
        yield sandbox


def _wishes(request: pytest.FixtureRequest) -> _Wishes:
    """Combine the settings and the marks; the mark nearest to the test wins."""
    config = request.config
    wishes = _Wishes(
        config.getini("stratuslab_locations"),
        float(config.getini("stratuslab_boot_seconds")),
        cloud=config.getini("stratuslab_cloud"),
    )
    marks = [*request.node.iter_markers("stratuslab")]
    for mark in reversed(marks):
        if mark.args or not mark.kwargs.keys() <= wishes.__dict__.keys():
            pytest.fail(
                "pytest.mark.stratuslab takes locations=, boot_seconds=, faults= and cloud=", pytrace=False
            )
        wishes = replace(wishes, **mark.kwargs)
    return wishes
