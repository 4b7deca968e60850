"""docs/errors.md, made of the codes and their golden examples. To write it anew: python -m tests.errors_page"""

from __future__ import annotations

from pathlib import Path

from conspect.core.codes import CODES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "errors.md"
GOLDEN = ROOT / "tests" / "golden" / "study_errors"
TITLES = {
    "DATA": "Data",
    "STORE": "What is kept on disk",
    "ENGINE": "Engines, see [scaling.md](scaling.md)",
    "STUDY": "The study",
    "MODEL": "Models",
    "ATTACK": "Attacks",
    "TRACK": "Tracking servers, see [ci.md](ci.md)",
    "BENCH": "Benchmarks",
    "CLI": "The command line",
    "VLM": "Vision-language models",
    "SPEC": "Con_spec, with an example of each in [language.md](language.md)",
    "VERIFY": "Verification, see [verification.md](verification.md)",
    "MONITOR": "The monitor",
    "WEB": "The service, see [serving.md](serving.md)",
}
INTRODUCTION = """\
# Every error, by its code

<!-- written by `python -m tests.errors_page` -->

An error is told as `PLACE: CODE: problem`, then `fix: what to do next`. The exit code is 2 when the call, the study or a
specification is wrong and 4 when data, disk, network or a package failed. Several mistakes in one file are told together.
"""


def room(code: str) -> str:
    return code.rstrip("0123456789")


def section(name: str) -> str:
    codes = [code for code in CODES if room(code) == name]
    rows = "".join(f"| `{code}` | {CODES[code]} |\n" for code in codes)
    text = f"\n## {TITLES.get(name, name.capitalize())}\n\n| code | meaning |\n|---|---|\n{rows}"
    examples = [path.read_text(encoding="utf-8") for code in codes if (path := GOLDEN / f"{code}.txt").is_file()]
    return text + (f"\n```text\n{''.join(examples)}```\n" if examples else "")


def page() -> str:
    return INTRODUCTION + "".join(section(name) for name in dict.fromkeys(room(code) for code in CODES))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
