"""The public names of every package of the client and the driver, and those that the docs show."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PUBLIC = {
    "stratuslab.client": [
        "Cloud",
        "Disk",
        "ImageDescription",
        "ImageMetadata",
        "InstanceType",
        "Marketplace",
        "Monitor",
        "Mount",
        "PersistentDisk",
        "Runner",
        "UserConfigurator",
        "VirtualMachine",
        "VmState",
        "VmTemplate",
        "Vnc",
    ],
    "stratuslab.libcloud": ["STRATUSLAB"],
}
PACKAGES = [
    ".".join(file.parent.relative_to(ROOT).parts)
    for folder in ("client", "libcloud")
    for file in sorted(ROOT.glob(f"stratuslab/{folder}/**/__init__.py"))
]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
SHOWN = {
    (module, name.strip())
    for page in PAGES
    for module, names in re.findall(
        r"^\s*from (stratuslab\S*) import ([\w, ]+)", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    for name in names.split(",")
}


def test_the_packages_are_those_that_exist() -> None:
    assert set(PACKAGES) >= set(PUBLIC)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names(package: str) -> None:
    module = importlib.import_module(package)
    assert list(getattr(module, "__all__", [])) == PUBLIC.get(package, [])
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    ]
    assert sorted(own) == PUBLIC.get(package, [])


@pytest.mark.parametrize(("module", "name"), sorted(SHOWN))
def test_names_that_the_docs_show(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in ROOT.glob("stratuslab/*/**/*.py")
    if path.name not in ("__init__.py", "__main__.py")
)


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_lists_it_has(module: str) -> None:
    loaded = importlib.import_module(module)
    assert [name for name in getattr(loaded, "__all__", []) if not hasattr(loaded, name)] == []
