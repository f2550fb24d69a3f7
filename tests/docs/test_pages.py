"""Every code block of every page runs, prints what the page shows, or says why it cannot run.

The Python blocks of a page are one program, from top to bottom, on a sandbox of its own. What stands before a
block in a comment says what it is:

``<!-- sandbox: OPTIONS -->``
    once a page: the options of the sandbox on which the page runs.
``<!-- file: NAME -->``
    a file that lies beside the program.
``<!-- output -->``
    what the block before prints; ``…`` stands for anything.
``<!-- not run: REASON -->``
    is only read.
"""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratuslab.client import UserConfigurator

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OWN_TESTS = {"sandbox.md"}
"""Pages whose blocks other tests run."""
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name not in OWN_TESTS)

BLOCK = re.compile(
    r"^(?:<!-- (?P<role>file|output|not run)(?:: (?P<note>[^>]*))? -->\n+)?"
    r"```(?P<language>[\w{}-]*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
GUIDES = [DOCS / "tutorial.md", *sorted(DOCS.joinpath("how-to").glob("*.md"))]
HEAD = re.compile(
    r"# [^\n]+\n\n"
    r"> \*\*Time:\*\* [1-9][0-9]* minutes\. \*\*Needs:\*\* [^*]+\.(?: \*\*Run:\*\* (?P<run>[^*]+)\.)?\n\n[^>]"
)
LANGUAGES = {"python", "bash", "ini", "text", "yaml"}
RULER = "-" * 20


@dataclass(frozen=True)
class Block:
    role: str | None
    note: str | None
    language: str
    code: str


def blocks_of(page: Path) -> list[Block]:
    return [Block(**found.groupdict()) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def name_of(page: Path) -> str:
    return str(page.relative_to(DOCS))


def options_of(page: Path) -> list[str]:
    found = re.search(r"^<!-- sandbox: (.*) -->$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].split() if found else ["--boot-seconds", "0"]


def pattern_of(shown: str) -> str:
    return ".*".join(re.escape(part) for part in shown.strip().split("…"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_recognized(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fences = [line for line in text.splitlines() if line.strip().startswith(("```", "~~~"))]
    blocks = blocks_of(page)
    assert len(fences) == 2 * len(blocks)
    assert {block.language for block in blocks if not block.language.startswith("{")} <= LANGUAGES
    silent = [block for block in blocks if block.role == "not run" and len(block.note or "") < 10]
    assert silent == []
    unclaimed = [block for block in blocks if block.language == "yaml" and block.role is None]
    assert unclaimed == []


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_a_guide_says_first_how_long_it_takes_what_it_needs_and_how_to_run_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    head = HEAD.match(re.sub(r"\n> (?!\*\*Time)", " ", text))
    assert head is not None, text[:300]
    command = re.search(r"`stratuslab-sandbox exec (.*?)-- python page\.py`", head["run"] or "")
    if command is not None:
        needed = [option for option in options_of(page) if option.startswith("--")]
        assert re.findall(r"--[a-z-]+", command[1]) == [
            option for option in needed if option != "--boot-seconds"
        ]


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_program_of_a_page_runs(page: Path, run: Callable[..., str], tmp_path: Path) -> None:
    program: list[str] = []
    shown: list[str] = []
    blocks = blocks_of(page)
    for block in blocks:
        if block.role == "file":
            tmp_path.joinpath(str(block.note)).write_text(block.code, encoding="utf-8")
        elif block.role == "output":
            assert shown, "an output stands before any program"
            shown[-1] = block.code
        elif block.role is None and block.language == "python":
            program.append(f"{block.code}\nprint({RULER!r})\n")
            shown.append("")
    if not program:
        return
    tmp_path.joinpath("page.py").write_text("".join(program), encoding="utf-8")
    printed = run(
        "stratuslab-sandbox", "exec", *options_of(page), "--", sys.executable, "page.py", cwd=tmp_path
    )
    *pieces, rest = printed.split(f"{RULER}\n")
    assert len(pieces) == len(program), rest
    for expected, piece in zip(shown, pieces, strict=True):
        if expected:
            assert re.fullmatch(pattern_of(expected), piece.strip(), re.DOTALL), piece


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize(
    ("page", "code"),
    [
        pytest.param(page, block.code, id=f"{name_of(page)}: {block.code.partition(chr(10))[0]}")
        for page in PAGES
        for block in blocks_of(page)
        if block.role is None and block.language == "bash"
    ],
)
def test_a_command_of_a_page_runs(page: Path, code: str, run: Callable[..., str], tmp_path: Path) -> None:
    for block in blocks_of(page):
        if block.role == "file":
            tmp_path.joinpath(str(block.note)).write_text(block.code, encoding="utf-8")
    run("stratuslab-sandbox", "exec", *options_of(page), "--", "bash", "-euc", code, cwd=tmp_path)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(block.code, id=name_of(page))
        for page in PAGES
        for block in blocks_of(page)
        if block.role is None and block.language == "ini"
    ],
)
def test_a_configuration_of_a_page_is_understood(code: str) -> None:
    configurator = UserConfigurator(io.StringIO(code))
    assert [configurator.cloud(location) for location in configurator.locations()]


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in sorted(DOCS.rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not page.parent.joinpath(target).exists():
                broken.append((name_of(page), target))
    assert broken == []


def test_files_that_pages_name_exist() -> None:
    pages = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    missing = [
        (page.name, name)
        for page in pages
        for name in re.findall(
            r"`((?:tests|stratuslab|examples|benchmarks)/[\w/.-]+)`", page.read_text(encoding="utf-8")
        )
        if not ROOT.joinpath(name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("start", [DOCS / "index.md", ROOT / "README.md"], ids=lambda page: page.name)
def test_every_page_can_be_reached_from_the_start(start: Path) -> None:
    links = re.findall(r"\]\(([^)#]+\.md)", start.read_text(encoding="utf-8"))
    linked = {start.parent.joinpath(link).resolve() for link in links if "://" not in link}
    assert {page for page in DOCS.rglob("*.md") if "_build" not in page.parts} - linked <= {DOCS / "index.md"}
