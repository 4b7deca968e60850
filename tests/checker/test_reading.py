"""How the checker reads: limits at their last allowed value, text in the one way that is canonical, digests as the rest of
Conspect computes them."""

import base64
import hashlib
import struct
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.checker import check
from tests.checker.handmade import REGION_CLAIM, arrays_digest, body_of, digest, f8, sealed

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
HELD = REGION_CLAIM | {
    "formula": [["stronger", 1, 0], ["not", 0], ["or", 0, 1]],
    "proof": [["close", [[0, 1], [1, 1]]]],
}


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(check.Refused) as caught:
        action()
    return str(caught.value)


def test_limits_are_those_that_the_page_states() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"numbers of more than {check.LONGEST_NUMBER:,} digits" in page
    assert f"at most {check.LARGEST_FILE // 2**20} MiB are read" in page
    assert check.LARGEST_FILE % 2**20 == 0
    assert f"`--seconds` ({check.SECONDS}) and `--megabytes` ({check.MEGABYTES})" in page
    assert f"rounded up at {check.FINER} bits below the last one" in page
    assert "within 2⁻³²" in page
    assert check.NEARLY == 2**32
    assert "a share written with a long fraction" in page
    # What the page gives no number for: a share's fraction of a float's length, and far from what a minute of work is.
    assert (check.SHORT_SHARE, check.ROOT) == (64, 160)
    assert (check.MOST_STEPS, check.MOST_LITERALS, check.LONGEST_POWER) == (5 * 10**6, 25 * 10**4, 10**7)
    assert (check.LONGEST_TEXT, check.LONGEST_FORMULA) == (400, 4000)


def test_the_defaults_of_a_budget_are_the_limits() -> None:
    before = time.monotonic_ns()
    budget = check.Budget()
    after = time.monotonic_ns()
    assert before <= budget.end - 300 * 10**9 <= after
    assert budget.left == 4096 * 10**6
    assert (check.Budget(2, 3).seconds, check.Budget(2, 3).megabytes) == (2, 3)


def test_memory_is_counted_to_the_byte_and_refused_only_beyond_the_last() -> None:
    budget = check.Budget(megabytes=1)
    assert budget.hold(10, 700) == 10 * (40 + 100)
    assert budget.left == 1_000_000 - 1400
    assert budget.hold(1, 7 * (998_600 - 40)) == 998_600
    assert budget.left == 0
    assert budget.hold(0, 7) == 0
    assert "more than 1 MB" in refusal(lambda: budget.hold(1, 0))


def test_time_that_is_over_is_refused_and_time_that_is_left_is_not() -> None:
    budget = check.Budget(seconds=1000)
    budget.spend()
    budget.end = time.monotonic_ns() - 1
    assert refusal(budget.spend) == "not checked within 1000 s; allow more with --seconds"


# ---------------------------------------------------------------- words, numbers, digests


@pytest.mark.parametrize(("low", "high"), [(0, 5), (1, 1), (-3, 3)])
def test_whole_numbers_are_taken_from_the_first_to_the_last(low: int, high: int) -> None:
    assert [check.whole(value, low, high, "it") for value in range(low, high + 1)] == list(range(low, high + 1))
    for value in (low - 1, high + 1, True, False, float(low), str(low), None, Fraction(low)):
        assert refusal(lambda value=value: check.whole(value, low, high, "it")) == (  # type: ignore[misc]
            f"it is not an integer from {low} to {high}"
        )


def test_an_object_has_exactly_its_keys() -> None:
    assert check.fields({"a": 1, "b": 2}, ["b", "a"], "it") == [2, 1]
    for value in ({"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 2}, [["a", 1], ["b", 2]], None, "ab", ["a", "b"]):
        assert "it must have exactly the keys ['a', 'b']" in refusal(
            lambda value=value: check.fields(value, ["b", "a"], "it")  # type: ignore[misc]
        )


def test_what_is_chosen_by_number_is_there() -> None:
    assert [check.chosen(k, "abc", "a letter") for k in range(3)] == ["a", "b", "c"]
    for number in (-1, 3):
        assert refusal(lambda number=number: check.chosen(number, "abc", "a letter")) == (  # type: ignore[misc]
            "a letter's number is not an integer from 0 to 2"
        )


@given(st.fractions())
def test_fractions_are_read_as_they_are_written(value: Fraction) -> None:
    assert check.rational(str(value), "it") == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2/4", "lowest"), ("01", "lowest"), ("-0", "lowest"), ("1/1", "lowest"), ("0/5", "lowest"), ("1/01", "lowest"),
        ("1/0", "denominator"), ("0/0", "denominator"),
        ("1/-2", "is not a fraction"), ("--1", "is not a fraction"), ("+1", "is not a fraction"), ("", "is not a fraction"),
        ("1/2/3", "is not a fraction"), (" 1", "is not a fraction"), ("1.5", "is not a fraction"), ("١", "is not a fraction"),
        ("²", "is not a fraction"), ("1_0", "is not a fraction"), ("1/x", "is not a fraction"), ("x/2", "is not a fraction"),
        (1, "is not a fraction"), (None, "is not a fraction"), ("1" * 4001, "is not a fraction"), ("1/", "lowest"),
    ],
)  # fmt: skip
def test_what_is_no_fraction_in_lowest_terms_is_refused(text: object, why: str) -> None:
    assert why in refusal(lambda: check.rational(text, "it"))


