"""The client of the demonstration: StratusLab's protocols, spoken with the standard library and shown."""

from __future__ import annotations

import json
import textwrap
from base64 import b64encode
from configparser import ConfigParser
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen
from xml.etree import ElementTree
from xmlrpc.client import ServerProxy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any
    from xml.etree.ElementTree import Element

_TIMEOUT_SECONDS = 10
_WIDTH = 96
_SHOWN_LENGTH = 300


class DemoClient:
    """Asks the selected location of a configuration file and prints what goes to and fro.

    Passwords are left out of what is printed. Errors are those of `xmlrpc.client` and `urllib.request`.
    """

    def __init__(self, config_file: Path) -> None:
        configuration = ConfigParser()
        configuration.read(config_file, encoding="utf-8")
        user = configuration["default"]
        location = configuration[user["selected_section"]]
        self._login = f"{quote(user['username'], safe='')}:{quote(user['password'], safe='')}"
        self._basic = b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        self._compute = location["endpoint"].replace("/xmlrpc", "/pswd/xmlrpc")
        self._pdisk = f"{location['pdisk_endpoint']}/pswd"
        self.marketplace = location["marketplace_endpoint"]

    def call(self, method: str, *arguments: str | int) -> str | int:
        """Make a call to OpenNebula, with any session before its arguments; RuntimeError if it refuses."""
        _show_request(f"POST {self._compute}", f"{method}{('any', *arguments)}")
        value = self.ask(method, *arguments)
        _show_answer(repr([True, value, 0]))
        return value

    def ask(self, method: str, *arguments: str | int) -> str | int:
        """Do the same as `call` without a word."""
        scheme, _, rest = self._compute.partition("://")
        with ServerProxy(f"{scheme}://{self._login}@{rest}") as service:
            answer: tuple[bool, str | int, int] = getattr(service, method)("any", *arguments)
        ok, value, _code = answer
        if not ok:
            raise RuntimeError(value)
        return value

    def pdisk(self, method: str, path: str, form: Mapping[str, str | int] | None = None) -> Any:
        """Make a request to PDisk, and return what its JSON says."""
        body = urlencode(form or {})
        _show_request(f"{method} {self._pdisk}{path}", body)
        headers = {"Authorization": f"Basic {self._basic}", "Accept": "application/json"}
        answer = json.loads(_fetched(method, self._pdisk + path, headers, body))
        _show_answer(json.dumps(answer))
        return answer

    def metadata(self) -> list[Element]:
        """Return the entries of the Marketplace, each a `rdf:Description`."""
        url = f"{self.marketplace}/metadata"
        _show_request(f"GET {url}")
        document = ElementTree.fromstring(_fetched("GET", url))  # noqa: S314 - the sandbox's own
        entries = [description for rdf in document for description in rdf[:1]]
        _show_answer(f"<metadata>, with {len(entries)} entries in RDF/XML")
        return entries


def _fetched(method: str, url: str, headers: Mapping[str, str] | None = None, body: str = "") -> bytes:
    request = Request(url, body.encode() or None, dict(headers or {}), method=method)  # noqa: S310 - http
    with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - http
        answer: bytes = response.read()
    return answer


def _show_request(address: str, body: str = "") -> None:
    print(f"\n  > {address}")
    if body:
        print(_indented(body, "    "))


def _show_answer(text: str) -> None:
    print(_indented(text, "  < "))


def _indented(text: str, first: str) -> str:
    shown = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]} ..."
    return textwrap.fill(
        shown, _WIDTH, initial_indent=first, subsequent_indent="    ", break_on_hyphens=False
    )
