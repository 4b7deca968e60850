"""The golden examples of every diagnostic code of the language: an input that causes it and the exact report.

To write the reports anew after a change of wording, and then read the difference: python -m tests.language.golden
"""

from __future__ import annotations

from pathlib import Path

from conspect.core.diagnostics import ConspectError
from conspect.language import check_text

FOLDER = Path(__file__).parents[1] / "golden" / "spec_errors"


def inputs() -> list[Path]:
    return sorted(path for path in FOLDER.iterdir() if path.suffix in (".cspec", ".py"))


def report(path: Path) -> str:
    """What a user sees for an example."""
    if path.suffix == ".py":
        try:
            exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), {})
        except ConspectError as error:
            return f"{error}\n"
        raise AssertionError(f"{path.name} raises nothing")
    checked = check_text(path.read_bytes(), file=path.name)
    lines = [str(problem) for problem in checked.errors] + [f"warning: {problem}" for problem in checked.warnings]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for example in inputs():
        example.with_suffix(".txt").write_text(report(example), encoding="utf-8")
