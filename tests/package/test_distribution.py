from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from pathlib import Path

pytestmark = pytest.mark.network

REPOSITORY = "https://github.com/StratusLab/libcloud-drivers"
NAME = "stratuslab_libcloud_drivers-26.11.0"


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist_names(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return BytesParser(policy=compat32).parsebytes(archive.read(f"{NAME}.dist-info/METADATA"))


def test_an_index_accepts_both(sdist: Path, wheel: Path, run: Callable[..., str], tmp_path: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel, cwd=tmp_path)


def test_the_build_uses_nothing_deprecated(build_log: str) -> None:
    assert "DeprecationWarning" not in build_log


def test_names(sdist: Path, wheel: Path) -> None:
    assert sdist.name == f"{NAME}.tar.gz"
    assert wheel.name == f"{NAME}-py3-none-any.whl"


def test_wheel_holds_the_packages_and_nothing_else(tree: Path, wheel_names: set[str]) -> None:
    packages = {f"stratuslab/{name}" for name in files_below(tree / "stratuslab")}
    assert {name for name in wheel_names if not name.startswith(f"{NAME}.dist-info/")} == packages


def test_wheel_leaves_the_namespace_open(wheel_names: set[str]) -> None:
    assert "stratuslab/__init__.py" not in wheel_names


@pytest.mark.parametrize("package", ["client", "libcloud", "sandbox"])
def test_every_package_is_typed(package: str, wheel_names: set[str]) -> None:
    assert f"stratuslab/{package}/py.typed" in wheel_names


def test_sdist_holds_what_a_distributor_needs(tree: Path, sdist_names: set[str]) -> None:
    needed = {"CHANGES.md", "LICENSE", "README.md", "pyproject.toml", "setup.py", "tox.ini", ".ci/run"}
    for folder in ("stratuslab", "tests", "docs", "examples", "benchmarks"):
        needed |= {f"{folder}/{name}" for name in files_below(tree / folder)}
    assert needed - sdist_names == set()


def test_metadata(metadata: Message) -> None:
    assert metadata["Name"] == "stratuslab-libcloud-drivers"
    assert metadata["Version"] == "26.11.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert metadata["Description-Content-Type"] == "text/markdown"


@pytest.fixture(scope="module")
def description(metadata: Message) -> str:
    payload = metadata.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().strip()


def test_long_description_is_the_readme_with_whole_addresses(description: str, tree: Path) -> None:
    readme = (tree / "README.md").read_text(encoding="utf-8").strip()
    assert re.sub(rf"{REPOSITORY}/(?:raw|blob)/HEAD/", "", description) == readme


def test_links_of_the_long_description_lead_to_files(description: str, tree: Path) -> None:
    targets = re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", description)
    assert [target for target in targets if not target.startswith("https://")] == []
    ours = re.findall(rf"(!?)\[[^]]*\]\({REPOSITORY}/(raw|blob)/HEAD/([^)#]*)", description)
    assert ours
    assert [path for _, _, path in ours if not (tree / path).exists()] == []
    assert {kind for picture, kind, _ in ours if picture} == {"raw"}
    assert {kind for picture, kind, _ in ours if not picture} == {"blob"}


def test_classifiers_name_every_supported_python(metadata: Message) -> None:
    prefix = "Programming Language :: Python :: 3."
    versions = {line for line in metadata.get_all("Classifier", []) if line.startswith(prefix)}
    assert versions == {f"{prefix}{minor}" for minor in range(10, 14)}


def test_requirements(metadata: Message) -> None:
    requirements = metadata.get_all("Requires-Dist", [])
    unconditional = [requirement for requirement in requirements if "extra ==" not in requirement]
    assert unconditional == ["apache-libcloud<4,>=3.8", "requests<3,>=2.28.1", "urllib3<3,>=1.26.12"]
    assert metadata.get_all("Provides-Extra") == ["sandbox", "deploy", "docs", "test", "benchmarks"]
    assert 'werkzeug<4,>=3.0; extra == "sandbox"' in requirements
    assert 'paramiko>=4.0.0; extra == "deploy"' in requirements


def test_tests_need_what_the_other_extras_need(metadata: Message) -> None:
    requirements = metadata.get_all("Requires-Dist", [])

    def needs_of(extra: str) -> set[str]:
        condition = f'; extra == "{extra}"'
        return {line.removesuffix(condition) for line in requirements if line.endswith(condition)}

    assert needs_of("sandbox") | needs_of("deploy") < needs_of("test")


def test_commands(wheel: Path) -> None:
    entry_points = ConfigParser()
    with zipfile.ZipFile(wheel) as archive:
        entry_points.read_string(archive.read(f"{NAME}.dist-info/entry_points.txt").decode())
    assert dict(entry_points["console_scripts"]) == {
        "stratus-copy-config": "stratuslab.client.copy_config:main",
        "stratuslab-sandbox": "stratuslab.sandbox.cli:main",
    }
    assert dict(entry_points["pytest11"]) == {"stratuslab": "stratuslab.sandbox.pytest_plugin"}
