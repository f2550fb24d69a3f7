from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
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
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return variables under which `python3` and our scripts are those of this interpreter."""
    private = {"CI", "PYTHONHOME", "PYTHONPATH", "STRATUSLAB_CONFIG", "VIRTUAL_ENV"}
    return {
        **{name: value for name, value in os.environ.items() if name not in private},
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        "PIP_CACHE_DIR": str(tmp_path_factory.mktemp("pip")),
    }


@pytest.fixture(scope="session")
def run(environment: dict[str, str]) -> Callable[..., str]:
    """Run a command in a folder; return what it printed. If it fails, so does the test."""

    def run(
        *command: str | Path,
        cwd: Path,
        status: int = 0,
        **variables: str,
    ) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == status, f"{command} ended {done.returncode}:\n{done.stdout}"
        return done.stdout

    return run


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
