"""What a module imports is declared in setup.py: for the driver itself, or as an extra for the rest."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = ("client", "libcloud")


def requirements(extra: str) -> list[str]:
    """Return what setup.py requires, or what it names for an extra, line by line."""
    name = "install_requires" if not extra else extra.upper()
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    values = {
        key: value
        for node in ast.walk(tree)
        for key, value in (
            [(node.targets[0].id, node.value)]
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            else [(node.arg or "", node.value)]
            if isinstance(node, ast.keyword)
            else []
        )
    }
    lines: list[str] = ast.literal_eval(values[name])
    return lines


def required(extra: str) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", line)[0].lower() for line in requirements(extra)}


def imported(package: str) -> dict[str, set[str]]:
    """Return the top-level names that a package imports from elsewhere, each with the files that do."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "stratuslab" / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(path.relative_to(ROOT).as_posix())
    ours = {"stratuslab", "_typeshed", *sys.stdlib_module_names}
    return {name: files for name, files in found.items() if name not in ours}


def undeclared(package: str, declared: set[str]) -> dict[str, set[str]]:
    distributions = metadata.packages_distributions()
    return {
        name: files
        for name, files in imported(package).items()
        if not declared & {distribution.lower() for distribution in distributions.get(name, [name])}
    }


@pytest.mark.parametrize("package", BASE)
def test_the_driver_imports_what_is_installed_with_it(package: str) -> None:
    # Keys of deployments are read by what the extra "deploy" brings, when there is one to read.
    deployment = required("deploy") if package == "libcloud" else set()
    assert undeclared(package, required("") | deployment) == {}


def test_the_sandbox_imports_what_its_extra_names() -> None:
    # pytest is there when its plug-in is loaded.
    assert undeclared("sandbox", required("") | required("sandbox") | {"pytest"}) == {}


def test_an_import_that_is_not_declared_is_found() -> None:
    assert set(undeclared("client", set())) == {"libcloud", "requests", "urllib3"}


def test_tox_tries_just_the_floors() -> None:
    lines = dict.fromkeys(line for extra in ("", "sandbox", "deploy") for line in requirements(extra))
    floors = [line.partition(",")[0].replace(">=", "==") for line in lines]
    tried = re.findall(r"^    oldest: (.*)$", (ROOT / "tox.ini").read_text(encoding="utf-8"), re.MULTILINE)
    assert tried == floors
