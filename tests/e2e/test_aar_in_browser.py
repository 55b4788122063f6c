"""The after-action report in a real browser: it asks nothing of the network, complains of nothing, and can be read."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from scenarios.evaluate.evaluation import evaluate
from scenarios.report.page import write_aar
from tests.samples.small_exercise import small_community, small_pack, small_record

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900",
)  # fmt: skip


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    if shutil.which(CHROMIUM) is None or shutil.which(DRIVER) is None:
        reason = f"{CHROMIUM} and {DRIVER} are not installed (Debian: chromium, chromium-driver)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def requested(browser: webdriver.Chrome, page: str) -> list[str]:
    """Every address that the browser has asked for on behalf of this page; its own start page is its own matter."""
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")  # type: ignore[no-untyped-call]  # selenium leaves it untyped
    ]
    sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
    return [each["request"]["url"] for each in sent if each["documentURL"] == page]


def test_the_report_opens_by_itself_and_shows_findings_matrix_and_story(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    """One browser start costs a second, so one test walks the page as a reader would."""
    pack, record = small_pack(), small_record()
    files = write_aar(pack, record, evaluate(pack, record, small_community()), tmp_path / "out")
    address = files.html.as_uri()

    browser.get(address)

    assert [address] == [each for each in requested(browser, address) if not each.startswith("data:")]
    assert [] == browser.get_log("browser")  # type: ignore[no-untyped-call]
    findings = browser.find_element(By.CSS_SELECTOR, ".findings")
    assert findings.is_displayed()
    assert "Echo Shipping learned F1" in findings.text
    matrix = browser.find_element(By.CSS_SELECTOR, "svg[aria-labelledby^='matrix-title']")
    assert matrix.is_displayed()
    assert "50 min" in matrix.text

    entries = browser.find_elements(By.CSS_SELECTOR, ".story li")
    assert entries
    assert all(entry.is_displayed() for entry in entries)
    browser.find_element(By.CSS_SELECTOR, "button[data-kind='breach']").click()
    shown = [entry for entry in entries if entry.is_displayed()]
    assert ["breach"] == [entry.get_attribute("data-kind") for entry in shown]
    browser.find_element(By.CSS_SELECTOR, "button[data-kind='all']").click()
    assert all(entry.is_displayed() for entry in entries)

    # The page itself never scrolls sideways, only its wide pictures and tables do.
    for width in (1280, 800, 420):
        browser.set_window_size(width, 900)
        page_width, window_width = browser.execute_script(
            "return [document.documentElement.scrollWidth, window.innerWidth]"
        )
        assert page_width <= window_width
    assert [] == browser.get_log("browser")  # type: ignore[no-untyped-call]
