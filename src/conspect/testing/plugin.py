"""The pytest plugin. `.cspec` files are collected where `conspect_study` says which study they are about (docs/ci.md)."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conspect.core.diagnostics import ConspectError
from conspect.core.files import read_specification
from conspect.core.terminal import on_one_line

if TYPE_CHECKING:
    from conspect.language.syntax.tree import Specification
    from conspect.study import Study
    from conspect.verification.results import PropertyResult


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--conspect-study` and `--conspect-unknown`, each also a key of the configuration file."""
    group = parser.getgroup("conspect", "specifications of vision models")
    group.addoption("--conspect-study", metavar="DIR", help="the study that .cspec files are about")
    group.addoption(
        "--conspect-unknown",
        choices=["fail", "skip"],
        help="what a property is whose verdict is unknown (default: fail, since nothing was shown)",
    )
    parser.addini("conspect_study", "the study that .cspec files are about, relative to this file")
    parser.addini("conspect_unknown", "fail or skip: what a property is whose verdict is unknown", default="fail")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SpecificationFile | None:
    """A `.cspec` file is a test module, where a study is named."""
    if file_path.suffix != ".cspec" or study_folder(parent.config) is None:
        return None
    return SpecificationFile.from_parent(parent, path=file_path)


def study_folder(config: pytest.Config) -> Path | None:
    """The study's folder: of the command line, else of the configuration file; None when neither names one."""
    given: str | None = config.getoption("--conspect-study")
    if given:
        return Path(config.invocation_params.dir, str(given))
    named = str(config.getini("conspect_study"))
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    return base / named if named else None


_STUDY = pytest.StashKey["Study"]()


class SpecificationFile(pytest.File):
    """The properties of a file, decided together when the first of them is run."""

    _results: dict[str, PropertyResult] | None = None

    def collect(self) -> Iterator[PropertyItem]:
        """A test for each property. A file with mistakes is a collection error that tells all of them."""
        from conspect.language import check_text

        try:
            checked = check_text(read_specification(self.path), None, str(self.path)).require()
        except ConspectError as error:
            raise self.CollectError(str(error)) from None
        for name in property_names(checked):
            item = PropertyItem.from_parent(self, name=on_one_line(name))
            item.called = name
            yield item

    def result(self, name: str) -> PropertyResult:
        """The verdict on one property. Raises ConspectError when the study or the file's names cannot be used."""
        if self._results is None:
            study = opened_study(self.config)
            results = study.verify(read_specification(self.path).decode(), file=str(self.path))
            self._results = {result.name: result for result in results}
        return self._results[name]


def opened_study(config: pytest.Config) -> Study:
    """The study, opened once for all files."""
    from conspect.study import Study

    folder = study_folder(config)
    if folder is None:  # no file is collected without one
        raise pytest.UsageError("no study is named: --conspect-study DIR")
    if _STUDY not in config.stash:
        config.stash[_STUDY] = Study.open(folder)
    return config.stash[_STUDY]


def property_names(specification: Specification) -> list[str]:
    """Names of the properties in source order, as verdicts bear them: `module.property`, and `name#2` for a second one."""
    from conspect.language.syntax.tree import Module, Property

    names: list[str] = []
    for item in specification.items:
        if isinstance(item, Property):
            names.append(item.name)
        elif isinstance(item, Module):
            names += [f"{item.name}.{inner.name}" for inner in item.properties]
    total, used = Counter(names), Counter[str]()
    unique = []
    for name in names:
        used[name] += 1
        unique.append(f"{name}#{used[name]}" if total[name] > 1 else name)
    return unique


class PropertyFailure(Exception):
    """A property that does not hold; its text is the verdict as `conspect verify` prints it."""


class PropertyWarning(UserWarning):
    """A property that holds, and says next to nothing about real images."""


class PropertyItem(pytest.Item):
    """A property: passes when it holds, fails when it is violated or, unless told otherwise, unknown."""

    called: str  # in the specification; pytest shows the name, which is one line of harmless text

    def runtest(self) -> None:
        """Decides the property."""
        from conspect.report.verdicts import verdict_lines
        from conspect.study.proving.records import property_record

        assert isinstance(self.parent, SpecificationFile)
        result = self.parent.result(self.called)
        outcome = result.verdict.outcome
        self.user_properties.append(("verdict", outcome))
        if outcome == "holds":
            self._warn_of_little(result)
            return
        record = property_record(result)
        # The first line is all that pytest's summary shows.
        message = f"{outcome}: {on_one_line(record.statement)}\n{verdict_lines(record)}"
        if outcome == "unknown" and self._unknown() == "skip":
            pytest.skip(message)
        raise PropertyFailure(message)

    def _warn_of_little(self, result: PropertyResult) -> None:
        """What passes and says almost nothing is told among pytest's warnings: a region without images, a premise never met."""
        told = ([result.verdict.reason] if result.vacuous else []) + ([result.rarity] if result.rarity else [])
        reasons = "; ".join(told)
        if reasons:
            warnings.warn(PropertyWarning(on_one_line(f"{self.name} holds, but: {reasons}")), stacklevel=1)

    def _unknown(self) -> str:
        choice = self.config.getoption("--conspect-unknown") or self.config.getini("conspect_unknown")
        if choice not in ("fail", "skip"):
            raise pytest.UsageError(f"conspect_unknown = {choice!r} is neither fail nor skip")
        return str(choice)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The verdict, or Conspect's own diagnostic, without a traceback through Conspect."""
        if isinstance(excinfo.value, PropertyFailure | ConspectError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the property stands, for reports."""
        return self.path, None, self.name
