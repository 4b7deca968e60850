"""`conspect certificate check --study`: exactly the claims that the study and the specification give rise to."""

import base64
import json
import math
import struct
from fractions import Fraction
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

import conspect.study
from conspect.bench.forging.mutations_near import retied
from conspect.checker import check as checker
from conspect.cli.certificate import certificate
from conspect.cli.verify import verify
from conspect.verification.certificates.writing import sealed
from conspect.verification.engine import sizes
from tests.verification.subjects import plane

TEXT = """\
property held: for all x in focus(east, gamma = 0.5): right > up
property broken: for all x in focus(east, gamma = 4): right > up
property open: for 99% of x in images(east): predict(x, east)
property most: for 50% of x in images(east): right > up
property one: for x = image("test/test-0"): predict(x, east)
property cut: for all x in focus(west, gamma = 0.5) where predict(x, west): not hasCon(x, right)
property spanned: for all x in focus(east, shape = span, coverage = 50%): predict(x, east) implies right > up
property banded: for all x in focus(east, shape = band, coverage = 50%): hasCon(x, right) or up > right
property outspanned: for all x in focus(east, shape = span, coverage = 90%): up > right
property outbanded: for all x in focus(west, shape = band, coverage = 90%): predict(x, west) implies hasCon(x, right)
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder that opens as a study over the plane, with one specification, and its certificate."""
    (tmp_path / "my.cspec").write_text(TEXT)
    # An attempt of the search for sizes ends after seconds of the clock, which a paused machine can spend without work.
    monkeypatch.setattr(sizes, "SECONDS", math.inf)
    opened = SimpleNamespace(
        folder=tmp_path,
        verification_subject=lambda bar=None: plane(thresholds={"right": 0.25, "up": 0.5}),
        config=SimpleNamespace(properties=SimpleNamespace(files=("my.cspec",)), neighbourhoods=None),
    )
    monkeypatch.setattr(conspect.study.Study, "open", classmethod(lambda cls, folder: opened))
    done = CliRunner().invoke(
        verify, [str(tmp_path / "my.cspec"), "--study", str(tmp_path), "--certificate", str(tmp_path / "c.json")]
    )
    assert done.exit_code in (1, 3), done.output
    return tmp_path


def check(folder, *options, spec=True):
    chosen = ["--spec", str(folder / "my.cspec")] if spec else []
    return CliRunner().invoke(certificate, ["check", str(folder / "c.json"), "--study", str(folder), *chosen, *options])


def test_the_honest_certificate_is_that_of_the_study_and_says_what_is_open(study):
    done = check(study)
    assert done.exit_code == 3, done.output
    assert "compared: exactly the claims" in done.output
    assert "unknown  open" in done.output
    assert check(study, spec=False).exit_code == 3


def test_without_open_claims_the_exit_code_is_0(study):
    (study / "my.cspec").write_text("".join(line for line in TEXT.splitlines(keepends=True) if "open" not in line))
    CliRunner().invoke(verify, [str(study / "my.cspec"), "--study", str(study), "--certificate", str(study / "c.json")])
    done = check(study)
    assert done.exit_code == 0, done.output


def claim(body, name):
    return next(c for c in body["claims"] if c["name"] == name)


def shrink(body):
    """The region shrunk to its centre; the digest made good."""
    held = claim(body, "held")
    held["size"] = "0"
    held["region_digest"] = digest_of(body, held)


def digest_of(body, altered):
    model = checker.Model(body, checker.Budget())
    return checker.read_region(body["regions"][altered["region"]], model).digest(
        checker.rational(altered["size"], "s"), altered["cut"]
    )


def move(body):
    held = claim(body, "held")
    region = dict(body["regions"][held["region"]])
    raw = bytearray(base64.b64decode(region["centre"]))
    struct.pack_into("<d", raw, 0, struct.unpack_from("<d", raw, 0)[0] + 0.25)
    region["centre"] = base64.b64encode(bytes(raw)).decode()
    body["regions"].append(region)
    held["region"] = len(body["regions"]) - 1
    held["region_digest"] = digest_of(body, held)


