"""What the README says is so: its code runs, its commands work, its tables are complete."""

from __future__ import annotations

import inspect
import io
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from libcloud.compute.base import NodeDriver

from stratuslab.client import UserConfigurator
from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")

BLOCK = re.compile(
    r"^(?:<!-- command: (?P<command>\w+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    command: str | None

    def __str__(self) -> str:
        return self.code.partition("\n")[0]


BLOCKS = [Block(**found.groupdict()) for found in BLOCK.finditer(README)]
COMMANDS = {block.command: block.code.strip() for block in BLOCKS if block.command}


def blocks_in(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language and not block.command]


def first_column(section: str) -> list[str]:
    """Return the first cells of the rows of the only table in a section."""
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [row.split("|")[1].strip() for row in rows[2:]]


def public_functions(driver: type[NodeDriver]) -> dict[str, Callable[..., object]]:
    members = inspect.getmembers(driver, inspect.isfunction)
    return {name: function for name, function in members if not name.startswith("_")}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(boot_seconds=0) as running:
        yield running


def test_every_block_is_recognized() -> None:
    fences = [line for line in README.splitlines() if line.strip().startswith(("```", "~~~"))]
    assert len(fences) == 2 * len(BLOCKS)
    assert {block.language for block in BLOCKS} == {"bash", "ini", "python"}


def test_commands_are_one_line_each() -> None:
    assert list(COMMANDS) == ["run", "test"]
    assert [len(command.splitlines()) for command in COMMANDS.values()] == [1, 1]


@pytest.mark.parametrize("block", blocks_in("python"), ids=str)
def test_python_runs(block: Block, sandbox: Sandbox, run: Callable[..., str], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(block.code, encoding="utf-8")
    run(sys.executable, script, cwd=tmp_path, STRATUSLAB_CONFIG=str(sandbox.config_file))


@pytest.mark.parametrize("block", blocks_in("bash"), ids=str)
def test_bash_runs(block: Block, run: Callable[..., str], tmp_path: Path) -> None:
    run("bash", "-euc", block.code, cwd=tmp_path)


@pytest.mark.parametrize("block", blocks_in("ini"), ids=str)
def test_configuration_is_understood(block: Block) -> None:
    configurator = UserConfigurator(io.StringIO(block.code))
    assert [configurator.cloud(location) for location in configurator.locations()]
    assert configurator.instance_types()


@pytest.mark.network
@pytest.mark.slow(seconds=15)
def test_run_command(
    sandbox: Sandbox,
    copy_of_tree: Callable[[Path], Path],
    run: Callable[..., str],
    tmp_path: Path,
) -> None:
    printed = run("bash", "-c", COMMANDS["run"], cwd=copy_of_tree(tmp_path / "checkout"))
    shown = re.findall(r"^(\w+): +(.*)$", printed, re.MULTILINE)

    def all_of(label: str) -> list[str]:
        return [text for name, text in shown if name == label]

    driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
    [sizes], [images] = all_of("sizes"), all_of("images")
    assert re.findall(r"(\S+) \(", sizes) == [size.name for size in driver.list_sizes()]
    assert images == ", ".join(image.name for image in driver.list_images())

    states = [text.split()[0] for text in all_of("state")]
    assert states[0] == "pending"
    assert "running" in states
    assert states[-1] == "terminated"
    assert all_of("nodes") == ["none", "mynode (pending)", "none"]


@pytest.fixture
def repository(root: Path, tmp_path: Path) -> Path:
    """Return a folder with `.ci/run` and with this README, but another test command."""
    folder = tmp_path / "repository"
    folder.joinpath(".ci").mkdir(parents=True)
    shutil.copy(root / ".ci" / "run", folder / ".ci")
    readme = README.replace(COMMANDS["test"], 'pwd >"$REPORT" && ls >>"$REPORT" && (exit "$STATUS")')
    folder.joinpath("README.md").write_text(readme, encoding="utf-8")
    return folder


@pytest.fixture
def commit(repository: Path, run: Callable[..., str]) -> Callable[[], None]:
    def commit() -> None:
        anybody = ["-c", "user.name=anybody", "-c", "user.email=anybody@example.org"]
        run("git", "init", "--quiet", cwd=repository)
        run("git", "add", ".", cwd=repository)
        run("git", *anybody, "commit", "--quiet", "--message", "all", cwd=repository)

    return commit


@pytest.mark.parametrize("status", [0, 3])
def test_ci_runs_the_test_command_in_a_clean_checkout(
    status: int, repository: Path, commit: Callable[[], None], run: Callable[..., str], tmp_path: Path
) -> None:
    commit()
    repository.joinpath("not-committed").touch()
    report = tmp_path / "report"
    run("bash", ".ci/run", cwd=repository, status=status, REPORT=str(report), STATUS=str(status))
    place, *files = report.read_text(encoding="utf-8").splitlines()
    assert files == ["README.md"]
    assert not Path(place).exists()


def test_ci_fails_without_a_test_command(
    repository: Path, commit: Callable[[], None], run: Callable[..., str]
) -> None:
    repository.joinpath("README.md").write_text("# Nothing\n", encoding="utf-8")
    commit()
    assert "no block" in run("bash", ".ci/run", cwd=repository, status=1)


def test_table_of_functions_is_complete() -> None:
    functions = {f"`{name}`" for name in public_functions(StratusLabNodeDriver)}
    table = first_column("Functions")
    assert functions == set(table)
    assert len(functions) == len(table)
    assert functions >= {f"`{name}`" for name in public_functions(NodeDriver)}


def test_extensions_that_the_readme_names_exist() -> None:
    functions = public_functions(StratusLabNodeDriver)
    names = set(functions)
    for function in [StratusLabNodeDriver, *functions.values()]:
        names |= inspect.signature(function).parameters.keys()
    assert set(re.findall(r"`(ex_\w+)`", README)) - names == set()
