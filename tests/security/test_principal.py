"""How far a caller reaches."""

from konectom.security.principal import Scope


def test_a_scope_covers_what_lies_within_it_and_no_more():
    study, site, carer, patient = "study", "site", "carer", "patient"
    whole, part = Scope(places=frozenset({(study, None)})), Scope(places=frozenset({(study, site)}))
    care = Scope(care=frozenset({(study, None)}), carer_id=carer)
    emergency = Scope(care=frozenset({(study, None)}), carer_id=carer, emergency=True)
    everything, own = Scope(everything=True), Scope(patient_id=patient)
    assert all(
        everything.covers(each) and each.covers(each) for each in (everything, whole, part, care, emergency, own)
    )
    assert emergency.covers(care)
    assert not care.covers(emergency)
    assert not any(each.covers(everything) for each in (whole, part, care, own, Scope()))
    assert whole.covers(part)
    assert not part.covers(whole)
    assert not care.covers(Scope(care=care.care, carer_id="another"))
    assert not own.covers(Scope(patient_id="another"))
    assert whole.covers(Scope())
