"""Which browser the end-to-end tests drive: LLMOPS_TEST_BROWSER, one on the PATH, or one installed now.

`python -m tests.browser` sees to it that there is one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

#: The shell without a window first: it draws the same with a good deal less work.
ON_PATH = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)


def browser_on_path() -> str | None:
    """The executable to use; None means Playwright's own."""
    named = os.environ.get("LLMOPS_TEST_BROWSER")
    if named:
        return shutil.which(named) or sys.exit(f"LLMOPS_TEST_BROWSER={named}: there is no such program.")
    return next((path for name in ON_PATH if (path := shutil.which(name))), None)


def find_or_install_browser() -> str:
    """Path of a Chromium. Ends the program with one line when there is none and none can be installed."""
    found = browser_on_path() or _playwrights_own()
    if found:
        return found
    print("No browser on the PATH: fetching Playwright's Chromium", flush=True)
    fetched = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if fetched.returncode == 0 and (found := _playwrights_own()) and _starts(found):
        return found
    if os.getuid() == 0 and shutil.which("apt-get"):
        print("Playwright's cannot be used here: installing Debian's chromium", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
        for package in ("chromium-headless-shell", "chromium"):
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
            subprocess.run(install, check=False, env=environment)
            if found := browser_on_path():
                return found
    sys.exit("The tests need a browser: install chromium, or name one with LLMOPS_TEST_BROWSER=/path/to/it.")


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _starts(path: str) -> bool:
    """A browser without its system libraries is there, but does not start."""
    asked = subprocess.run([path, "--version"], capture_output=True, check=False, timeout=60)
    return asked.returncode == 0


if __name__ == "__main__":
    find_or_install_browser()
