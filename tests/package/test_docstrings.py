"""All docstrings of the client and the driver have one form.

A summary that ends in a full stop, then what there is to explain, then Sphinx fields: ``:param NAME:`` for an
argument or a field of a dataclass, ``:raises ERROR:`` for an error, each a text that ends in a full stop.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratuslab.client import errors
from stratuslab.client.transport import xml_document

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path
    for package in ("client", "libcloud")
    for path in ROOT.joinpath("stratuslab", package).rglob("*.py")
    if path.name != "__init__.py"
)
FIELD = re.compile(r"^:(\w+)(?: ([^:\n]*))?:(?!`)(.*(?:\n {4}.*)*)", re.MULTILINE)
OTHER_STYLES = re.compile(
    r"^\s*(?:Args|Arguments|Attributes|Parameters|Raises|Returns|Yields):", re.MULTILINE
)
PROSE = re.compile(r"\bRaises\b|\braises?\s+(?::class:|``\w+Error``)")


@dataclass(frozen=True)
class Docstring:
    where: str
    text: str
    names: frozenset[str]
    """The arguments and fields that it may describe."""

    @property
    def fields(self) -> list[tuple[str, str, str]]:
        return FIELD.findall(self.text)


def _arguments(node: ast.AST) -> frozenset[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        given = node.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        return frozenset(argument.arg for argument in every if argument)
    fields = {
        child.target.id
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name)
    }
    made_by = [
        child
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.FunctionDef) and child.name == "__init__"
    ]
    return frozenset(fields).union(*map(_arguments, made_by))


def docstrings_of(path: Path) -> Iterator[Docstring]:
    where = str(path.relative_to(ROOT))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text is not None:
                name = getattr(node, "name", "")
                yield Docstring(f"{where}:{name}", text, _arguments(node))


DOCSTRINGS = [docstring for path in MODULES for docstring in docstrings_of(path)]


def test_a_docstring_begins_with_a_sentence() -> None:
    summaries = {docstring.where: docstring.text.partition("\n")[0] for docstring in DOCSTRINGS}
    assert len(summaries) > 400
    assert {where for where, summary in summaries.items() if not summary.endswith((".", "``", "?"))} == set()


def test_no_docstring_is_in_another_style() -> None:
    found = [docstring.where for docstring in DOCSTRINGS if OTHER_STYLES.search(docstring.text)]
    assert found == []


def test_errors_are_fields_and_not_prose() -> None:
    found = [docstring.where for docstring in DOCSTRINGS if PROSE.search(FIELD.sub("", docstring.text))]
    assert found == []


def test_fields_come_last_and_are_sentences() -> None:
    wrong = []
    for docstring in DOCSTRINGS:
        kinds = [kind for kind, _, _ in docstring.fields]
        after = FIELD.split(docstring.text)[-1]
        known = {*kinds} <= {"param", "raises"}
        if kinds and (not known or sorted(kinds) != kinds or after.strip()):
            wrong.append(docstring.where)
        wrong += [
            f"{docstring.where}: {name}" for _, name, text in docstring.fields if not text.endswith(".")
        ]
    assert wrong == []


def test_a_parameter_that_is_described_exists() -> None:
    wrong = [
        f"{docstring.where}: {name}"
        for docstring in DOCSTRINGS
        for kind, name, _ in docstring.fields
        if kind == "param" and name not in docstring.names
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "stratuslab")))
def test_an_error_that_is_named_exists(path: Path) -> None:
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for docstring in docstrings_of(path):
        for kind, name, _ in docstring.fields:
            if kind == "raises":
                known = [getattr(place, name, None) for place in (module, errors, xml_document, builtins)]
                found = next((error for error in known if error is not None), None)
                assert inspect.isclass(found), f"{docstring.where}: {name}"
                assert issubclass(found, Exception)
