"""Programs' tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from konectom.api.access import permits, principal, services
from konectom.api.contract import Resource
from konectom.api.schemas.accounts import IssuedToken, NewToken, TokenPage
from konectom.api.schemas.pages import PageQuery
from konectom.errors import FieldInvalid, FieldMissing, NotFound
from konectom.workflows.access.service_tokens import issue_service_token, list_service_tokens, revoke_service_token

tokens = Resource("tokens", __name__, description="What programs ask with.")


@tokens.route("/tokens")
@permits("token.read")
@tokens.query(PageQuery)
@tokens.answers(200, TokenPage)
@tokens.refuses(FieldInvalid)
def get_tokens(**query: Any) -> Any:
    """List programs' tokens, oldest first; the tokens themselves are not kept."""
    return list_service_tokens(services(), **query)


@tokens.route("/tokens", methods=["POST"])
@permits("token.edit")
@tokens.body(NewToken)
@tokens.answers(201, IssuedToken)
@tokens.refuses(NotFound, FieldMissing, FieldInvalid)
def post_token(study: UUID | None = None, days: int | None = None, **facts: Any) -> Any:
    """Make a token for a program: for these permissions, in one study or in all."""
    lifetime = None if days is None else timedelta(days=days)
    maker = principal().id
    return issue_service_token(services(), study_id=study, lifetime=lifetime, created_by=maker, **facts).as_dict()


@tokens.route("/tokens/<uuid:token_id>", methods=["DELETE"])
@permits("token.edit")
@tokens.answers(204)
@tokens.refuses(NotFound)
def delete_token(token_id: UUID) -> Any:
    """Make a token invalid from now on."""
    revoke_service_token(services(), token_id)
