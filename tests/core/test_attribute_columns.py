"""A column more in a class-attribute table: nothing else changes, whatever separates its cells."""

import numpy as np
import pytest

from conspect.core.attribute_table import attribute_table_text, read_attribute_table, with_attribute
from conspect.core.concepts import ClassAttributes

SHARES = {"cat": 0.25, "dog, wild": 1.0}


@pytest.mark.parametrize(
    "text",
    [
        'class,hairy\ncat,1\n"dog, wild",0.5\n',
        '# a remark\r\nclass;hairy\r\n\r\n"dog, wild";0,5\r\ncat;1\r\n# the end',
        'class\thairy\n  cat\t1\n"dog, wild"\t0.5',
    ],
)
def test_the_column_is_the_last_and_everything_else_stays(text: str) -> None:
    changed = with_attribute(text, 'a "b", #c;', SHARES)
    table, before = read_attribute_table(changed), read_attribute_table(text)
    assert table.concept_names == ("hairy", 'a "b", #c;')
    assert table.class_names == before.class_names
    assert table.shares[:, 0].tolist() == before.shares[:, 0].tolist()
    assert table.shares[:, 1].tolist() == [SHARES[name] for name in table.class_names]
    lines = zip(text.splitlines(keepends=True), changed.splitlines(keepends=True), strict=True)
    assert all(
        new.startswith(old.rstrip("\r\n")) and new.endswith(old[len(old.rstrip("\r\n")) :]) for old, new in lines
    )


def test_a_column_that_is_there_already_is_refused() -> None:
    with pytest.raises(Exception, match="occurs twice"):
        with_attribute("class,hairy\ncat,1\n", "hairy", {"cat": 0.0})


def test_a_table_as_text_reads_back() -> None:
    table = ClassAttributes(("#1", "a,b", 'c"d'), ("x", "y z"), np.array([[0, 1], [0.123456, 0.5], [1, 0]]))
    again = read_attribute_table(attribute_table_text(table))
    assert (again.class_names, again.concept_names) == (table.class_names, table.concept_names)
    assert again.shares.tolist() == table.shares.tolist()