def tautology(body):
    """A tautology of the violated property's name, with a true proof."""
    broken = claim(body, "broken")
    broken["verdict"] = "holds"
    del broken["witness"]
    broken["formula"] = [["stronger", 0, 1], ["implies", 0, 0]]
    broken["proof"] = [["close", [[0, 1], [1, 1]]]]


def shrink_end(body):
    """The end of the sizes that hold, said to be smaller: true, and less than the property itself claims."""
    end = claim(body, "held at its largest proved size")
    end["size"] = "1/10"
    end["region_digest"] = digest_of(body, end)


def whole_for_conclusion(body):
    """The conclusion of a property, proved, under the name of a property that has none."""
    conclusion, outspanned = claim(body, "spanned"), claim(body, "outspanned")
    del outspanned["witness"]
    outspanned.update(
        {k: conclusion[k] for k in ("formula", "proof", "region", "region_digest", "size", "part", "reads")}
    )
    outspanned["verdict"] = "holds"


def to_unknown(body):
    broken = claim(body, "broken")
    broken["verdict"] = "unknown"
    del broken["witness"]


def drop(*names):
    """Claims left out; what stays is true."""

    def change(body):
        for name in names:
            body["claims"].remove(claim(body, name))

    return change


def loosen(name, size):
    """An end of sizes moved to where it is true as well, and says less."""

    def change(body):
        end = claim(body, name)
        end["size"] = str(checker.rational(end["size"], "s") * size)
        end["region_digest"] = digest_of(body, end)

    return change


def open_end(size):
    """An end of sizes left open at a size that no float holds."""

    def change(body):
        end = claim(body, "held at its largest proved size")
        end.update(verdict="unknown", size=size)
        del end["proof"]
        end["region_digest"] = digest_of(body, end)

    return change


def all_open(body):
    """A property said to be open, with both ends of its sizes left out."""
    drop("broken at its smallest refuted size", "broken at its largest proved size")(body)
    to_unknown(body)


def recut(body):
    cut = claim(body, "cut")
    cut["cut"] = None
    cut["region_digest"] = digest_of(body, cut)


def rename(kind, names):
    def change(body):
        body["names"][kind] = names
        tie_again(body)

    return change


def tie_again(body):
    model = checker.Model(body, checker.Budget())
    body["digests"] = {"head": model.head_digest, "lens": model.lens_digest}


def threshold(body):
    body["thresholds"]["right"] = "1/8"
    tie_again(body)


def other_head(body):
    raw = bytearray(base64.b64decode(body["head"][0]["weight"]))
    struct.pack_into("<d", raw, 0, 1.5)
    body["head"][0]["weight"] = base64.b64encode(bytes(raw)).decode()
    tie_again(body)


def edited(of, **changes):
    def change(body):
        claim(body, of).update(changes)

    return change


