"""A study that verifies specifications in every run."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from conspect.core.diagnostics import ConspectError, UserError
from conspect.study import Study
from tests.report.pages import Page

pytest.importorskip("highspy")

SPECIFICATION = """\
property red_is_reddish:
    for all x in focus(red, gamma = 0.5):
        predict(x, red) implies reddish > greenish

property red_is_bluish:
    for all x in focus(red, gamma = 0.5):
        predict(x, red) implies bluish > reddish
"""


@pytest.fixture
def asked(folder: Path) -> Path:
    (folder / "study.toml").write_text((folder / "study.toml").read_text() + '[properties]\nfiles = ["my.cspec"]\n')
    (folder / "my.cspec").write_text(SPECIFICATION)
    return folder


def test_verdicts_are_in_results_and_report_and_certificates_are_kept(asked: Path) -> None:
    Study.open(asked).run()
    verification = json.loads((asked / "results.json").read_text())["verification"]
    assert verification["files"] == ["my.cspec"]
    assert {entry["id"]: entry["verdict"] for entry in verification["properties"]} == {
        "red_is_reddish": "holds",
        "red_is_bluish": "violated",
    }
    assert {entry["file"] for entry in verification["properties"]} == {"my.cspec"}
    assert [sorted(entry["concepts"]) for entry in verification["properties"]] == [
        ["greenish", "reddish"],
        ["bluish", "reddish"],
    ]
    assert all(row["holds"] + row["violated"] + row["unknown"] == 2 for row in verification["by_gamma"])
    assert (asked / "certificates/my.json").is_file()
    page = Page((asked / "report.html").read_text())
    assert "proofs" in page.ids
    assert "bluish > reddish" in page.words
    pictures = [str(attributes["src"]) for tag, attributes in page.elements if tag == "img"]
    assert pictures
    assert all(source.startswith("data:image/png;base64,") for source in pictures)


def test_a_second_run_keeps_the_verdicts_and_a_changed_file_is_verified_anew(asked: Path) -> None:
    first, second = (Study.open(asked).run().verification for _ in range(2))
    assert first == second
    (asked / "my.cspec").write_text(SPECIFICATION.replace("bluish > reddish", "grey > bluish"))
    with pytest.raises(UserError, match="STUDY004"):
        Study.open(asked).results()
    changed = Study.open(asked).run().verification
    assert changed is not None
    assert {entry.verdict for entry in changed.properties} == {"holds"}
    assert len(list((asked / "verification").glob("*.json"))) == 2


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"property p: for all x in focus(purple): reddish > bluish", "SPEC"), (b"\xff", "SPEC"), (None, "SPEC415")],
)
def test_a_wrong_specification_is_told_with_its_own_code(asked: Path, content: bytes | None, code: str) -> None:
    (asked / "my.cspec").unlink()
    if content is not None:
        (asked / "my.cspec").write_bytes(content)
    with pytest.raises(ConspectError, match=code):
        Study.open(asked).run()


def kept(asked: Path) -> Path:
    (path,) = (asked / "verification").glob("*.json")
    return path


def test_an_edited_record_is_not_believed(asked: Path) -> None:
    first = Study.open(asked).run().verification
    path = kept(asked)
    path.write_text(path.read_text().replace('"verdict":"violated"', '"verdict":"holds"').replace("violated", "holds"))
    again = Study.open(asked).run().verification
    assert again is not None
    assert first is not None
    assert (
        [entry.verdict for entry in again.properties]
        == [entry.verdict for entry in first.properties]
        == ["holds", "violated"]
    )


def test_an_edited_record_of_the_right_name_is_not_believed_without_a_proof(asked: Path) -> None:
    from conspect.core.digests import digest_bytes

    first = Study.open(asked).run().verification
    path = kept(asked)
    forged = path.read_bytes().replace(b'"violated"', b'"holds"')
    assert forged != path.read_bytes()
    path.unlink()
    path.with_name(f"{path.stem[:32]}-{digest_bytes(forged)[:32]}.json").write_bytes(forged)
    again = Study.open(asked).run().verification
    assert again is not None
    assert first is not None
    assert [entry.verdict for entry in again.properties] == [entry.verdict for entry in first.properties]


def test_a_deleted_or_damaged_certificate_is_written_again(asked: Path) -> None:
    Study.open(asked).run()
    path = asked / "certificates" / "my.json"
    whole = path.read_bytes()
    path.unlink()
    Study.open(asked).run()
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-100])
    Study.open(asked).run()
    assert path.read_bytes() == whole


def test_two_files_of_one_stem_have_certificates_of_their_own(asked: Path) -> None:
    (asked / "other").mkdir()
    (asked / "other" / "my.cspec").write_text(SPECIFICATION.replace("red_is", "truly_red_is"))
    text = (asked / "study.toml").read_text().replace('["my.cspec"]', '["my.cspec", "other/my.cspec"]')
    (asked / "study.toml").write_text(text)
    Study.open(asked).run()
    assert len(list((asked / "certificates").glob("my-????????????.json"))) == 2


def test_what_is_provable_over_each_shape_has_a_certificate_of_its_own(asked: Path) -> None:
    from conspect.checker import check

    verification = Study.open(asked).run().verification
    assert verification is not None
    assert verification.provable_coverage is not None
    path = asked / "certificates" / "my.coverage.json"
    claims = check.check_file(path)
    over_shapes = [claim for claim in claims if " over " in claim.name]
    assert len(over_shapes) == sum(len(entry.by_shape) for entry in verification.provable_coverage.properties)
    assert {claim.verdict for claim in over_shapes} == {"holds"}
    for row in verification.by_coverage:
        at_row = [c.verdict for c in claims if c.name.endswith(f" at a coverage of {Fraction(str(row.coverage))}")]
        if row.why is None:
            assert (at_row.count("holds"), at_row.count("violated")) == (row.holds, row.violated)
    path.unlink()
    Study.open(asked).run()
    assert path.is_file()
