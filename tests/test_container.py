"""The Dockerfile holds what its steps need; `.ci/container` runs them."""

import re
import shlex
import tomllib

from tests.documentation import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def copied() -> set[str]:
    lines = [shlex.split(line) for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line]
    return {source for words in lines for source in words[1:-1] if not source.startswith("--")}


def test_everything_that_the_package_is_built_of_is_copied_and_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    built_of = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"])
    assert built_of | {"pyproject.toml", "src", project["project"]["readme"]} <= copied()
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert source not in ignored


def test_it_runs_without_rights_and_on_a_slim_image() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert bases
    assert all(base.endswith("-slim") for base in bases)
    assert DOCKERFILE.index("USER conspect") > DOCKERFILE.rindex("RUN ")


def test_the_version_of_python_is_one_that_the_package_allows() -> None:
    from packaging.specifiers import SpecifierSet

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = re.findall(r"python:(\d+\.\d+)-slim", DOCKERFILE)
    assert versions
    assert all(version in SpecifierSet(project["requires-python"]) for version in versions)
