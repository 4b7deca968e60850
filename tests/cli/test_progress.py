"""Where there is no terminal a long stage says every ten seconds how far it is, and a quick one says nothing."""

import sys
import time

import pytest

from conspect.cli import progress


def test_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    advance = progress.terminal_bar("attacks", 1000)
    for _ in range(100):
        clock[0] += 0.35
        advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "attacks: 290 of 1,000, about 25 s left"
    assert len(lines) == 3
    quick = progress.terminal_bar("quick", 10)
    quick(10)
    assert capsys.readouterr().err == ""
