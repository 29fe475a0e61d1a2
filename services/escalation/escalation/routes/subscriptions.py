"""Webhook subscriptions of partner systems."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from escalation.schemas.subscriptions import (
    DeliveryState,
    DeliveryView,
    ReplayOrder,
    ReplayView,
    SecretRotation,
    SubscriptionChange,
    SubscriptionCreate,
    SubscriptionSecretView,
    SubscriptionView,
)
from escalation.usecases import subscribing
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1/subscriptions", tags=["subscriptions"])

Lead = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.post("", status_code=201)
async def create_subscription(call: Lead, body: SubscriptionCreate) -> SubscriptionSecretView:
    """Subscribe a partner system to events. The answer has its secret, once.

    Each event is posted signed by Standard Webhooks, in the order of its ticket; what fails is tried again for days. A
    key with scopes subscribes to what is announced by services that it may read.
    """
    made = await subscribing.create_subscription(
        call.uow(status=201), body, by=call.principal, settings=call.runtime.settings
    )
    call.show_version(made.version)
    return made


@router.get("")
async def list_subscriptions(call: Lead, cursor: str | None = None, limit: Limit = 50) -> Page[SubscriptionView]:
    """List the subscriptions."""
    return await subscribing.read_subscriptions(call.uow(), cursor=cursor, limit=limit)


@router.get("/{subscription_id}")
async def read_subscription(call: Lead, subscription_id: UUID) -> SubscriptionView:
    """Read a subscription."""
    found = await subscribing.read_subscription(call.uow(), subscription_id)
    call.show_version(found.version)
    return found


@router.patch("/{subscription_id}")
async def change_subscription(call: Lead, subscription_id: UUID, body: SubscriptionChange) -> SubscriptionView:
    """Change a subscription; `enabled` pauses it, or wakes it and sends what has waited."""
    changed = await subscribing.change_subscription(
        call.uow(),
        subscription_id,
        body,
        by=call.principal,
        if_match=call.request.headers.get("if-match"),
        settings=call.runtime.settings,
    )
    call.runtime.outbox_wake.set()
    call.show_version(changed.version)
    return changed


@router.delete("/{subscription_id}", status_code=204)
async def delete_subscription(call: Lead, subscription_id: UUID) -> None:
    """End a subscription."""
    await subscribing.delete_subscription(call.uow(), subscription_id)


@router.post("/{subscription_id}/rotate")
async def rotate_secret(
    call: Lead, subscription_id: UUID, body: SecretRotation | None = None
) -> SubscriptionSecretView:
    """Make a new secret; posts carry both signatures while the one before counts."""
    return await subscribing.rotate_secret(
        call.uow(),
        subscription_id,
        body or SecretRotation(),
        by=call.principal,
        settings=call.runtime.settings,
        clock_now=call.runtime.clock.now(),
    )


@router.post("/{subscription_id}/test", status_code=201)
async def try_out(call: Lead, subscription_id: UUID) -> DeliveryView:
    """Send the event `subscription.test`; what came of it is in the deliveries."""
    made = await subscribing.try_out(call.uow(status=201), subscription_id, by=call.principal.label)
    call.runtime.outbox_wake.set()
    return made


@router.post("/{subscription_id}/replay")
async def replay(call: Lead, subscription_id: UUID, body: ReplayOrder) -> ReplayView:
    """Send everything again from an instant or an event on, under the same ids; kept for 30 days."""
    ordered = await subscribing.replay(call.uow(), subscription_id, body)
    call.runtime.outbox_wake.set()
    return ordered


@router.get("/{subscription_id}/deliveries")
async def list_deliveries(
    call: Lead,
    subscription_id: UUID,
    state: DeliveryState | None = None,
    about: UUID | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[DeliveryView]:
    """List what was, or is to be, sent, with each attempt and its answer, oldest first."""
    return await subscribing.read_deliveries(
        call.uow(), subscription_id, state=state, about=about, cursor=cursor, limit=limit
    )
