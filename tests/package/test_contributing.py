"""CONTRIBUTING.md and the table "Where do I change X?" say what is so."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def read(name: str) -> str:
    return ROOT.joinpath(name).read_text(encoding="utf-8")


GUIDE = read("CONTRIBUTING.md")
BLOCKS = [found.groupdict() for found in BLOCK.finditer(GUIDE)]
TO_RUN = [block["code"] for block in BLOCKS if block["language"] == "bash" and not block["reason"]]


def test_every_block_is_recognized() -> None:
    assert len([line for line in GUIDE.splitlines() if line.startswith("```")]) == 2 * len(BLOCKS)
    assert {block["language"] for block in BLOCKS} == {"bash", "text"}
    assert TO_RUN


@pytest.mark.slow
@pytest.mark.parametrize("code", TO_RUN)
def test_block_runs(
    code: str, copy_of_tree: Callable[[Path], Path], run: Callable[..., str], tmp_path: Path
) -> None:
    printed = run(
        "bash", "-euc", code.replace(".venv/bin/python", sys.executable), cwd=copy_of_tree(tmp_path / "tree")
    )
    assert re.search(r"^=+ \d+ passed", printed, re.MULTILINE)


def test_the_quick_tests_are_chosen_by_registered_markers() -> None:
    [expression] = re.findall(r'-m "(.*)"', GUIDE)
    registered = re.findall(r'^    "(\w+)(?:\(\w+\))?: ', read("pyproject.toml"), re.MULTILINE)
    assert set(re.findall(r"\w+", expression)) - {"not", "and"} <= set(registered)


def test_the_whole_suite_is_the_readmes_second_command() -> None:
    assert re.findall(r"-m pytest (.*--dist.*)", GUIDE) == re.findall(
        r"-m pytest (.*--dist.*)", read("README.md")
    )


def test_the_changelog_begins_with_what_is_not_released() -> None:
    assert re.findall(r"^## (.*)$", read("CHANGES.md"), re.MULTILINE)[0] == "Unreleased"


def test_the_workflow_has_every_supported_python() -> None:
    classifiers = re.findall(r"Python :: (3\.\d+)", read("setup.py"))
    assert set(re.findall(r"\b3\.\d+\b", read(".github/workflows/ci.yml"))) >= set(classifiers)


def test_where_to_change_what_names_one_file_each() -> None:
    section = read("docs/design.md").partition("\n## Where do I change X?\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 20
    for _, answer in rows:
        [file] = re.findall(r"`([^`]+)`", answer)
        assert ROOT.joinpath(file).is_file(), file


@pytest.mark.parametrize("package", ["client", "libcloud", "sandbox"])
def test_the_picture_of_the_house_names_what_is_in_the_tree(package: str) -> None:
    picture = read("docs/design.md").partition("\n## The house\n")[2].split("```")[1]
    [room] = re.findall(rf"^[├└]── {package}/.*\n((?:[│ ] .*\n)*)", picture, re.MULTILINE)
    named = [name for entry in re.findall(r"[├└]── (\S+(?: \S+)*)", room) for name in entry.split()]
    folder = ROOT / "stratuslab" / package
    files = {path.name for path in folder.glob("*.py") if not path.name.startswith("__")}
    assert sorted(named) == sorted(files | {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")})
