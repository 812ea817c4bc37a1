"""The schema goes back, and not with what is held unless that is said."""

from konectom.storage import migrate


def test_rows_are_not_lost_without_a_word(konectom, people):
    people.study()
    told = konectom("db", "downgrade", "base", status=1)
    assert "say --yes" in told.output


def test_what_nothing_brings_back_is_not_dropped_for_a_word_either(konectom, people):
    people.patient()
    assert "audit" in konectom("db", "downgrade", "0002", "--yes", status=1).output


def test_an_empty_database_goes_back_and_forth(konectom, settings):
    head = migrate.head_revision()
    assert f"{head} -> 0001" in konectom("db", "downgrade", "0001").output
    assert "no earlier one" in konectom("db", "downgrade", head, status=1).output
    konectom("db", "upgrade")
    assert migrate.current_revision(settings.database_url) == head
