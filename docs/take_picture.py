"""Take the picture of the README: the sandbox's page beside nothing but what five lines made.

``python docs/take_picture.py`` needs Chromium. It writes ``sandbox-light.png`` and ``sandbox-dark.png`` into
``docs/images``.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from stratuslab.libcloud.stratuslab_driver import StratusLabNodeDriver
from stratuslab.sandbox import Sandbox

IMAGES = Path(__file__).with_name("images")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"


def picture(url: str, scheme: str, width: int, height: int, file: Path) -> None:
    """Take a picture of a page, as a browser shows it to those who like it light or dark."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(  # noqa: S603  the arguments are ours
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
                f"--screenshot={file}",
                url,
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main() -> None:
    """Make what the README's five lines make, and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with Sandbox(boot_seconds=0) as sandbox:
        driver = StratusLabNodeDriver("default", stratuslab_user_config=sandbox.config_file)
        image, size = driver.list_images()[0], driver.list_sizes()[0]
        for name in ("web", "database"):
            node = driver.create_node(name=name, size=size, image=image)
        driver.wait_until_running([node], wait_period=0.1)
        driver.attach_volume(node, driver.create_volume(10, "data"))
        for scheme in ("light", "dark"):
            picture(f"{sandbox.url}/", scheme, 1280, 900, IMAGES / f"sandbox-{scheme}.png")


if __name__ == "__main__":
    main()