def test_a_fraction_of_four_thousand_digits_is_read() -> None:
    assert check.rational("1" * 4000, "it") == int("1" * 4000)


@pytest.mark.parametrize(
    ("value", "fine"),
    [
        ("0123456789abcdef" * 4, True),
        ("0" * 63, False),
        ("0" * 65, False),
        ("A" * 64, False),
        ("g" + "0" * 63, False),
        (["0"] * 64, False),
        (0, False),
    ],
)
def test_a_digest_is_64_hexadecimal_characters(value: object, fine: bool) -> None:
    if fine:
        assert check.digest_text(value, "it") == value
    else:
        assert refusal(lambda: check.digest_text(value, "it")) == "it is no digest"


def test_bytes_are_read_from_canonical_base64_of_the_right_length() -> None:
    assert check.octets("AAECAw==", 4, "it") == bytes(range(4))
    for value, why in [
        ("AAECAx==", "canonical"), ("AAECAw=", "not base64"), ("AAEC Aw==", "not base64"), ("AAEC\n", "not base64"),
        ("é", "not base64"), (b"AAECAw==", "not base64"), (None, "not base64"), ("AAEC", "has 3 bytes and not 4"),
        ("AAECAwQ=", "has 5 bytes and not 4"),
    ]:  # fmt: skip
        assert why in refusal(lambda value=value: check.octets(value, 4, "it"))  # type: ignore[misc]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_digests_of_json_are_those_of_the_rest_of_conspect(value: object) -> None:
    from conspect.core import digests

    assert check.digest_json(value) == digests.digest_json(value) == digest(value)


def test_digests_of_arrays_are_those_of_the_rest_of_conspect() -> None:
    import numpy as np

    from conspect.core import digests

    arrays = {"b": np.arange(6, dtype="<f8").reshape(2, 3), "a": np.arange(3, dtype="|u1")}
    own = {name: (values.dtype.str, values.shape, values.tobytes()) for name, values in arrays.items()}
    assert check.digest_arrays(own) == digests.digest_arrays(arrays) == arrays_digest(**own)


# ---------------------------------------------------------------- arrays of floats


def read_floats(values: list[float], budget: check.Budget | None = None) -> tuple[bytes, list[int], int]:
    return check.floats(f8(values), (len(values),), "it", budget or check.Budget())


EXTREME = [5e-324, -5e-324, 2.0**-1022, 2.0**-1023, 1.7976931348623157e308, -1.0, 0.0, -0.0, 0.1, 1e300, 3.0, 2.0**60]


