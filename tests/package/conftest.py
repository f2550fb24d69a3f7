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
def tree(copy_of_tree: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the copy of the sources from which the distributions are built."""
    return copy_of_tree(tmp_path_factory.mktemp("distribution") / "tree")


@pytest.fixture(scope="session")
def build_log(tree: Path, run: Callable[..., str]) -> str:
    return run(sys.executable, "-m", "build", cwd=tree)


@pytest.fixture(scope="session")
def sdist(build_log: str, tree: Path) -> Path:
    [archive] = tree.glob("dist/*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def wheel(build_log: str, tree: Path) -> Path:
    [archive] = tree.glob("dist/*.whl")
    return archive
