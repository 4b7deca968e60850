from __future__ import annotations

import os

# Before NumPy is imported: small arrays are faster on one thread, and results do not depend on the machine's cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

pytest_plugins = ["pytester", "tests.finished_study", "tests.object_store"]

settings.register_profile("conspect", deadline=None, derandomize=True)
settings.load_profile("conspect")


# Of a slow test that names no limit of its own: two of them share the cores with everything else.
SLOW_SECONDS = 900


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run tests that take more than a few seconds")
    parser.addoption("--golden", action="store_true", help="write the golden error messages anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" not in item.keywords:
            continue
        if not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow; run with --slow"))
        elif item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


# How tests say that a library is missing; `pytest_terminal_summary` lists them.
COULD_NOT_RUN = "could not run"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out for want of a library, once each; pytest alone would count it among the skipped."""
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if report.longrepr]
    left_out = sorted({reason.removeprefix("Skipped: ") for reason in reasons if COULD_NOT_RUN in reason})
    if left_out:
        terminalreporter.section("not run for want of a library")
        for line in left_out:
            terminalreporter.line(line)
