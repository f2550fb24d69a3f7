from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_rules(run: Callable[..., str], root: Path) -> None:
    run(sys.executable, "-m", "ruff", "check", "--no-cache", ".", cwd=root)


def test_format(run: Callable[..., str], root: Path) -> None:
    run(sys.executable, "-m", "ruff", "format", "--check", "--no-cache", ".", cwd=root)


@pytest.mark.slow(seconds=15)
def test_types(run: Callable[..., str], root: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "mypy", "--cache-dir", tmp_path, cwd=root)
