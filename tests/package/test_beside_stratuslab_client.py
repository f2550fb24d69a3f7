"""Release 14.06.0 of stratuslab-client owns `stratuslab/__init__.py` and a command of the same name."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.network, pytest.mark.slow(seconds=20)]


@pytest.fixture(scope="module")
def stratuslab_client(
    made_once: Callable[[str, Callable[[Path], object]], Path], run: Callable[..., str]
) -> Path:
    def build(folder: Path) -> None:
        options = ["--use-pep517", "--no-deps", "stratuslab-client==14.06.0"]
        run(sys.executable, "-m", "pip", "wheel", *options, cwd=folder)

    [wheel] = made_once("stratuslab-client", build).glob("*.whl")
    return wheel


@pytest.fixture(scope="module", params=["ours first", "ours last"])
def order(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def scripts(
    order: str,
    wheel: Path,
    stratuslab_client: Path,
    made_once: Callable[[str, Callable[[Path], object]], Path],
    run: Callable[..., str],
) -> Path:
    """Install both packages in a new environment; return the folder of its scripts."""
    packages = [f"{wheel}[sandbox]", stratuslab_client]

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", folder, cwd=folder)
        for package in packages if order == "ours first" else reversed(packages):
            run(folder / "bin" / "python", "-m", "pip", "install", "--no-compile", package, cwd=folder)

    return made_once(f"environment-{order.replace(' ', '-')}", install) / "bin"


@pytest.fixture
def python(scripts: Path, run: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    def python(*arguments: str) -> str:
        return run(scripts / "python", *arguments, cwd=tmp_path)

    return python


def test_the_namespace_belongs_to_stratuslab_client(python: Callable[..., str], scripts: Path) -> None:
    package = Path(python("-c", "import stratuslab; print(stratuslab.__file__)").strip())
    assert package.is_relative_to(scripts.parent)
    assert package.name == "__init__.py"


@pytest.mark.parametrize(
    "module",
    ["stratuslab.client", "stratuslab.libcloud.stratuslab_driver", "stratuslab.sandbox.sandbox"],
)
def test_our_packages_are_imported(module: str, python: Callable[..., str]) -> None:
    python("-c", f"import {module}")


def test_libcloud_finds_the_driver(python: Callable[..., str]) -> None:
    script = """
        import stratuslab.libcloud.stratuslab_driver
        from libcloud.compute.providers import get_driver
        from libcloud.compute.types import Provider

        print(get_driver(Provider.STRATUSLAB).__name__)
    """
    assert python("-c", textwrap.dedent(script)) == "StratusLabNodeDriver\n"


def test_copy_config_runs_as_a_module(python: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "stratuslab-user.cfg"
    python("-m", "stratuslab.client.copy_config", str(file))
    assert file.read_text(encoding="utf-8").startswith("# Configuration of a StratusLab user")


def test_the_command_is_that_of_the_package_installed_last(
    order: str, scripts: Path, run: Callable[..., str], tmp_path: Path
) -> None:
    """Theirs cannot run on Python 3."""
    file = tmp_path / "stratuslab-user.cfg"
    ours = order == "ours last"
    run(scripts / "stratus-copy-config", file, cwd=tmp_path, status=0 if ours else 1)
    assert file.exists() is ours


def test_the_command_of_the_sandbox_is_ours(scripts: Path, run: Callable[..., str], tmp_path: Path) -> None:
    assert "serve" in run(scripts / "stratuslab-sandbox", "--help", cwd=tmp_path)
