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


def test_a_stage_whose_one_step_takes_minutes_says_that_it_is_still_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0.05)
    monkeypatch.setattr(progress, "SECONDS_A_BEAT", 0.01)
    monkeypatch.setattr(progress, "_PULSE", progress._Pulse())
    advance = progress.terminal_bar("monitor", 2)
    time.sleep(0.3)
    advance(2)
    said = capsys.readouterr().err.splitlines()
    assert len(said) >= 2
    assert all(line.startswith("monitor: 0 of 2, after ") for line in said)
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_stage_that_nobody_advances_any_more_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    monkeypatch.setattr(progress, "SECONDS_A_LINE", 0.05)
    monkeypatch.setattr(progress, "SECONDS_A_BEAT", 0.01)
    monkeypatch.setattr(progress, "_PULSE", progress._Pulse())
    progress.terminal_bar("given up", 5)(1)
    time.sleep(0.2)
    assert capsys.readouterr().err == ""
