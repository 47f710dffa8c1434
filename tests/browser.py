"""Headless Chromium for tests; where there is none they are skipped."""

import contextlib
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE = 60  # seconds, for a page to become what a test waits for


@contextlib.contextmanager
def browser(width=1200, height=1500, dark=False):
    """A browser with a window of this size."""
    driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
    if not driver or not chromium:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, Service(driver))
    try:
        opened.set_window_size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        yield opened
    finally:
        opened.quit()


def wait(opened, script):
    """Waits until a script returns something true, and returns it."""
    return WebDriverWait(opened, PATIENCE).until(
        lambda _: opened.execute_script(f"return {script}")
    )


def complaints(opened):
    """The errors that the page and the browser have logged."""
    return [e["message"] for e in opened.get_log("browser") if e["level"] == "SEVERE"]
