"""One formula has one home: what is written down a second time drifts from the first."""

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "conspect"
# How a formula looks where it is written out, and the only files that may do so.
HOMES = {
    # A VLM's own tower gives float32, and a text without a direction shall not pass as one.
    r"linalg\.norm\([^)]*keepdims": {
        "core/vectors.py", "core/spaces.py", "adapters/vlms/torch_towers.py", "adapters/vlms/onnx.py",
    },
    r"np\.exp\([^()\n]+ - [^()\n]+\.max\(": set[str](),
    r"special\.(log_)?softmax": set[str](),
    r"\brankdata\b": {"statistics/ranks.py"},
    r"\b1\.96\b": set[str](),
}  # fmt: skip


def homes_of(formula: str, files: dict[str, str]) -> set[str]:
    return {name for name, text in files.items() if re.search(formula, text)}


@pytest.mark.parametrize("formula", HOMES)
def test_a_formula_is_written_in_its_home_alone(formula: str) -> None:
    files = {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    assert len(files) > 500
    assert homes_of(formula, files) == HOMES[formula]


# Rooms that show shares to people: 0.9996 is nowhere 100 %, since `core.percentages` alone turns shares into text there.
SHOWING = ("report", "cli", "comparison", "assurance", "web", "monitor/runtime", "analysis/explanation/group_words.py")
PERCENT = r"100 \* [^\n}]+\} ?%|:\.\d%\}"
# The axis of a curve: ticks at round places.
TICKS = {"report/monitor.py"}


def test_shares_are_turned_into_percentages_by_one_room() -> None:
    files = {path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    showing = {name: text for name, text in files.items() if name.startswith(SHOWING)}
    assert len(showing) > 70
    assert homes_of(PERCENT, showing) == TICKS


def test_a_percentage_written_by_hand_is_seen() -> None:
    assert homes_of(PERCENT, {"a": 'f"{100 * share:.1f} % of them"', "b": 'f"{share:.0%}"', "c": "{percent(x)}"}) == {
        "a",
        "b",
    }


def test_a_second_home_is_seen() -> None:
    again = (
        "shares = np.exp(logits - logits.max())\nunit = x / np.linalg.norm(x, axis=1, keepdims=True)\nhalf = 1.96 * s"
    )
    assert sum(bool(homes_of(formula, {"room/file.py": again})) for formula in HOMES) == 3
