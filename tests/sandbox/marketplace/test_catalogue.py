from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stratuslab.sandbox.marketplace.image_entry import timestamp

if TYPE_CHECKING:
    from stratuslab.sandbox import Clock
    from stratuslab.sandbox.marketplace.catalogue import Catalogue
    from stratuslab.sandbox.marketplace.image_entry import ImageEntry


def by_identifier(catalogue: Catalogue) -> dict[str, list[ImageEntry]]:
    found: dict[str, list[ImageEntry]] = {}
    for entry in catalogue.entries():
        found.setdefault(entry.identifier, []).append(entry)
    return found


def test_the_default_images_are_of_all_kinds(catalogue: Catalogue, clock: Clock) -> None:
    valid = [entry for entry in catalogue.entries() if entry.valid_at(clock.now())]
    machines = {entry.identifier: entry for entry in valid if entry.kind != "disk"}
    assert len(machines) == 6
    assert {entry.format for entry in machines.values()} == {"raw", "qcow2"}
    assert {entry.disks_bus for entry in machines.values()} == {None, "ide", "virtio", "scsi"}
    assert {bool(entry.title) for entry in machines.values()} == {True, False}
    assert any(entry.title and not entry.title.isascii() for entry in machines.values())
    assert any(entry.description.startswith("\n\n") for entry in machines.values())
    assert any(entry.inbound_ports for entry in machines.values())
    assert any(entry.kind == "disk" for entry in valid)
    assert any(entry.expired_at(clock.now()) for entry in catalogue.entries())
    assert any(entry.deprecated for entry in catalogue.entries())


def test_one_image_is_endorsed_twice(catalogue: Catalogue) -> None:
    (twice,) = [entries for entries in by_identifier(catalogue).values() if len(entries) > 1]
    older, newer = twice
    assert older.email != newer.email
    assert older.endorsed < newer.endorsed
    assert catalogue.find(older.identifier) == newer


def test_default_images_stay_valid_while_the_clock_runs(catalogue: Catalogue, clock: Clock) -> None:
    before = [entry for entry in catalogue.entries() if entry.valid_at(clock.now())]
    clock.step(3 * 365 * 86_400)
    assert all(entry.valid_at(clock.now()) for entry in before)


def test_an_entry_is_found_by_its_key(catalogue: Catalogue) -> None:
    entry = catalogue.entries()[2]
    assert entry.key == (entry.identifier, entry.email, timestamp(entry.endorsed))
    assert catalogue.entry(*entry.key) is entry
    assert catalogue.entry(entry.identifier, entry.email, "2000-01-01T00:00:00Z") is None


def test_adding_the_same_endorsement_again_replaces_it(catalogue: Catalogue) -> None:
    entry = catalogue.entries()[0]
    count = len(catalogue.entries())
    catalogue.add(replace(entry, title="changed"))
    assert len(catalogue.entries()) == count
    assert catalogue.entry(*entry.key).title == "changed"


def test_expire_deprecate_and_remove_concern_all_endorsements(catalogue: Catalogue, clock: Clock) -> None:
    identifier = catalogue.entries()[0].identifier
    catalogue.deprecate(identifier, "broken")
    catalogue.expire(identifier)
    entries = by_identifier(catalogue)[identifier]
    assert [entry.deprecated for entry in entries] == ["broken", "broken"]
    assert all(entry.expired_at(clock.now()) for entry in entries)
    catalogue.remove(identifier)
    assert catalogue.find(identifier) is None
    assert identifier not in by_identifier(catalogue)


def test_an_unknown_image_cannot_be_changed(catalogue: Catalogue) -> None:
    for change in (catalogue.expire, catalogue.remove, lambda i: catalogue.deprecate(i, "x")):
        with pytest.raises(KeyError):
            change("Z" * 27)


def test_an_entry_is_valid_until_its_date(catalogue: Catalogue, clock: Clock) -> None:
    entry = replace(catalogue.entries()[0], valid=clock.now() + 10)
    clock.step(9)
    assert entry.valid_at(clock.now())
    clock.step(1)
    assert not entry.valid_at(clock.now())
    assert not entry.expired_at(clock.now())
    clock.step(1)
    assert entry.expired_at(clock.now())
    undated = replace(entry, valid=None)
    assert not undated.valid_at(clock.now())
    assert not undated.expired_at(clock.now())
