import csv
import io

import numpy as np

from konectom.exports.features import DICTIONARY, FACTS, Wide, dictionary_csv, dictionary_rows, value_facts
from tests.probe import probe_of


def entries(version=1, **how):
    return probe_of(version, **how).catalogue.entries


def names(wide):
    return [column.name for column in wide.columns]


def test_one_version_is_laid_out_as_its_catalogue():
    wide = Wide.of({1: entries()})
    assert names(wide) == [entry.key for entry in entries()]
    vector = np.arange(5.0)
    assert wide.rows([(1, vector)]).tolist() == [vector.tolist()]


def test_columns_tell_what_they_mean():
    column = Wide.of({1: entries()}).columns[1]
    assert (column.name, column.unit) == ("probe.level[left].mean", "m/s2")
    assert column.metadata["aliases.dispel"] == "pr-left-mean"
    assert column.metadata["better"] == "lower"


def test_versions_share_columns_and_each_may_have_its_own():
    wide = Wide.of({1: entries(), 2: entries(2, extra=True)})
    assert names(wide) == [entry.key for entry in entries(2, extra=True)]
    rows = wide.rows([(1, np.arange(5.0)), (2, np.arange(7.0))])
    assert np.isnan(rows[0, 5:]).all()
    assert rows[1].tolist() == list(range(7))


def test_different_units_never_share_a_column():
    wide = Wide.of({1: entries(unit="g"), 2: entries(2)})
    assert names(wide)[:5] == [entry.key for entry in entries()]
    assert names(wide)[5] == "probe.level[left].mean@1"
    assert (wide.columns[1].unit, wide.columns[5].unit) == ("m/s2", "g")
    rows = wide.rows([(1, np.arange(5.0))])
    assert rows[0, 0] == 0
    assert np.isnan(rows[0, 1:5]).all()
    assert rows[0, 5:].tolist() == [1, 2, 3, 4]


def test_names_are_unique_however_many_versions_there_are():
    wide = Wide.of({1: entries(unit="g"), 2: entries(2), 3: entries(3, unit="mm/s2")})
    assert len(set(names(wide))) == len(names(wide)) == 5 + 4 + 4


def test_no_rows_are_no_rows():
    assert Wide.of({1: entries()}).rows([]).shape == (0, 5)


def test_an_entry_in_a_row_of_its_own():
    assert value_facts(entries()[1]) == ("probe.level[left].mean", "probe.level", "hand=left", "mean", "m/s2")


def test_the_dictionary_has_a_row_for_every_column():
    rows = dictionary_rows([(1, entries())])
    assert [row["key"] for row in rows] == [column.name for column in FACTS] + [entry.key for entry in entries()]
    level = rows[len(FACTS) + 1]
    assert (level["unit"], level["better"], level["version"], level["score"]) == ("m/s2", "lower", 1, True)
    assert (level["plausible_min"], level["plausible_max"]) == (0, 100)
    assert level["aliases.dispel"] == "pr-left-mean"
    assert all(row["means"] for row in rows)


def test_the_dictionary_as_csv():
    rows = dictionary_rows([(1, entries())])
    read = list(csv.DictReader(io.StringIO(dictionary_csv(rows).decode())))
    assert len(read) == len(rows)
    assert list(read[0]) == [*DICTIONARY, "aliases.dispel"]
    assert read[-1]["key"] == "probe.level[right].sd"
    assert read[0]["aliases.dispel"] == ""
