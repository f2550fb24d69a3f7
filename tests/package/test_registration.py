"""Every way in which programs make the driver known to Libcloud, each in a process of its own."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

MODULE = "stratuslab.libcloud.stratuslab_driver"

WAYS = {
    "set_driver as Libcloud's documentation does": """
        from libcloud.compute.providers import get_driver, set_driver

        set_driver("stratuslab", "stratuslab.libcloud.stratuslab_driver", "StratusLabNodeDriver")
        found = get_driver("stratuslab")
    """,
    "set_driver with the name in capitals": """
        from libcloud.compute.providers import get_driver, set_driver

        set_driver("STRATUSLAB", "stratuslab.libcloud.stratuslab_driver", "StratusLabNodeDriver")
        found = get_driver("STRATUSLAB")
    """,
    "import, then Provider.STRATUSLAB": """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver
        from libcloud.compute.types import Provider

        found = get_driver(Provider.STRATUSLAB)
    """,
    "import, then set_driver": """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver, set_driver

        set_driver("stratuslab", "stratuslab.libcloud.stratuslab_driver", "StratusLabNodeDriver")
        found = get_driver("stratuslab")
    """,
    "import, then set_driver in capitals": """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver, set_driver

        set_driver("STRATUSLAB", "stratuslab.libcloud.stratuslab_driver", "StratusLabNodeDriver")
        found = get_driver("STRATUSLAB")
    """,
    "the module is reloaded": """
        import importlib

        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver
        from libcloud.compute.types import Provider

        importlib.reload(stratuslab.libcloud.stratuslab_driver)
        found = get_driver(Provider.STRATUSLAB)
        assert found is stratuslab.libcloud.stratuslab_driver.StratusLabNodeDriver
    """,
    "a name in any case": """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver

        [found] = {get_driver(name) for name in ("stratuslab", "STRATUSLAB", "StratusLab", "sTRATUSlAB")}
    """,
    "libcloud.get_driver": """
        import libcloud
        import stratuslab.libcloud.stratuslab_driver

        found = libcloud.get_driver(libcloud.DriverType.COMPUTE, "stratuslab")
    """,
    "the dotted path of the class is its name, as in DIRAC": """
        from libcloud.compute.providers import get_driver, set_driver

        path = "stratuslab.libcloud.stratuslab_driver.StratusLabNodeDriver"
        set_driver(path, *path.rsplit(".", 1))
        found = get_driver(path)
    """,
    "the provider by its attribute, as in DIRAC": """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver
        from libcloud.compute.types import Provider

        found = get_driver(getattr(Provider, "stratuslab".upper()))
    """,
    "set_driver with the module of release 14.06": """
        from libcloud.compute.providers import get_driver, set_driver

        set_driver("stratuslab", "stratuslab.libcloud.compute_driver", "StratusLabNodeDriver")
        found = get_driver("stratuslab")
    """,
    "import of the module of release 14.06": """
        import stratuslab.libcloud.compute_driver
        from libcloud.compute.providers import get_driver
        from libcloud.compute.types import Provider

        found = get_driver(Provider.STRATUSLAB)
    """,
    "the constant, for programs whose types are checked": """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver
        from stratuslab.libcloud import STRATUSLAB

        found = get_driver(STRATUSLAB)
    """,
}


@pytest.fixture
def prints(run: Callable[..., str], tmp_path: Path) -> Callable[[str], str]:
    def prints(script: str) -> str:
        return run(sys.executable, "-c", textwrap.dedent(script), cwd=tmp_path).strip()

    return prints


@pytest.mark.parametrize("way", WAYS)
def test_driver_is_found(way: str, prints: Callable[[str], str]) -> None:
    script = textwrap.dedent(WAYS[way]) + 'print(found.__module__, found.__name__, sep=".")'
    assert prints(script) == f"{MODULE}.StratusLabNodeDriver"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("Provider.STRATUSLAB is STRATUSLAB", True),
        ('Provider.STRATUSLAB == "stratuslab"', True),
        ("Provider.STRATUSLAB == Provider.OPENNEBULA", False),
        ("Provider.STRATUSLAB.value", "stratuslab"),
        ("Provider.tostring(Provider.STRATUSLAB)", "STRATUSLAB"),
        ("json.dumps(Provider.STRATUSLAB)", '"stratuslab"'),
        ("get_driver(Provider.STRATUSLAB).type is STRATUSLAB", True),
    ],
)
def test_provider_behaves_as_libclouds_own(
    expression: str, value: object, prints: Callable[[str], str]
) -> None:
    script = f"""
        import json

        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver
        from libcloud.compute.types import Provider
        from stratuslab.libcloud import STRATUSLAB

        print({expression})
    """
    assert prints(script) == str(value)


def test_provider_hashes_as_libclouds_own(prints: Callable[[str], str]) -> None:
    """Which is as its string, but only from Libcloud 3.9 on."""
    script = """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.types import Provider

        print(*(hash(member) == hash(member.value) for member in (Provider.STRATUSLAB, Provider.EC2)))
    """
    ours, theirs = prints(script).split()
    assert ours == theirs


def test_other_drivers_are_found_as_before(prints: Callable[[str], str]) -> None:
    script = """
        from libcloud.compute.providers import DRIVERS

        before = dict(DRIVERS)
        import stratuslab.libcloud.stratuslab_driver

        print({key: DRIVERS[key] for key in before} == before, len(DRIVERS) - len(before))
    """
    assert prints(script) == "True 1"


def test_what_the_module_of_release_14_06_had(prints: Callable[[str], str]) -> None:
    script = """
        from stratuslab.libcloud import compute_driver, stratuslab_driver

        for name in ("StratusLabNodeDriver", "StratusLabNode", "StratusLabNodeSize"):
            print(getattr(compute_driver, name) is getattr(stratuslab_driver, name))
    """
    assert prints(script).split() == ["True"] * 3