@given(st.lists(st.sampled_from(EXTREME) | st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_arrays_become_integers_over_the_least_power_of_two(values: list[float]) -> None:
    raw, integers, shift = read_floats(values)
    assert raw == struct.pack(f"<{len(values)}d", *values)
    assert [Fraction(v, 2**shift) for v in integers] == [Fraction(v) for v in values]
    least = max([0] + [Fraction(v).denominator.bit_length() - 1 for v in values])
    if any(values):
        assert shift == least or (least == 0 and shift == 0)
    else:
        assert shift == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_no_array_holds_what_is_no_number(value: float) -> None:
    assert refusal(lambda: read_floats([1.0, value])) == "it has a NaN or an infinity"


def test_an_array_takes_the_memory_of_its_longest_number() -> None:
    budget = check.Budget(megabytes=1)
    read_floats([1.0, 2.0**-100], budget)
    # From the lowest bit, 2**-100, to the top of 1: the exponents of both mantissas are 100 apart.
    assert 1_000_000 - budget.left == 2 * (40 + (100 + 53) // 7)

    for nothing in (0.0, -0.0):
        budget = check.Budget(megabytes=1)
        read_floats([1.0, nothing], budget)
        assert 1_000_000 - budget.left == 2 * (40 + 53 // 7)


def test_a_matrix_is_read_row_by_row_over_the_finer_of_two_denominators() -> None:
    for weight, offset in (([1.0, 2.0, 3.0, 4.0], [0.5, 0.25]), ([0.5, 2.0, 0.125, 4.0], [3.0, 1.0])):
        forms, raw_weight, raw_offset = check.Forms.read(f8(weight), f8(offset), (2, 2), "it", check.Budget())
        unit = 2**forms.shift
        assert [[Fraction(v, unit) for v in row] for row in forms.rows] == [weight[:2], weight[2:]]
        assert [Fraction(v, unit) for v in forms.constants] == offset
        assert forms.columns == list(zip(*forms.rows, strict=True))
        assert (raw_weight, raw_offset) == (base64.b64decode(f8(weight)), base64.b64decode(f8(offset)))


@pytest.mark.parametrize(("offset", "held"), [([0.5, 0.25], 4 * (40 + (2 + 64) // 7)), ([3.0, 1.0], 0)])
def test_a_matrix_takes_more_memory_only_where_its_numbers_are_lengthened(offset: list[float], held: int) -> None:
    budget, arrays = check.Budget(), check.Budget()
    check.Forms.read(f8([1.0, 2.0, 3.0, 4.0]), f8(offset), (2, 2), "it", budget)
    check.floats(f8([1.0, 2.0, 3.0, 4.0]), (2, 2), "it", arrays)
    check.floats(f8(offset), (2,), "it", arrays)
    assert arrays.left - budget.left == held


# ---------------------------------------------------------------- files and the certificate as a whole


def test_a_handmade_certificate_is_accepted() -> None:
    (claim,) = check.check_data(sealed(body_of(HELD)))
    assert claim.statement == (
        "for all x in the box of c0: (k1 > k0) or (not (k1 > k0)) "
        f"[size 1, region {body_of(HELD)['claims'][0]['region_digest'][:12]}, coverage not said]"
    ).replace("(k1 > k0) or", "k1 > k0 or")
    assert (claim.name, claim.verdict) == ("p", "holds")


def resealed(rest: bytes) -> bytes:
    return b'{"seal":"' + hashlib.sha256(rest).hexdigest().encode() + b'",' + rest


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"seal":"' + b"0" * 64 + b'","a":1}', "the seal is broken"),
        (resealed(b'"a":1}')[:-1] + b" ", "the seal is broken"),
        (b'{"seel' + resealed(b'"a":1}')[6:], "the seal is broken"),
        (resealed(b'"a":1}').replace(b'",', b'";'), "the seal is broken"),
        (resealed(b'"a":1,"a":1}'), "a key appears twice"),
        (resealed(b'"a":1.0}'), "is not an integer; certificates carry no JSON floats"),
        (resealed(b'"a":1e3}'), "is not an integer"),
        (resealed(b'"a":-Infinity}'), "is not an integer"),
        (resealed(b'"a":NaN}'), "is not an integer"),
        (resealed(b'"a":' + b"1" * 4001 + b"}"), "a number is too long"),
        (resealed(b'"a":' + b"1" * 4000 + b"}"), "not a certificate"),
        (resealed(b'"a":"\xff"}'), "not readable as JSON"),
        (resealed(b'"a":'), "not readable as JSON"),
        (resealed(b'"format":"another\x1b"}'), "not readable as JSON"),
        (resealed(b'"format":"another"}'), "the format is another; this checker reads conspect-certificate-3"),
        (resealed(b'"format":2}'), "not a certificate"),
    ],
)
def test_what_is_not_the_json_of_a_certificate_is_refused_with_the_reason(data: bytes, why: str) -> None:
    assert why in refusal(lambda: check.check_data(data))


def test_a_long_number_that_is_refused_is_shown_with_forty_characters() -> None:
    said = refusal(lambda: check.load(resealed(b'"a":1.' + b"5" * 60 + b"}"), check.Budget()))
    assert said.startswith("'1." + "5" * 38 + "' is not")


def test_a_file_is_as_large_as_allowed_and_no_larger(monkeypatch, tmp_path) -> None:
    data = sealed(body_of(HELD))
    path = tmp_path / "c.json"
    path.write_bytes(data)
    monkeypatch.setattr(check, "LARGEST_FILE", len(data))
    assert check.read(path) == data
    assert check.check_file(path)
    monkeypatch.setattr(check, "LARGEST_FILE", len(data) - 1)
    assert refusal(lambda: check.read(path)) == "the file is too large"
    assert refusal(lambda: check.load(data, check.Budget())) == "the file is too large"


def test_what_a_file_may_hold_is_paid_for_before_it_is_parsed() -> None:
    data = resealed(b'"a":[1,2,{"b":3}]}')
    budget = check.Budget()
    check.load(data, budget)
    # 3 commas (one behind the seal), a list, two objects.
    assert 4096 * 10**6 - budget.left == 6 * (40 + 400 // 7) + (40 + 8 * len(data) // 7)


def test_expected_digests_are_compared_and_only_those_that_are_computed() -> None:
    body = body_of(HELD)
    data, digests = sealed(body), body["digests"]
    assert check.check_data(data, [("head", digests["head"]), ("lens", digests["lens"])])
    assert "speaks of another lens" in refusal(lambda: check.check_data(data, [("lens", digests["head"])]))
    assert "speaks of another head" in refusal(lambda: check.check_data(data, [("head", digests["lens"])]))
    assert "not study" in refusal(lambda: check.check_data(data, [("study", "0")]))


def test_pairs_of_numbers_are_read_as_a_dictionary() -> None:
    assert check.dict_of([[1, "a"], [0, [2]]]) == {1: "a", 0: [2]}
    assert check.dict_of([]) == {}
    for value in ([[1, 2, 3]], [[1]], [(1, 2)], [["1", 2]], [[True, 2]], {"1": 2}, None, [1, 2]):
        assert "not a list of pairs" in refusal(lambda value=value: check.dict_of(value))  # type: ignore[misc]
    assert "a number appears twice" in refusal(lambda: check.dict_of([[1, 2], [1, 3]]))


# ---------------------------------------------------------------- the command


def run(*arguments: str) -> int:
    return check.main(arguments)


@pytest.fixture
def accepted(tmp_path: Path) -> str:
    file = tmp_path / "good.json"
    file.write_bytes(sealed(body_of(HELD)))
    return str(file)


def test_the_command_says_what_each_file_claims_and_ends_with_one_if_any_is_refused(accepted, tmp_path, capsys) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"{}")
    assert run(accepted) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [
        "holds    p",
        accepted,
        check.NOT_COMPARED.split(":", maxsplit=1)[0],
    ]
    assert said[1] == f"{accepted}: accepted: 1 claims hold, 0 are violated"
    for files in ((str(broken), accepted), (accepted, str(broken))):
        assert run(*files) == 1
        said = capsys.readouterr().out.splitlines()
        assert f"{broken}: REFUSED: the seal is broken, or there is none" in said
        assert f"{accepted}: accepted: 1 claims hold, 0 are violated" in said


def test_the_command_compares_with_every_expected_digest(accepted, capsys) -> None:
    digests = body_of(HELD)["digests"]
    good, bad = f"head={digests['head']}", f"lens={digests['head']}"
    assert run("--expect", good, accepted) == 0
    assert run("--expect", good, "--expect", bad, accepted) == 1
    assert "another lens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2), (("--seconds", "9"), 2), (("--seconds", "0", "F"), 2), (("--megabytes", "0", "F"), 2),
        (("--seconds", "-1", "F"), 2), (("--seconds", "1.5", "F"), 2), (("--seconds", "²", "F"), 2),
        (("--seconds", "1" * 9, "F"), 0), (("--seconds", "1" * 10, "F"), 2), (("F", "--megabytes"), 2),
        (("--megabytes", "50", "--seconds", "50", "F"), 0), (("--seconds", "F"), 2),
    ],
)  # fmt: skip
def test_limits_of_the_command_are_whole_numbers_of_up_to_nine_digits(arguments, code, accepted, capsys) -> None:
    assert run(*(accepted if word == "F" else word for word in arguments)) == code
    assert ("usage:" in capsys.readouterr().err) == (code == 2)


def test_the_command_keeps_to_the_limits_it_is_given(accepted, capsys, monkeypatch) -> None:
    budgets: list[check.Budget] = []

    def checked(path: str, expected: object, budget: check.Budget) -> list[check.Claim]:
        budgets.append(budget)
        return []

    monkeypatch.setattr(check, "check_file", checked)
    assert run("--seconds", "7", "--megabytes", "5", accepted, accepted) == 0
    assert [(b.seconds, b.megabytes) for b in budgets] == [(7, 5), (7, 5)]
    assert run(accepted) == 0
    assert (budgets[2].seconds, budgets[2].megabytes) == (300, 4096)


def test_what_is_left_open_is_counted_apart() -> None:
    claims = [
        check.Claim("p", verdict, "") for verdict in ("holds", "violated", "violated", "unknown", "unknown", "unknown")
    ]
    assert check.summary(claims) == "accepted: 1 claims hold, 2 are violated, 3 are open"
    assert check.summary(claims[:3]) == "accepted: 1 claims hold, 2 are violated"
