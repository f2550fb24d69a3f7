"""The names by which programs know the sandbox."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages

import stratuslab.sandbox
from stratuslab.sandbox import sandbox

NAMES = {"ActiveFault", "Clock", "Fault", "Faults", "LoggedRequest", "RequestLog", "Sandbox"}
PACKAGES = {
    "faults",
    "guests",
    "http",
    "marketplace",
    "opennebula",
    "opennebula.current",
    "opennebula.current.requests",
    "opennebula.model",
    "opennebula.requests",
    "opennebula.template",
    "pdisk",
    "state",
    "web",
    "xmlrpc",
}


def test_names_of_the_package() -> None:
    assert {*stratuslab.sandbox.__all__} == NAMES
    assert all(isinstance(getattr(stratuslab.sandbox, name), type) for name in NAMES)
    assert stratuslab.sandbox.Sandbox is sandbox.Sandbox


def test_packages_within_have_no_names_of_their_own() -> None:
    prefix = "stratuslab.sandbox."
    found = walk_packages(stratuslab.sandbox.__path__, prefix)
    packages = {module.name.removeprefix(prefix) for module in found if module.ispkg}
    assert packages == PACKAGES
    for package in packages:
        assert not hasattr(import_module(prefix + package), "__all__")
