from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratuslab.sandbox.state.file import Batch, Record, RecordName, StateFile, StateFileError
from stratuslab.sandbox.table import Table

if TYPE_CHECKING:
    from pathlib import Path


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def put(key: str, content: str = "0", location: str = "paris") -> Batch:
    return Batch([], [Record(location, "disk", key, content)])


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with closing(StateFile(path)) as file:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (file.records("paris"), file.time()) == ([], 0)
        file.write([put("a")], 5.0)
        assert {stat.S_IMODE(part.stat().st_mode) for part in tmp_path.iterdir()} == {0o600}
    assert [*tmp_path.iterdir()] == [path]


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state")) as file:
        file.write([put("b"), put("a"), put("é\x00", '"☁"', "lyon")], 5.0)
        file.write([put("b", "1"), Batch([RecordName("paris", "disk", "a")], [])], 4.0)
    with closing(StateFile(tmp_path / "state")) as file:
        assert file.records("paris") == [("paris", "disk", "b", "1")]
        assert file.records("lyon") == [("lyon", "disk", "é\x00", '"☁"')]
        assert file.time() == 5.0


def test_what_was_written_does_not_need_a_close(tmp_path: Path) -> None:
    with closing(StateFile(tmp_path / "state")) as file:
        file.write([put("a")], 5.0)
        shutil.copytree(tmp_path, tmp_path / "copy")
    with closing(StateFile(tmp_path / "copy" / "state")) as file:
        assert [record.key for record in file.records("paris")] == ["a"]


def test_all_of_a_write_or_nothing(tmp_path: Path) -> None:
    nothing: Any = None
    with closing(StateFile(tmp_path / "state")) as file:
        with pytest.raises(StateFileError, match="NOT NULL"):
            file.write([put("a"), Batch([], [Record("paris", "disk", "b", nothing)])], 5.0)
        file.write([put("c")], 1.0)
        assert [record.key for record in file.records("paris")] == ["c"]
        assert file.time() == 1.0


def test_a_file_belongs_to_one_sandbox(tmp_path: Path) -> None:
    path = tmp_path / "state"
    program = (
        "import pathlib, sys\n"
        "from stratuslab.sandbox.state.file import StateFile\n"
        "try: StateFile(pathlib.Path(sys.argv[1]))\n"
        "except OSError as error: print(error)\n"
    )
    with closing(StateFile(path)):
        with pytest.raises(StateFileError, match="is in use by another sandbox"):
            StateFile(path)
        elsewhere = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
        )
    assert elsewhere.stdout == f"{path} is in use by another sandbox\n"


@pytest.mark.parametrize("content", [b"precious", b"\x00" * 5000, b"SQLite format 3\x00" + b"x" * 5000])
def test_a_file_of_something_else_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(StateFileError, match="precious cannot be the state of a sandbox: "):
        StateFile(path)
    assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_a_database_of_something_else_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    execute(path, "CREATE TABLE record (location, kind, key, content)")
    before = path.read_bytes()
    with pytest.raises(StateFileError, match="precious is a database, but not the state of a sandbox"):
        StateFile(path)
    assert path.read_bytes() == before


def test_a_file_of_another_version_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state"
    StateFile(path).close()
    execute(path, "PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(StateFileError, match=r"state is in format 2 .* reads and writes format 1"):
        StateFile(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_state(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    StateFile(tmp_path / "state").close()
    StateFile(tmp_path / "state").close()


def test_a_place_without_room_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        StateFile(tmp_path / "missing" / "state")
    with pytest.raises(StateFileError, match="unable to open"):
        StateFile(tmp_path)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.sampled_from(["put", "remove", "save", "load"]).flatmap(
            lambda step: st.tuples(st.just(step), st.sampled_from("abcd"))
        ),
        max_size=30,
    )
)
def test_records_are_in_the_order_of_the_table(tmp_path: Path, steps: list[tuple[str, str]]) -> None:
    path = tmp_path / "state"
    path.unlink(missing_ok=True)
    with closing(StateFile(path)) as file:
        table: Table[str, str] = Table({"z": "first"})
        table.note_changes()
        for number, (step, key) in enumerate([*steps, ("save", "")]):
            if step == "put":
                table[key] = str(number)
            elif step == "remove":
                table.pop(key, None)
            else:
                changes = table.take_changes()
                removed = [RecordName("paris", "disk", key) for key in changes.removed]
                file.write(
                    [Batch(removed, [Record("paris", "disk", key, table[key]) for key in changes.put])], 0
                )
                records = [(record.key, record.content) for record in file.records("paris")]
                assert records == [*table.items()]
                if step == "load":
                    table.load(dict(records))
