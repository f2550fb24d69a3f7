"""No public method of the driver is without a test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from libcloud.compute.base import NodeDriver

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver

TESTS = "".join(
    file.read_text("utf-8")
    for file in Path(__file__).parent.rglob("*.py")
    if file.name != Path(__file__).name
)
CLASSES = "connectionCls"


def public_methods(of: type) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_") and callable(getattr(of, name))} - {CLASSES}


@pytest.mark.parametrize("name", sorted(public_methods(StratusLabNodeDriver)))
def test_every_public_method_is_called_by_a_test(name: str) -> None:
    assert re.search(rf'\.{name}\b|"{name}"', TESTS)


def test_every_method_of_libcloud_is_our_own_or_says_why_not() -> None:
    ours = StratusLabNodeDriver.__mro__[: StratusLabNodeDriver.__mro__.index(NodeDriver)]
    own = {name for cls in ours for name in vars(cls)}

    assert public_methods(NodeDriver) - own == set()
