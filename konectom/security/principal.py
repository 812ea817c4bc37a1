"""Who asks, and how far he, she or it may go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from konectom.security.matrix import MATRIX, WITHOUT_ROLE, Role, reach_of

Kind = Literal["device", "user", "service"]


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, in a study (None: everywhere), at a site of it (None: all sites)."""

    role: Role
    study_id: UUID | None = None
    site_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: a phone, which speaks for its patient, a member of staff, or a program.

    ``id`` is the device's, user's or service token's; ``login_id`` the login with which a user came in.
    ``permissions`` narrows what a program may do to what its token says; None: its role decides alone.
    """

    kind: Kind
    id: UUID
    name: str
    grants: tuple[Grant, ...]
    patient_id: UUID | None = None
    login_id: UUID | None = None
    permissions: frozenset[str] | None = None

    @property
    def device_id(self) -> UUID | None:
        """Return the phone that asks, None where it is no phone."""
        return self.id if self.kind == "device" else None

    def reach(self, permission: str) -> Scope | None:
        """Return how far this principal has ``permission``; None where it does not have it at all."""
        if self.permissions is not None and permission not in self.permissions:
            return None
        if self.kind == "user" and permission in WITHOUT_ROLE:
            return Scope(patient_id=self.patient_id)
        scopes = [scope for grant in self.grants if (scope := self._scope(grant, permission)) is not None]
        return Scope.union(scopes) if scopes else None

    def _scope(self, grant: Grant, permission: str) -> Scope | None:
        match reach_of(grant.role, permission):
            case None:
                return None
            case "everything":
                return Scope(everything=True) if grant.study_id is None else None
            case "own":
                return Scope(patient_id=self.patient_id)
            case "care":
                place = (grant.study_id, grant.site_id)
                return Scope(care=frozenset({place}), carer_id=self.id, emergency=MATRIX[permission].emergency)
            case "study":
                if grant.study_id is None:
                    return Scope(everything=True)
                return Scope(places=frozenset({(grant.study_id, grant.site_id)}))


Place = tuple[UUID | None, UUID | None]
"""A study and a site of it; None: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How far a question may reach: everything, places, patients in the care of somebody, or one patient.

    In the care of somebody is also, with ``emergency``, for whom he or she broke the glass. What lies outside is
    answered as if it did not exist. :func:`konectom.storage.scopes.patients_in` turns it into SQL.
    """

    everything: bool = False
    places: frozenset[Place] = frozenset()
    care: frozenset[Place] = frozenset()
    carer_id: UUID | None = None
    emergency: bool = False
    patient_id: UUID | None = None

    @classmethod
    def union(cls, scopes: Iterable[Scope]) -> Scope:
        """Return what lies in any of them."""
        scopes = list(scopes)
        return cls(
            everything=any(each.everything for each in scopes),
            places=frozenset().union(*(each.places for each in scopes)),
            care=frozenset().union(*(each.care for each in scopes)),
            carer_id=next((each.carer_id for each in scopes if each.carer_id is not None), None),
            emergency=any(each.emergency for each in scopes),
            patient_id=next((each.patient_id for each in scopes if each.patient_id is not None), None),
        )

    @property
    def studies(self) -> frozenset[UUID] | None:
        """Return the studies into which it reaches, None for all."""
        if self.everything:
            return None
        return frozenset(study for study, _ in self.places | self.care if study is not None)

    def sites_of(self, study_id: UUID) -> frozenset[UUID] | None:
        """Return the sites of a study to which it is bound, None where it reaches into all of it."""
        if self.everything:
            return None
        sites = {site for study, site in self.places | self.care if study in (None, study_id)}
        return None if None in sites else frozenset(site for site in sites if site is not None)

    def covers(self, other: Scope) -> bool:
        """Tell whether all that lies within ``other`` also lies within this one, whoever is there."""
        same_carer = not other.care or (self.carer_id == other.carer_id and self.emergency >= other.emergency)
        return self.everything or (
            not other.everything
            and all(self.reaches_site(*place) for place in other.places)
            and self.care >= other.care
            and same_carer
            and other.patient_id in (None, self.patient_id)
        )

    def reaches_site(self, study_id: UUID | None, site_id: UUID | None) -> bool:
        """Tell whether a patient who is made at this site of the study (None: at none) lies within."""
        places = {(study_id, site_id), (study_id, None), (None, None)}
        return self.everything or bool(self.places & places)

    def reaches_study(self, study_id: UUID, *, whole: bool = False) -> bool:
        """Tell whether something of the study may lie within, or the whole of it.

        What is of its patients is narrowed further.
        """
        if whole:
            return self.everything or bool(self.places & {(study_id, None), (None, None)})
        return self.studies is None or study_id in self.studies


EVERYTHING = Scope(everything=True)
"""For the operator's commands, and for the server's own work."""

NOTHING = Scope()
"""For who does not have the permission."""
