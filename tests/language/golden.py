"""The golden examples of every diagnostic code of the language: an input that causes it and the exact report.

To write the reports and the section of docs/language.md anew after a change of wording, and then to read the
difference: python -m tests.language.golden
"""

from __future__ import annotations

from pathlib import Path

from conspect.core.codes import CODES
from conspect.core.diagnostics import ConspectError
from conspect.language import check_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "golden" / "spec_errors"
PAGE = ROOT / "docs" / "language.md"
BEGIN, END = "<!-- errors: written by `python -m tests.language.golden` -->\n", "<!-- end of errors -->\n"


def inputs() -> list[Path]:
    return sorted(path for path in FOLDER.iterdir() if path.suffix in (".cspec", ".py"))


def diagnostics(path: Path) -> list[str]:
    """What a user sees for an example."""
    if path.suffix == ".py":
        try:
            exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), {})
        except ConspectError as error:
            return [str(problem) for problem in error.diagnostics]
        raise AssertionError(f"{path.name} raises nothing")
    checked = check_text(path.read_bytes(), file=path.name)
    return [str(problem) for problem in checked.errors] + [f"warning: {problem}" for problem in checked.warnings]


def report(path: Path) -> str:
    return "\n".join(diagnostics(path)) + "\n"


def section() -> str:
    """The part of the language page that shows each code."""
    parts = []
    for path in inputs():
        code = path.stem
        language = "cspec" if path.suffix == ".cspec" else "python"
        source = path.read_bytes().decode("utf-8", "replace")
        shown = next(text for text in diagnostics(path) if f"{code}: " in text)
        parts.append(f"### {code}: {CODES[code]}\n\n```{language}\n{source}```\n\n```text\n{shown}\n```\n")
    return "\n" + "\n".join(parts) + "\n"


def page_around_section() -> tuple[str, str, str]:
    """The language page before, in and after the section of codes."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    inside, after = rest.split(END)
    return before, inside, after


if __name__ == "__main__":
    for example in inputs():
        example.with_suffix(".txt").write_text(report(example), encoding="utf-8")
    head, _, tail = page_around_section()
    PAGE.write_text(head + BEGIN + section() + END + tail, encoding="utf-8")
