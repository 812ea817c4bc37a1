"""Every row that can be removed is found from the rows that might refer to it without going through all of them."""

import pytest

from konectom.storage.belonging import tables_of_patients

REFERENCES = [
    (table, key)
    for table in tables_of_patients()
    for key in sorted(table.foreign_keys, key=lambda each: str(each.parent))
    if key.column.table in tables_of_patients()
]
FEW_ROWS = {"schedule.patient_id"}
"""Of tables that never grow large."""


@pytest.mark.parametrize(("table", "key"), REFERENCES, ids=[str(key.parent) for _, key in REFERENCES])
def test_a_reference_has_an_index(table, key):
    first = {next(iter(index.columns)) for index in table.indexes} | {next(iter(table.primary_key.columns))}
    assert key.parent in first or str(key.parent) in FEW_ROWS
