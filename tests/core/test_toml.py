"""TOML from outside: what the standard parser says, and no key that takes it quadratic time."""

import time
import tomllib

import pytest

from conspect.core.toml import DEEPEST_KEY, toml_table


@pytest.mark.parametrize(
    "text",
    [
        "[" + ".".join(["a"] * 50_000) + "]\n",
        "[[" + ".".join(["a"] * 50_000) + "]]\n",
        "x = 1\n  " + ".".join(["a"] * 50_000) + " = 1\n",
        "\n".join("[" + ".".join(["a"] * n) + "]" for n in range(1, 900)),
        ".".join(['"a.b"'] * 9_000) + " = 1\n",
    ],
)
def test_a_key_of_many_parts_is_refused_at_once(text):
    started = time.process_time()
    with pytest.raises(ValueError, match=f"more than {DEEPEST_KEY} parts"):
        toml_table(text)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        'a = "x.y.z' + ".v" * 50 + '"\n',
        '"a' + ".b" * 50 + '" = 1\n',
        "[" + ".".join(["a"] * DEEPEST_KEY) + "]\nb = 2 # " + "." * 99 + "\n",
        "a = '''\n" + ".".join(["a"] * 20) + "\n'''\n",
        "a = [1.5, 2.5,\n 3.5]\n",
    ],
)
def test_everything_else_is_what_the_standard_parser_says(text):
    assert toml_table(text) == tomllib.loads(text)


def test_what_is_no_toml_stays_an_error():
    with pytest.raises(ValueError, match="Invalid value"):
        toml_table("a = [")
