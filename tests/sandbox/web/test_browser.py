"""The page in a browser: headless Chromium, told what to do over two pipes (its --remote-debugging-pipe)."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stratuslab.sandbox import Sandbox

SECONDS = 30
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-pipe",
)
# Chromium reads from descriptor 3 and writes to descriptor 4.
START = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, number in zip(pipes, (3, 4)):
    os.dup2(end, number)
    os.close(end)
os.execv(sys.argv[3], sys.argv[3:])
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


class Browser:
    """A tab of Chromium, by its DevTools protocol: JSON messages, each ended by a zero byte."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._unread = b""
        self._sent = 0
        self._loads = 0
        self._session: dict[str, str] = {}
        self.requested: list[str] = []
        self._target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        self.send("Page.enable")
        self.send("Network.enable")

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._sent:
            pass
        assert "error" not in answer, answer
        return dict(answer["result"])

    def open(self, url: str) -> None:
        self._loads = 0
        self.send("Page.navigate", url=url)
        while not self._loads:
            self._receive()

    def close(self) -> None:
        self._session = {}
        self.send("Target.closeTarget", targetId=self._target)

    def run(self, script: str) -> Any:
        """Return what an expression of JavaScript gives; if that is a promise, what becomes of it."""
        answer = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Wait until an expression is true, looking after every change of the page."""
        self.run(
            "new Promise((done, fail) => {"
            f"  const look = () => ({condition}) && done();"
            "  new MutationObserver(look).observe(document, {attributes: true, characterData: true,"
            "    childList: true, subtree: true});"
            "  look();"
            f"  setTimeout(() => fail(new Error(document.body.innerText)), {500 * SECONDS});"
            "})"
        )

    def press(self, key: str) -> None:
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {"Tab": 9, "Enter": 13, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            readable, _, _ = select.select([self._answers], [], [], SECONDS)
            received = readable and os.read(self._answers, 65536)
            assert received, "Chromium has ended" if readable else "Chromium is silent"
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        event: dict[str, Any] = json.loads(message)
        if event.get("sessionId") == self._session.get("sessionId"):
            if event.get("method") == "Network.requestWillBeSent":
                self.requested.append(event["params"]["request"]["url"])
            self._loads += event.get("method") == "Page.loadEventFired"
        return event


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Browser]]:
    """Start Chromium once; what is returned opens a new tab."""
    profile: Path = tmp_path_factory.mktemp("profile")
    with ExitStack() as ends:
        theirs_to_read, commands = os.pipe()
        answers, theirs_to_write = os.pipe()
        ends.callback(os.close, answers)
        browser = [str(CHROMIUM), *SWITCHES, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            [sys.executable, "-c", START, str(theirs_to_read), str(theirs_to_write), *browser],
            pass_fds=(theirs_to_read, theirs_to_write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
        )
        ends.callback(process.wait, SECONDS)
        ends.callback(os.close, commands)
        os.close(theirs_to_read)
        os.close(theirs_to_write)
        yield lambda: Browser(commands, answers)


@pytest.fixture
def browser(browsers: Callable[[], Browser]) -> Iterator[Browser]:
    browser = browsers()
    yield browser
    browser.close()


def state_is(name: str) -> str:
    return f"document.getElementById('vm-paris-0')?.innerText.includes('{name}')"


def test_a_vm_that_boots_changes_its_row_without_a_reload(
    browser: Browser, sandbox: Sandbox, start_vm: Callable[[str], int]
) -> None:
    browser.open(sandbox.url)
    browser.run("window.loadedOnce = true; 0")
    start_vm("NAME = web")
    browser.wait_until(state_is("PENDING"))
    for seconds, state in ((2, "PROLOG"), (6, "RUNNING")):
        sandbox.clock.step(seconds)
        browser.wait_until(state_is(state))
    assert browser.run("window.loadedOnce") is True


def test_what_the_reader_does_is_left_alone(
    browser: Browser, sandbox: Sandbox, start_vm: Callable[[str], int]
) -> None:
    """Focus, selection and opened details outlast the changes of the very row, and rows before it."""
    start_vm("NAME = web")
    sandbox.clock.step(2)
    browser.open(sandbox.url)
    browser.run(
        "const row = document.getElementById('vm-paris-0');"
        "row.querySelector('details').open = true;"
        "row.querySelector('summary').focus();"
        "getSelection().selectAllChildren(row.cells[0]); 0"
    )
    start_vm("NAME = other")
    sandbox.clock.step(6)
    browser.wait_until(f"{state_is('RUNNING')} && document.getElementById('vm-paris-1')")
    assert browser.run("document.activeElement.closest('tr')?.id") == "vm-paris-0"
    assert browser.run("getSelection().toString().trim()") == "web"
    assert browser.run("document.querySelector('#vm-paris-0 details').open") is True
    assert "Running since" in browser.run("document.querySelector('#vm-paris-0 details').innerText")
    assert browser.run("[...document.querySelectorAll('[id^=vm-paris-]')].map(row => row.id)") == [
        "vm-paris-1",
        "vm-paris-0",
    ]


def test_rows_come_and_go(browser: Browser, sandbox: Sandbox, make_volume: Callable[[str], None]) -> None:
    browser.open(sandbox.url)
    make_volume("size=1&tag=scratch")
    browser.wait_until("document.body.innerText.includes('scratch')")
    assert "No volume yet." not in browser.run("document.body.innerText")
    disks = sandbox.location("paris").disks
    disks.delete(disks.disks()[0].uuid)
    browser.wait_until("document.body.innerText.includes('No volume yet.')")
    assert "scratch" not in browser.run("document.body.innerText")


def test_live_updates_can_be_paused_with_the_keyboard(
    browser: Browser, sandbox: Sandbox, start_vm: Callable[[str], int]
) -> None:
    browser.open(sandbox.url)
    for _ in range(5):
        browser.press("Tab")
    assert browser.run("document.activeElement.id") == "live"
    browser.press(" ")
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "false"
    asked = len(browser.requested)
    start_vm("NAME = web")
    browser.run("new Promise(done => setTimeout(done, 1500))")
    assert len(browser.requested) == asked
    browser.press(" ")
    browser.wait_until(state_is("PENDING"))


def test_the_first_tab_leads_past_the_links(browser: Browser, sandbox: Sandbox) -> None:
    browser.open(sandbox.url)
    browser.press("Tab")
    assert browser.run("document.activeElement.getBoundingClientRect().top >= 0")
    browser.press("Enter")
    assert browser.run("document.activeElement.id") == "main"


def test_it_loads_nothing_but_itself(
    browser: Browser, sandbox: Sandbox, start_vm: Callable[[str], int]
) -> None:
    browser.open(sandbox.url)
    start_vm("NAME = web")
    browser.wait_until(state_is("PENDING"))
    assert {url for url in browser.requested if not url.startswith("data:")} == {f"{sandbox.url}/"}


def test_it_tells_when_the_sandbox_has_gone(browser: Browser, sandbox: Sandbox) -> None:
    browser.open(sandbox.url)
    sandbox.stop()
    browser.wait_until("document.getElementById('notice').innerText.includes('does not answer')")
    sandbox.start()
    browser.wait_until("!document.getElementById('notice').innerText")


def test_without_javascript_there_is_a_link_to_refresh(
    browser: Browser, sandbox: Sandbox, start_vm: Callable[[str], int]
) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(sandbox.url)
    assert browser.run("document.getElementById('live').hidden") is True
    start_vm("NAME = web")
    assert browser.run("document.getElementById('vm-paris-0')") is None
    browser.open(browser.run("[...document.links].find(link => link.innerText === 'Refresh').href"))
    assert browser.run(state_is("PENDING"))


@pytest.mark.parametrize("width", [320, 400, 1280])
def test_no_width_hides_anything(
    browser: Browser, sandbox: Sandbox, start_vm: Callable[[str], int], width: int
) -> None:
    """On a narrow screen rows are lists, so that neither the page nor a table has to be scrolled sideways."""
    start_vm("NAME = web")
    sandbox.clock.step(8)
    browser.send(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
    )
    browser.open(sandbox.url)
    too_wide = "[...document.querySelectorAll('html, .table')].filter(it => it.scrollWidth > it.clientWidth)"
    assert browser.run(f"{too_wide}.map(it => it.innerText.slice(0, 40))") == []
    cell = "document.querySelector('#vm-paris-0 td')"
    label = browser.run(f"getComputedStyle({cell}, '::before').content")
    assert label == ('"VM"' if width < 640 else "none")
