"""What holds for every test: nothing is skipped in CI for want of an installation, and Ctrl-C is not ignored."""

import os
import re
import signal
from collections.abc import Generator

import pytest

# A reason that asks for an installation says so: "mosquitto_pub is missing: install the package …", "… not installed".
_WANTS_INSTALLATION = re.compile(r"\binstall|could not import", re.IGNORECASE)

# Whoever starts the tests in the background of a script has Ctrl-C ignored, and every program that a test starts would
# inherit that: a test that presses it would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_forbidden(outcome: str, longrepr: object) -> bool:
    in_ci = os.environ.get("CI") == "true"
    return in_ci and outcome == "skipped" and _WANTS_INSTALLATION.search(str(longrepr)) is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip for want of an installation into a failure, in CI."""
    report = yield
    if _is_forbidden(report.outcome, report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a whole file that skips itself."""
    report = yield
    if _is_forbidden(report.outcome, report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped in CI: {report.longrepr}"
    return report
