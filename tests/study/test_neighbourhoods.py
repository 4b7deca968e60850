"""Neighbourhoods in a run: changed pictures are embedded once, the summary adds up, the report shows a real picture."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from conspect.bench.forging.mutations_near import retied
from conspect.checker import check
from conspect.cli.certificate import certificate
from conspect.cli.main import main
from conspect.core.diagnostics import UserError
from conspect.study import Study
from conspect.study.proving.records import property_record
from conspect.verification.certificates.writing import sealed
from tests.report.pages import Page

pytest.importorskip("highspy")

# The fake model looks at the centre's colour alone: brightness moves it, mirrors and shifts do not.
SECTION = (
    '[neighbourhoods]\nchanges = ["mirror", "shift 1", "brightness 60%", "contrast 30%", "noise 3%"]\nimages = 30\n'
)
SPECIFICATION = """\
property red_is_reddish:
    for all x in focus(red): predict(x, red) implies reddish > greenish
property green_is_greenish:
    for all x in focus(green): greenish > bluish
property red_is_sure:
    for 50% of x in images(red): for all y near x (share = 80%): reddish > greenish
"""


@pytest.fixture
def asked(folder: Path) -> Path:
    config = (folder / "study.toml").read_text()
    (folder / "study.toml").write_text(f'{config}[properties]\nfiles = ["my.cspec"]\n{SECTION}')
    (folder / "my.cspec").write_text(SPECIFICATION)
    return folder


def test_a_run_says_around_how_many_real_images_each_property_is_proved(asked: Path) -> None:
    verification = Study.open(asked).run().verification
    assert verification is not None
    near = verification.neighbourhoods
    assert near is not None
    assert near.share == 0.9
    assert near.certified is True
    assert list(near.by_change) == ["mirror", "shift", "brightness", "contrast", "noise"]
    assert near.by_change["mirror"] > near.by_change["brightness"]  # the fake looks at the centre's colour
    assert [counts.id for counts in near.properties] == ["red_is_reddish", "green_is_greenish"]
    for counts in near.properties:
        parts = counts.proved + counts.refuted_by_picture + counts.refuted_by_embedding + counts.unknown
        assert parts == counts.images > 0
        assert counts.refuted_unchanged <= counts.refuted_by_picture
    means = (near.mean_proved, near.mean_refuted_by_picture, near.mean_refuted_by_embedding, near.mean_unknown)
    assert sum(means) == pytest.approx(1.0)
    assert [row.radius for row in near.curve] == sorted(row.radius for row in near.curve)
    assert [row.mean_proved for row in near.curve] == sorted((row.mean_proved for row in near.curve), reverse=True)
    assert near.curve[-2].mean_proved == pytest.approx(near.mean_proved, abs=0.2)
    record = next(entry for entry in verification.properties if entry.id == "red_is_sure")
    assert (record.kind, record.verdict) == ("near", "holds")
    page = Page((asked / "report.html").read_text())
    assert "What ordinary changes cannot break" in page.words


def test_what_is_proved_around_images_has_a_certificate_that_is_compared_with_the_study(asked: Path) -> None:
    Study.open(asked).run()
    path = asked / "certificates" / "my.near.json"
    claims = check.check_file(path)
    assert [claim.name for claim in claims] == ["red_is_reddish around images", "green_is_greenish around images"]
    asked_for = ["check", str(path), str(path.with_name("my.json")), "--study", str(asked)]
    done = CliRunner().invoke(certificate, asked_for)
    assert done.exit_code in (0, 3), done.output
    assert "compared: exactly the claims" in done.output
    body = json.loads(path.read_bytes())
    del body["seal"]
    body["claims"][0]["proved"] -= 1
    body["claims"][0]["verdict"] = "unknown"
    path.write_bytes(sealed(retied(body)))
    assert len(check.check_file(path)) == 2
    done = CliRunner().invoke(certificate, asked_for)
    assert done.exit_code == 1
    assert "proved is" in done.output
    assert "the results say other counts" in done.output


def test_changed_pictures_are_embedded_once_and_the_second_run_says_the_same(asked: Path) -> None:
    def kept() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in (asked / "embeddings").rglob("*.safetensors")}

    first = Study.open(asked).run().verification
    before = kept()
    second = Study.open(asked).run().verification
    assert kept() == before
    assert first is not None
    assert second is not None
    assert first.neighbourhoods == second.neighbourhoods
    (asked / "study.toml").write_text((asked / "study.toml").read_text().replace('"mirror", ', ""))
    Study.open(asked).run()
    assert len(kept()) == len(before) + 3  # other changes, of images of three splits


def test_a_picture_that_breaks_a_property_is_shown_beside_its_original(asked: Path) -> None:
    (asked / "my.cspec").write_text("property p: for all x in focus(red): not predict(x, green) and reddish > grey\n")
    study = Study.open(asked)
    verification = study.run().verification
    assert verification is not None
    assert verification.neighbourhoods is not None
    example = verification.neighbourhoods.counterexample
    assert example is not None
    assert set(example.concepts) == {"reddish", "grey"}
    assert example.change in (
        "60% brighter",
        "60% darker",
        "with 30% less contrast",
        "with 30% more contrast",
        "with 3% noise",
    )
    assert example.strength_before["reddish"] > example.strength_before["grey"]
    assert example.strength_after["reddish"] <= example.strength_after["grey"]
    name = f"{example.image}, {example.change}"
    thumbnails = study.thumbnails(study.results())
    assert thumbnails[name] != thumbnails[example.image]
    page = Page((asked / "report.html").read_text())
    shown = [str(attributes["src"]) for tag, attributes in page.elements if tag == "img"]
    assert thumbnails[name] in shown
    assert thumbnails[example.image] in shown


def test_a_property_about_neighbourhoods_is_shown_with_its_counts_and_picture(asked: Path) -> None:
    text = "property p: for 90% of x in images(red): for all y near x (changes = brightness): reddish > grey\n"
    (asked / "my.cspec").write_text(text)
    study = Study.open(asked)
    verification = study.run().verification
    assert verification is not None
    assert verification.neighbourhoods is None
    witness = verification.properties[0].witness
    assert witness is not None
    assert witness.change in ("60% brighter", "60% darker")
    picture = study.thumbnails(study.results())[f"{witness.around}, {witness.change}"]
    page = Page((asked / "report.html").read_text())
    assert picture in [str(attributes["src"]) for tag, attributes in page.elements if tag == "img"]
    assert "Properties about neighbourhoods of images" in page.words


def test_without_the_section_nothing_is_changed_and_a_property_may_still_ask(folder: Path) -> None:
    text = "property p: for 50% of x in images(red): for all y near x (share = 80%): reddish > greenish"
    (result,) = Study.open(folder).verify(text)
    assert result.verdict.outcome == "holds"
    with pytest.raises(UserError, match=r"SPEC212.*'fog'"):
        Study.open(folder).verify(text.replace("share = 80%", "changes = fog"))
    assert Study.open(folder).run().verification is None


def test_one_image_of_a_study_is_named_by_its_id_and_the_witness_is_its_picture(folder: Path) -> None:
    study = Study.open(folder)
    name = next(image_id for image_id in study.verification_subject().splits["test"].ids if "red" in image_id)
    held, broken = study.verify(
        f'property p: for all y near image("{name}"): reddish > greenish\n'
        f'property q: for all y near image("{name}") (changes = brightness): greenish > reddish'
    )
    assert held.verdict.outcome == "holds"
    assert broken.verdict.outcome == "violated"
    assert broken.witness is not None
    assert broken.witness.around == name
    assert json.dumps(msgspec.to_builtins(property_record(broken)))


def test_wrong_changes_are_told_with_the_file(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text(path.read_text() + '[neighbourhoods]\nchanges = ["mirorr", "shift 0"]\n')
    with pytest.raises(UserError) as caught:
        Study.open(folder)
    assert [(diagnostic.code, str(diagnostic.place)) for diagnostic in caught.value.diagnostics] == [
        ("STUDY002", str(path))
    ] * 2


def test_a_certificate_carries_every_verdict_that_was_reached_and_none_is_written_without(
    folder: Path, tmp_path: Path
) -> None:
    around = "property p: for 50% of x in images(red): for all y near x (share = 80%): reddish > greenish\n"
    both = around + "property q: for all x in focus(red, gamma = 0.5): predict(x, red) implies reddish > greenish\n"
    for number, text in enumerate((around, both)):
        specification, target = tmp_path / f"{number}.cspec", tmp_path / f"{number}.json"
        specification.write_text(text)
        call = ["verify", str(specification), "--study", str(folder), "--certificate", str(target), "--json"]
        done = CliRunner().invoke(main, call)
        decided = [entry["verdict"] for entry in json.loads(done.output)["properties"] if entry["verdict"] != "unknown"]
        claims = json.loads(target.read_text())["claims"] if target.exists() else []
        assert len({claim["name"].split(" at ")[0] for claim in claims}) == len(decided)
