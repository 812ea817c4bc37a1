"""Campaigns: recordings computed again. They are decided on here, and computed by ``konectom reprocess run``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from konectom.api.access import permits, scope, services, study_in_scope
from konectom.api.contract import Resource
from konectom.api.schemas.campaigns import Campaign, CampaignPage, CampaignsQuery, NewCampaign, ReportedCampaign
from konectom.errors import (
    AssessmentUnknown,
    CampaignOutdated,
    CampaignState,
    FieldInvalid,
    FieldMissing,
    NotFound,
    PatientRestricted,
)
from konectom.workflows.campaigns.decisions import decide, get_campaign, list_campaigns, plan_campaign

campaigns = Resource("campaigns", __name__, description="Recordings computed again.")


@campaigns.route("/campaigns")
@permits("campaign.read")
@campaigns.query(CampaignsQuery)
@campaigns.answers(200, CampaignPage)
@campaigns.refuses(NotFound, FieldInvalid)
def get_campaigns(study: UUID | None = None, **query: Any) -> Any:
    """List campaigns, as they were planned."""
    study_id = None if study is None else study_in_scope(study, at="/query/study")
    return list_campaigns(services(), scope=scope(), study=study_id, **query)


@campaigns.route("/campaigns", methods=["POST"])
@permits("campaign.edit")
@campaigns.body(NewCampaign)
@campaigns.answers(201, ReportedCampaign)
@campaigns.refuses(NotFound, PatientRestricted, AssessmentUnknown, FieldMissing, FieldInvalid)
def post_campaign(study: UUID, **choice: Any) -> Any:
    """Choose recordings of a study to be computed again; nothing is computed yet."""
    made = plan_campaign(services(), study=study_in_scope(study, at="/study"), **choice)
    return made, {"Location": url_for(".get_campaign_by_id", campaign_id=made["id"])}


@campaigns.route("/campaigns/<uuid:campaign_id>")
@permits("campaign.read")
@campaigns.answers(200, ReportedCampaign)
@campaigns.refuses(NotFound, PatientRestricted)
def get_campaign_by_id(campaign_id: UUID) -> Any:
    """Show how far a campaign has come, and what its dry run found."""
    return get_campaign(services(), campaign_id, scope=scope())


@campaigns.route("/campaigns/<uuid:campaign_id>:dry-run", methods=["POST"])
@permits("campaign.edit")
@campaigns.answers(202, Campaign)
@campaigns.refuses(NotFound, PatientRestricted, CampaignState, CampaignOutdated)
def post_campaign_dry_run(campaign_id: UUID) -> Any:
    """Let a campaign find out what would change."""
    return decide(services(), campaign_id, "dry-run", scope=scope())


@campaigns.route("/campaigns/<uuid:campaign_id>:run", methods=["POST"])
@permits("campaign.edit")
@campaigns.answers(202, Campaign)
@campaigns.refuses(NotFound, PatientRestricted, CampaignState, CampaignOutdated)
def post_campaign_run(campaign_id: UUID) -> Any:
    """Let a campaign keep what it computes, after its dry run."""
    return decide(services(), campaign_id, "run", scope=scope())


@campaigns.route("/campaigns/<uuid:campaign_id>:pause", methods=["POST"])
@permits("campaign.edit")
@campaigns.answers(200, Campaign)
@campaigns.refuses(NotFound, PatientRestricted, CampaignState)
def post_campaign_pause(campaign_id: UUID) -> Any:
    """Pause a campaign; what is under way is finished or forgotten."""
    return decide(services(), campaign_id, "pause", scope=scope())


@campaigns.route("/campaigns/<uuid:campaign_id>:resume", methods=["POST"])
@permits("campaign.edit")
@campaigns.answers(202, Campaign)
@campaigns.refuses(NotFound, PatientRestricted, CampaignState, CampaignOutdated)
def post_campaign_resume(campaign_id: UUID) -> Any:
    """Let a campaign that was paused go on."""
    return decide(services(), campaign_id, "resume", scope=scope())


@campaigns.route("/campaigns/<uuid:campaign_id>:cancel", methods=["POST"])
@permits("campaign.edit")
@campaigns.answers(200, Campaign)
@campaigns.refuses(NotFound, PatientRestricted, CampaignState)
def post_campaign_cancel(campaign_id: UUID) -> Any:
    """End a campaign; results that it has kept stay."""
    return decide(services(), campaign_id, "cancel", scope=scope())
