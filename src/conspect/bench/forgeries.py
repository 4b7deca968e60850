"""Forged certificates of a study: what the checker alone may accept, and the study they are said to be of has to refuse.

Each forgery is sealed again, every digest made good, as somebody would who has read the format. Names, regions, formulas,
claims, shares, neighbourhoods and the printed results are altered, one at a time.
"""

from __future__ import annotations

import base64
import copy
import json
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import msgspec

from conspect.bench.forging.misprints import PRINTED
from conspect.bench.forging.mutations_near import CertificateTree, Claim, retied
from conspect.bench.rows import Row, row
from conspect.checker import check
from conspect.results.verification import Verification
from conspect.study import Study
from conspect.study.proving.comparing import StudyCertificates, certificates_of
from conspect.verification.certificates.writing import sealed

Forgery = Callable[[CertificateTree], bool]
ENCODED = {"а": "a", "е": "e", "о": "o", "і": "i", "с": "c", "р": "p"}  # Cyrillic letters that look Latin


def _first(body: CertificateTree, **wanted: object) -> Claim | None:
    return next((c for c in body["claims"] if all(c.get(key) == value for key, value in wanted.items())), None)


def _edit(value: Callable[[Any], Any], key: str, **wanted: object) -> Forgery:
    """Another value of one field of the first claim that fits."""

    def change(body: CertificateTree) -> bool:
        claim = next((c for c in body["claims"] if key in c and all(c.get(k) == v for k, v in wanted.items())), None)
        if claim is None or value(claim[key]) == claim[key]:
            return False
        claim[key] = value(claim[key])
        return True

    return change


def _model(body: CertificateTree) -> check.Model:
    return check.Model(cast("dict[str, Any]", body), check.Budget())


def _redigested(body: CertificateTree, claim: Claim) -> None:
    """The region of a claim called what it is now."""
    model = _model(body)
    region = check.read_region(body["regions"][claim["region"]], model)
    claim["region_digest"] = region.digest(Fraction(claim.get("size") or claim["radius"]), claim.get("cut"))


def _tied_to_model(body: CertificateTree) -> bool:
    model = _model(body)
    body["digests"] = {"head": model.head_digest, "lens": model.lens_digest}
    return True


def _resized(factor: Fraction, verdict: str) -> Forgery:
    def change(body: CertificateTree) -> bool:
        claim = _first(body, kind="region", verdict=verdict) or _first(body, kind="near")
        if claim is None:
            return False
        key = "size" if "size" in claim else "radius"
        claim[key] = str(Fraction(claim[key]) * factor)
        _redigested(body, claim)
        return True

    return change


def _moved(body: CertificateTree) -> bool:
    claim = _first(body, kind="region", verdict="holds") or _first(body, kind="near")
    if claim is None:
        return False
    region = copy.deepcopy(body["regions"][claim["region"]])
    raw = bytearray(base64.b64decode(region["centre"]))
    struct.pack_into("<d", raw, 0, struct.unpack_from("<d", raw, 0)[0] + 2.0**-20)
    region["centre"] = base64.b64encode(bytes(raw)).decode()
    body["regions"].append(region)
    claim["region"] = len(body["regions"]) - 1
    _redigested(body, claim)
    return True


def _tautology(body: CertificateTree) -> bool:
    """A formula that is always true under the name of a property that is not, with a proof that is right."""
    claim = _first(body, kind="region", verdict="violated") or _first(body, kind="region")
    if claim is None:
        return False
    claim.pop("witness", None)
    claim["formula"], claim["verdict"] = [["stronger", 0, 1], ["implies", 0, 0]], "holds"
    close = "cycle" if body["regions"][claim["region"]]["shape"] == "band" else "close"
    claim["proof"] = [[close, [[0, 1], [1, 1]], *([[]] if close == "cycle" else [])]]
    return True


def _names(kind: str, change: Callable[[list[str]], list[str]]) -> Forgery:
    def forge(body: CertificateTree) -> bool:
        body["names"][kind] = change(body["names"][kind])
        body["thresholds"] = dict(
            zip(body["names"]["concepts"], body["thresholds"].values(), strict=False) if kind == "concepts" else
            body["thresholds"].items()
        )  # fmt: skip
        return _tied_to_model(body)

    return forge


def _look_alike(names: list[str]) -> list[str]:
    for odd, plain in ENCODED.items():
        for place, name in enumerate(names):
            if plain in name:
                return [*names[:place], name.replace(plain, odd, 1), *names[place + 1 :]]
    return [names[0] + "\u200b", *names[1:]]


def _lowered(body: CertificateTree) -> bool:
    if not body["thresholds"]:
        return False
    name = next(iter(body["thresholds"]))
    body["thresholds"][name] = str(Fraction(body["thresholds"][name]) - Fraction(1, 64))
    return _tied_to_model(body)


