"""What docs/sandbox.md shows works: its files, its commands, its table of options."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
GUIDE = ROOT.joinpath("docs", "sandbox.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^(?:<!-- (?P<role>\w+): (?P<name>\S+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    role: str | None
    name: str | None
    language: str
    code: str

    def __str__(self) -> str:
        return self.code.partition("\n")[0]


BLOCKS = [Block(**found.groupdict()) for found in BLOCK.finditer(GUIDE)]
FILES = {block.name: block.code for block in BLOCKS if block.role == "file"}


def to_run(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language and block.role is None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files of the guide."""
    for name, code in FILES.items():
        tmp_path.joinpath(str(name)).write_text(code, encoding="utf-8")
    return tmp_path


def test_every_block_is_recognized() -> None:
    fences = [line for line in GUIDE.splitlines() if line.strip().startswith(("```", "~~~"))]
    assert len(fences) == 2 * len(BLOCKS)
    assert {block.language for block in BLOCKS} == {"bash", "ini", "python", "text"}
    assert [str(block) for block in to_run("text")] == [
        "pip install 'stratuslab-libcloud-drivers[sandbox]>=26'",
        "stratuslab-sandbox serve",
        "200 clients for 61 s on 2 cores",
    ]
    assert to_run("ini") == []


@pytest.mark.slow
@pytest.mark.parametrize("block", to_run("python"), ids=str)
def test_python_runs(block: Block, folder: Path, run: Callable[..., str]) -> None:
    script = folder / "script.py"
    script.write_text(block.code, encoding="utf-8")
    run(sys.executable, script, cwd=folder)


@pytest.mark.slow
@pytest.mark.parametrize("block", to_run("bash"), ids=str)
def test_bash_runs(block: Block, folder: Path, run: Callable[..., str]) -> None:
    run("bash", "-euc", block.code, cwd=folder)


@pytest.mark.network
@pytest.mark.slow(seconds=20)
def test_the_way_of_a_new_user(wheel: Path, tmp_path: Path, run: Callable[..., str]) -> None:
    """In an environment with nothing but the package, a file of ten lines is all there is to write."""
    [commands] = [block.code for block in BLOCKS if (block.role, block.name) == ("command", "ci")]
    published = "stratuslab-libcloud-drivers[sandbox]>=26"
    assert published in commands
    assert len(FILES["test_cloud.py"].splitlines()) == 10
    tmp_path.joinpath("test_cloud.py").write_text(FILES["test_cloud.py"], encoding="utf-8")
    printed = run("bash", "-euc", commands.replace(published, f"{wheel}[sandbox]"), cwd=tmp_path)
    assert re.search(r"^=+ 1 passed in ", printed, re.MULTILINE)


def test_table_of_options_is_complete(tmp_path: Path, run: Callable[..., str]) -> None:
    table = GUIDE.partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| ")][1:]
    options, arguments = (
        [cell.strip(" `") for cell in column if cell.strip()] for column in zip(*rows, strict=True)
    )
    for action in ("serve", "exec"):
        shown = run("stratuslab-sandbox", action, "--help", cwd=tmp_path)
        elsewhere = {"--json"} if action == "exec" else set()
        found = {*re.findall(r"^  (--[a-z-]+)", shown, re.MULTILINE), *elsewhere}
        assert sorted(options) == sorted(found)
    assert sorted(arguments) == sorted(inspect.signature(Sandbox).parameters)


def test_table_of_the_control_is_complete() -> None:
    table = GUIDE.partition("\n## Control\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = {tuple(request.split()) for cell in cells for request in re.findall(r"`([^`]+)`", cell)}
    source = ROOT.joinpath("stratuslab", "sandbox", "control.py").read_text(encoding="utf-8")
    routes = re.findall(r'\("/([^"]+)", "([A-Z]+)", Control\.', source)
    offered = {(method, re.sub(r"<.*>", "ID", path)) for path, method in routes}
    assert listed == offered
