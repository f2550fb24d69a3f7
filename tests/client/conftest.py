from __future__ import annotations

import io
import re
import traceback
import tracemalloc
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import settings

from stratuslab.client import UserConfigurator
from stratuslab.client.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratuslab.client import Cloud

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


class Configured(Protocol):
    """Makes a configuration of these sections."""

    def __call__(self, default: dict[str, str], **others: dict[str, str]) -> UserConfigurator: ...


class CloudOf(Protocol):
    """Makes the cloud of a ``[default]`` section with these keys besides the minimum."""

    def __call__(self, **keys: str) -> Cloud: ...


@pytest.fixture
def minimum() -> dict[str, str]:
    """The keys without which there is no cloud."""
    return {"endpoint": "cloud.example.org", "username": "alice", "password": "s3cret"}


@pytest.fixture
def configured() -> Configured:
    def make(default: dict[str, str], **others: dict[str, str]) -> UserConfigurator:
        lines = []
        for name, keys in {"default": default, **others}.items():
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
        return UserConfigurator(io.StringIO("\n".join(lines)))

    return make


@pytest.fixture
def cloud_of(configured: Configured, minimum: dict[str, str]) -> CloudOf:
    return lambda **keys: configured(minimum | keys).cloud("default")


@pytest.fixture
def refusal_of(cloud_of: CloudOf) -> Callable[..., str]:
    """Return the text of the error for these keys, after a look for the password in all of it."""

    def refusal(**keys: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            cloud_of(**keys)
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))
        return str(caught.value)

    return refusal


@pytest.fixture
def pem_files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key: files that are there."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch()
    return certificate, key


@pytest.fixture(scope="session")
def read_template() -> Callable[[str], list[tuple[str, str | dict[str, str]]]]:
    """Read a template by the rule of OpenNebula's quoting: a quote ends a value unless a \\ is before it."""
    pair = re.compile(r'\s*(\w+) = "((?:[^"]|(?<=\\)")*)(?<!\\)"')
    opening = re.compile(r"\s*(\w+) = \[")
    closing = re.compile(r"\s*(,|\])")

    def read(text: str) -> list[tuple[str, str | dict[str, str]]]:
        found: list[tuple[str, str | dict[str, str]]] = []
        position = 0

        def take(pattern: re.Pattern[str]) -> re.Match[str]:
            nonlocal position
            match = pattern.match(text, position)
            assert match, f"{pattern.pattern} does not match {text[position:]!r}"
            position = match.end()
            return match

        while text[position:].strip():
            vector = opening.match(text, position)
            if not vector:
                name, value = take(pair).groups()
                found.append((name, value.replace('\\"', '"')))
                continue
            position = vector.end()
            items: dict[str, str] = {}
            more = ","
            while more == ",":
                name, value = take(pair).groups()
                assert name not in items
                items[name] = value.replace('\\"', '"')
                more = take(closing)[1]
            found.append((vector[1], items))
        return found

    return read


@pytest.fixture
def peak_mib() -> Callable[[Callable[[], object]], float]:
    """Return the most memory that a call takes besides what there was before."""

    def measure(call: Callable[[], object]) -> float:
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1] / 2**20
        finally:
            tracemalloc.stop()

    return measure