def _dropped(verdict: str) -> Forgery:
    def change(body: CertificateTree) -> bool:
        claim = _first(body, verdict=verdict)
        if claim is not None:
            body["claims"].remove(claim)
        return claim is not None

    return change


def _none(body: CertificateTree) -> bool:
    body["claims"] = []
    return True


def _one_alone(body: CertificateTree) -> bool:
    body["claims"] = body["claims"][:1]
    return True


def _repeated(body: CertificateTree) -> bool:
    body["claims"] += [body["claims"][0] | {"name": f"{body['claims'][0]['name']} {k}"} for k in range(100)]
    return True


def _both_ways(body: CertificateTree) -> bool:
    """The same name of another file, with the opposite verdict and its evidence."""
    holds, violated = _first(body, kind="region", verdict="holds"), _first(body, kind="region", verdict="violated")
    if holds is None or violated is None:
        return False
    body["claims"].append(holds | {"name": violated["name"], "file": "another.cspec"})
    return True


def _open(body: CertificateTree) -> bool:
    """What was decided said to be open, without its evidence."""
    claim = _first(body, kind="region", verdict="violated") or _first(body, kind="near", verdict="violated")
    if claim is None:
        return False
    claim["verdict"] = "unknown"
    claim.pop("witness", None)
    return True


def _name_of_another(body: CertificateTree) -> bool:
    """Two claims of one kind with their names exchanged."""
    first = body["claims"][0]
    other = next(
        (c for c in body["claims"][1:] if c["kind"] == first["kind"] and c["formula"] != first["formula"]), None
    )
    if other is None:
        return False
    first["name"], other["name"] = other["name"], first["name"]
    return True


def _proof_fewer(body: CertificateTree) -> bool:
    """Fewer images than are proved: true, and not what the study has."""
    claim = next((c for c in body["claims"] if c["kind"] == "near" and c["proved"] and c["verdict"] == "unknown"), None)
    if claim is not None:
        claim["proved"] -= 1
    return claim is not None


def _refutation_hidden(body: CertificateTree) -> bool:
    claim = next((c for c in body["claims"] if c.get("refutations") and c["verdict"] == "unknown"), None)
    if claim is None:
        return False
    claim["refutations"].pop()
    claim["refuted"] -= 1
    return True


def _images_chosen(body: CertificateTree) -> bool:
    """A property only around the images where it is proved."""
    claim = next((c for c in body["claims"] if c["kind"] == "near" and c["proved"] and c["refuted"]), None)
    if claim is None:
        return False
    region = dict(body["regions"][claim["region"]])
    width = len(base64.b64decode(region["centre"])) // region["images"]
    refuted = {image for image, _ in claim["refutations"]}
    kept = [k for k in range(region["images"]) if k not in refuted]
    raw = base64.b64decode(region["centre"])
    region["centre"] = base64.b64encode(b"".join(raw[k * width : (k + 1) * width] for k in kept)).decode()
    region["images"] = claim["trials"] = len(kept)
    claim["refutations"], claim["refuted"] = [], 0
    if claim["verdict"] == "violated":
        claim["verdict"] = "unknown"
    body["regions"].append(region)
    claim["region"] = len(body["regions"]) - 1
    _redigested(body, claim)
    return True


def _multipliers_lost(body: CertificateTree) -> bool:
    claim = next((c for c in body["claims"] if c["kind"] == "near" and c["proved"] and c["tree"][0]), None)
    if claim is not None:
        claim["tree"][0] = []
    return claim is not None


def _more(name: str, **wanted: object) -> Forgery:
    return _edit(lambda value: value + 1, name, **wanted)


