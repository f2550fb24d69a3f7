from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_SOURCE = shutil.ignore_patterns(
    ".git", ".hypothesis", ".tox", ".venv", ".*_cache", "__pycache__", "*.egg-info", "build", "dist"
)


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def copy_of_tree(root: Path) -> Callable[[Path], Path]:
    """Copy the sources, so that nothing that is made from them is left beside them."""

    def copy(target: Path) -> Path:
        return shutil.copytree(root, target, ignore=NOT_SOURCE)

    return copy


@pytest.fixture(scope="session")
def built(
    made_once: Callable[[str, Callable[[Path], object]], Path],
    copy_of_tree: Callable[[Path], Path],
    run: Callable[..., str],
) -> Path:
    """Return the folder with the distributions in ``tree/dist``, and what the build said in ``log``."""

    def build(folder: Path) -> None:
        printed = run(sys.executable, "-m", "build", cwd=copy_of_tree(folder / "tree"))
        folder.joinpath("log").write_text(printed, encoding="utf-8")

    return made_once("distribution", build)


@pytest.fixture(scope="session")
def tree(built: Path) -> Path:
    """Return the copy of the sources from which the distributions were built."""
    return built / "tree"


@pytest.fixture(scope="session")
def build_log(built: Path) -> str:
    return built.joinpath("log").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    [archive] = built.glob("tree/dist/*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    [archive] = built.glob("tree/dist/*.whl")
    return archive
