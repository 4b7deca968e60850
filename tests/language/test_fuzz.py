import json
import subprocess
import sys

import pytest

from conspect.bench.parser import fuzz


def test_only_diagnostics_leave_the_parser_whatever_the_input() -> None:
    report = fuzz(4000, seed=20)
    assert report.escaped == []
    assert report.inputs == report.accepted + report.refused == 4000
    assert report.accepted > 50
    assert report.slowest < 2  # the target is 1 s of an idle core; see `rows`


def test_ten_thousand_properties_parse_and_check_within_seconds() -> None:
    # In a process of its own: what other tests have left in memory makes every collection of garbage longer.
    program = "from conspect.bench.parser import time_large_file as spent; print(min(spent() for _ in range(2)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=100)
    assert float(done.stdout) < 4  # the target is 2 s of an idle core


@pytest.mark.slow
def test_a_longer_run_meets_every_target() -> None:
    # In a process of its own: the memory of a whole test run is not the parser's.
    program = "import json; from conspect.bench.parser import rows; print(json.dumps(rows(30_000, seed=21)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=200)
    verdicts = [row["met"] for row in json.loads(done.stdout)]
    assert False not in verdicts
    assert verdicts.count(True) == 5