FORGERIES: dict[str, Forgery] = {
    "a region shrunk to a point": _resized(Fraction(0), "holds"),
    "a region made smaller": _resized(Fraction(1, 2), "holds"),
    "a refuted region made larger": _resized(Fraction(2), "violated"),
    "a region moved by little": _moved,
    "a tautology of the same name": _tautology,
    "a threshold lowered": _lowered,
    "class names exchanged": _names("classes", lambda names: [names[1], names[0], *names[2:]]),
    "a class in look-alike letters": _names("classes", _look_alike),
    "a class renamed": _names("classes", lambda names: [f"{names[0]}2", *names[1:]]),
    "concept names exchanged": _names("concepts", lambda names: [names[1], names[0], *names[2:]]),
    "a claim that holds dropped": _dropped("holds"),
    "a claim that is violated dropped": _dropped("violated"),
    "an open claim dropped": _dropped("unknown"),
    "no claims": _none,
    "one claim alone": _one_alone,
    "a claim repeated a hundred times": _repeated,
    "one name both ways": _both_ways,
    "what was refuted said to be open": _open,
    "two names exchanged": _name_of_another,
    "another file": _edit(lambda _: "another.cspec", "file"),
    "another statement": _edit(lambda _: "for all x: all is well", "statement"),
    "a source added": lambda body: body["sources"].update({"another.cspec": "0" * 64}) is None,
    "another text of the source": lambda body: body["sources"].update(dict.fromkeys(body["sources"], "0" * 64)) is None,
    "another study": lambda body: body["study"].update({"model": "0" * 64}) is None,
    "another class": _edit(lambda name: None if name is None else f"{name}2", "class"),
    "a coverage made up": _edit(
        lambda known: known and known | {"inside": (known["inside"] + 1) % (known["images"] + 1)}, "coverage", kind="region"
    ),
    "a conclusion said to be the whole": _edit(lambda _: "whole", "part", part="conclusion"),
    "a share of other images": _edit(lambda _: "1" * 64, "images", kind="share"),
    "a share of other outcomes": _edit(lambda _: "1" * 64, "outcomes", kind="share"),
    "a share with one more success": _more("successes", kind="share"),
    "a share of another size": _edit(lambda share: str(Fraction(share) / 2), "share", kind="share"),
    "another image": _edit(lambda _: "another", "image", kind="image"),
    "neighbourhoods of other images": _edit(lambda _: "1" * 64, "images", kind="near"),
    "neighbourhoods of other changes": _edit(lambda _: "mirror", "changes", kind="near"),
    "neighbourhoods that hold more changes": _edit(lambda _: "99/100", "near", kind="near"),
    "another level around images": _edit(lambda _: "1/2", "level", kind="near", verdict="unknown"),
    "another share around images": _edit(lambda _: "1/100", "share", kind="near", verdict="unknown"),
    "proved around one image more": _more("proved", kind="near"),
    "proved around one image fewer": _proof_fewer,
    "a refutation hidden": _refutation_hidden,
    "only images where it is proved": _images_chosen,
    "multipliers lost": _multipliers_lost,
}  # fmt: skip


def rows(study: Path) -> list[Row]:
    """How many forgeries of the certificates and of the printed results of a finished study are refused."""
    started = time.perf_counter()
    certificates = certificates_of(Study.open(study))
    paths = sorted((certificates.folder / "certificates").glob("*.json"))
    counts = {"honest": 0, "honest refused": 0, "forged": 0, "by the checker": 0, "by the study": 0}
    accepted: list[str] = []
    for path in paths:
        counts["honest"] += 1
        counts["honest refused"] += bool(certificates.compare(path, path.read_bytes()).differences)
        for how, by in judged(certificates, path):
            counts["forged"] += 1
            if by is None:
                accepted.append(f"{path.name}: {how}")
            else:
                counts[by] += 1
    for how, refused in misprinted(certificates, paths):
        counts["forged"] += 1
        counts["by the study"] += refused
        accepted += [] if refused else [how]
    return [
        row("certificates of the study", counts["honest"], "files", (">=", 1)),
        row("of them refused", counts["honest refused"], "files", ("<=", 0)),
        row("forgeries", counts["forged"], "forgeries"),
        row("refused as another study's", counts["by the study"], "forgeries"),
        row("refused by the checker alone", counts["by the checker"], "forgeries"),
        row("accepted" + "".join(f"; {forgery}" for forgery in accepted), len(accepted), "forgeries", ("<=", 0)),
        row("time", time.perf_counter() - started, "s"),
    ]


def judged(certificates: StudyCertificates, path: Path) -> Iterator[tuple[str, str | None]]:
    """Each forgery of a certificate with who refuses it: None for nobody."""
    honest = json.loads(path.read_bytes())
    for how, forge in FORGERIES.items():
        body = copy.deepcopy(honest)
        del body["seal"]
        if forge(body):
            yield how, _refusing(certificates, path, sealed(retied(body)))


def misprinted(certificates: StudyCertificates, paths: Sequence[Path]) -> Iterator[tuple[str, bool]]:
    """Each forgery of the printed results, and whether any of the study's certificates gives it away."""
    if certificates.record is None:
        return
    honest = {path: path.read_bytes() for path in paths}
    for how, forge in PRINTED.items():
        record = msgspec.to_builtins(certificates.record)
        if forge(record):
            printed = replace(certificates, record=msgspec.convert(record, Verification))
            yield how, any(printed.compare(path, data).differences for path, data in honest.items())


def _refusing(certificates: StudyCertificates, path: Path, data: bytes) -> str | None:
    if certificates.compare(path, data).differences:  # cheaper: every multiplier stays unread
        return "by the study"
    try:
        check.check_data(data)
    except check.Refused:
        return "by the checker"
    return None