FORGERIES = {
    "a region shrunk to a point": (shrink, "size"),
    "a region moved away": (move, "region_digest"),
    "a tautology of the same name": (tautology, "formula"),
    "a cut taken away": (recut, "cut"),
    "a violated claim dropped": (lambda body: body["claims"].remove(claim(body, "broken")), "nothing is claimed"),
    "a claim of another name": (edited("held", name="another"), "nothing is claimed"),
    "the text of a claim": (edited("held", statement="for all x: everything is well"), "statement"),
    "the class of a claim": (edited("held", **{"class": "west"}), "class"),
    "a coverage made up": (edited("held", coverage={"inside": 66, "images": 66, "split": "test"}), "coverage"),
    "a share of another class": (edited("most", **{"class": "west"}), "class"),
    "a share of another split": (edited("most", split="val"), "split"),
    "a share of other images": (edited("most", images="0" * 64), "images"),
    "a share of other outcomes": (edited("most", outcomes="0" * 64), "outcomes"),
    "a share of a smaller size": (edited("most", share="1/3"), "share"),
    "a share at another level": (edited("most", level="1/2"), "level"),
    "a share with more successes": (edited("most", successes=66), "successes"),
    "a share decided that is open": (edited("open", share="1/2", verdict="holds"), "share"),
    "another image": (edited("one", image="test-1"), "image"),
    "class names exchanged": (rename("classes", ["west", "east"]), "classes"),
    "a class in look-alike letters": (rename("classes", ["e\u0430st", "west"]), "classes"),
    "concept names exchanged": (rename("concepts", ["up", "right"]), "concepts"),
    "a lowered threshold": (threshold, "threshold"),
    "another head": (other_head, "head"),
    "the end of sizes dropped": (
        lambda body: body["claims"].remove(claim(body, "held at its largest proved size")),
        "nothing is claimed",
    ),
    "the end of sizes moved in": (shrink_end, "though it holds"),
    "the refuted end of what holds dropped": (drop("held at its smallest refuted size"), "nothing is claimed"),
    "the proved end of what is violated dropped": (drop("broken at its largest proved size"), "nothing is claimed"),
    "the refuted end loosened": (
        loosen("held at its smallest refuted size", Fraction(1001, 1000)),
        "the study reaches",
    ),
    "the proved end loosened": (loosen("broken at its largest proved size", Fraction(999, 1000)), "the study reaches"),
    "an end of a size beyond floats": (open_end("1" + "0" * 400), "no region can be computed"),
    "an end of a size below floats": (open_end("1/1" + "0" * 400), "verdict is"),
    "what an end refutes left open": (to_unknown, "at its smallest refuted size it violated"),
    "open, and nothing said of sizes": (all_open, "it is left open, and the study says violated"),
    "an end of sizes for a verdict": (
        lambda body: (claim(body, "broken at its smallest refuted size").update(name="x"), body["claims"].pop()),
        "nothing is claimed",
    ),
    "the size of a span": (edited("spanned", coverage={"inside": 33, "images": 33, "split": "test"}), "coverage"),
    "a conclusion for a whole": (whole_for_conclusion, "conclusion"),
    "another text": (lambda body: body["sources"].update({"x.cspec": "0" * 64}), "speaks of"),
    "another study": (lambda body: body["study"].update({"model": "0" * 64}), "digests of the study"),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forgery_that_convinces_the_checker_is_refused_with_the_study_at_hand(study, how):
    change, word = FORGERIES[how]
    body = json.loads((study / "c.json").read_bytes())
    del body["seal"]
    change(body)
    (study / "c.json").write_bytes(sealed(retied(body)))
    done = check(study, "--json")
    assert done.exit_code == 1, done.output
    (row,) = json.loads(done.output)["certificates"]
    assert row["reason"]
    if row["claims"]:
        assert word in row["reason"]
    assert not row["accepted"]


@pytest.mark.parametrize("how", ["a region shrunk to a point", "a region moved away", "another study"])
def test_such_a_forgery_is_true_in_itself_and_only_the_study_tells(study, how):
    change, word = FORGERIES[how]
    body = json.loads((study / "c.json").read_bytes())
    del body["seal"]
    change(body)
    (study / "c.json").write_bytes(sealed(retied(body)))
    alone = CliRunner().invoke(certificate, ["check", str(study / "c.json")])
    assert alone.exit_code == 0, alone.output
    assert "not compared" in alone.output
    assert word in check(study).output


def test_what_was_decided_and_is_said_to_be_open_is_refused_without_a_search_of_sizes_too(study):
    run = [str(study / "my.cspec"), "--study", str(study), "--certificate", str(study / "c.json"), "--no-gamma-search"]
    CliRunner().invoke(verify, run)
    assert check(study, "--no-gamma-search").exit_code == 3
    body = json.loads((study / "c.json").read_bytes())
    del body["seal"]
    to_unknown(body)
    (study / "c.json").write_bytes(sealed(retied(body)))
    done = check(study, "--no-gamma-search")
    assert done.exit_code == 1
    assert "broken: it is left open, and the study says violated" in done.output


@pytest.mark.parametrize(
    "name", ["held at its largest proved size", "held over box", "held at a coverage of 9/10", "held around images"]
)
def test_a_property_called_as_a_claim_about_another_is_refused_at_its_place(study, name):
    (study / "my.cspec").write_text(TEXT + f'property "{name}": for all x in focus(east): right > up\n')
    done = CliRunner().invoke(verify, [str(study / "my.cspec"), "--study", str(study)])
    assert done.exit_code == 2
    assert f"my.cspec:{TEXT.count(chr(10)) + 1}:1: VERIFY016: '{name}' cannot be the name" in done.output


def test_other_options_than_those_of_the_verification_are_told(study):
    (study / "my.cspec").write_text("property p: for all x in focus(east): right > up\n")
    run = [str(study / "my.cspec"), "--study", str(study), "--certificate", str(study / "c.json"), "--gamma", "1/10"]
    CliRunner().invoke(verify, run)
    done = check(study)
    assert done.exit_code == 1
    assert "size is '1/10', and should be '2/5'" in done.output
    assert check(study, "--gamma", "1/10").exit_code == 0


def test_a_changed_specification_is_another_text(study):
    (study / "my.cspec").write_text(TEXT + "# a remark\n")
    done = check(study)
    assert done.exit_code == 1
    assert "its text is not among the sources" in done.output


def test_two_files_of_one_stem_have_certificates_of_their_own(study):
    for folder in ("a", "b"):
        (study / folder).mkdir()
        (study / folder / "my.cspec").write_text(TEXT.splitlines()[0] + "\n")
        CliRunner().invoke(verify, [str(study / folder / "my.cspec"), "--study", str(study)])
    assert len(list((study / "certificates" / "verify").glob("my-*.json"))) == 2


def test_spec_without_study_is_refused(study):
    assert CliRunner().invoke(certificate, ["check", str(study / "c.json"), "--spec", "x"]).exit_code == 2


def test_spans_and_bands_are_certified_with_real_images_as_witnesses(study):
    body = json.loads((study / "c.json").read_bytes())
    for name, verdict, part in (
        ("spanned", "holds", "conclusion"),
        ("banded", "holds", "whole"),
        ("outspanned", "violated", "whole"),
        ("outbanded", "violated", "whole"),
    ):
        about = claim(body, name)
        assert (about["verdict"], about["part"]) == (verdict, part), name
        assert "proof" in about or body["points"][about["witness"]]["kind"] == "embedding"


@pytest.mark.parametrize("name", ["outspanned", "outbanded"])
def test_an_image_outside_a_span_or_band_refutes_nothing(study, name):
    body = json.loads((study / "c.json").read_bytes())
    del body["seal"]
    shrunk = claim(body, name)
    shrunk["size"] = "1/1000000"
    shrunk["region_digest"] = digest_of(body, shrunk)
    with pytest.raises(checker.Refused, match="outside"):
        checker.check_data(sealed(retied(body)))


def test_both_ends_of_the_sizes_are_claims(study):
    names = {c["name"]: c["verdict"] for c in json.loads((study / "c.json").read_bytes())["claims"]}
    assert names["held at its largest proved size"] == "holds"
    assert names["broken at its smallest refuted size"] == "violated"
    run = [str(study / "my.cspec"), "--study", str(study), "--certificate", str(study / "c.json"), "--no-gamma-search"]
    CliRunner().invoke(verify, run)
    assert check(study).exit_code == 1
    assert check(study, "--no-gamma-search").exit_code == 3


def test_a_class_with_too_few_images_is_its_own_property_s_unknown(study):
    (study / "my.cspec").write_text(
        "property p: for all x in focus(east, gamma = 0.5): right > up\n"
        "property few: for all x in focus(west, coverage = 99.9%): up > right\n"
    )
    run = [str(study / "my.cspec"), "--study", str(study), "--certificate", str(study / "c.json")]
    assert CliRunner().invoke(verify, run).exit_code == 3
    done = check(study)
    assert done.exit_code == 3, done.output
    assert "unknown  few: " in done.output


def test_verify_prints_what_is_provable_by_the_lead(study):
    run = [str(study / "my.cspec"), "--study", str(study), "--leads", "2, 0,1/2"]
    done = CliRunner().invoke(verify, run)
    assert done.exit_code == 0, done.output
    assert "of 7 properties" in done.output
    rows = json.loads(CliRunner().invoke(verify, [*run, "--json"]).stdout)["leads"]
    assert [row["lead"] for row in rows] == [0, 0.5, 2]
    assert CliRunner().invoke(verify, [*run[:-1], "4,-1"]).exit_code == 2
