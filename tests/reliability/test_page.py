"""docs/reliability.md is what its command prints, as far as that can be seen without trying all faults."""

from __future__ import annotations

from pathlib import Path

from tests.reliability import page
from tests.reliability import test_fault_matrix as stratuslab
from tests.reliability import test_opennebula_faults as opennebula

TEXT = Path(__file__).parents[2].joinpath("docs", "reliability.md").read_text(encoding="utf-8")


def rows_after(heading: str) -> list[list[str]]:
    section = TEXT.partition(heading)[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]


def test_the_texts_are_those_of_the_command() -> None:
    assert TEXT.startswith(page.HEADING + page.STRATUSLAB)
    assert page.OPENNEBULA in TEXT


def test_every_operation_on_stratuslab_has_its_row() -> None:
    tried = [
        [name, str(len(list(stratuslab.rules(operation)))), str(len(list(stratuslab.pairs(operation))))]
        for name, operation in stratuslab.OPERATIONS.items()
    ]
    assert [row[:3] for row in rows_after(page.STRATUSLAB)[1:-1]] == tried


def test_every_operation_on_opennebula_has_its_row() -> None:
    tried = [
        [name, str(len(opennebula.rules(operation)))] for name, operation in opennebula.OPERATIONS.items()
    ]
    assert [row[:2] for row in rows_after(page.OPENNEBULA)[1:-1]] == tried


def test_the_columns_of_each_row_add_up() -> None:
    for heading, tried in ((page.STRATUSLAB, 2), (page.OPENNEBULA, 1)):
        names, *rows = rows_after(heading)
        assert tuple(names[1 + tried : -1]) == page.KINDS
        for row in rows:
            numbers = [int(cell) for cell in row[1:]]
            assert sum(numbers[:tried]) == sum(numbers[tried:])
            assert numbers[-1] == 0
