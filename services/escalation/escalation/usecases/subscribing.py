"""Subscriptions of partner systems: made, changed, given new secrets, tried out, and told again."""

import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from escalation.domain.addresses import AddressRefused, Network, check_url, read_networks, read_url
from escalation.domain.sealing import read_keys, seal
from escalation.domain.subscriptions import check_patterns, is_event_wanted
from escalation.repository import subscriptions
from escalation.repository.subscriptions import Post, Subscription
from escalation.schemas.subscriptions import (
    DeliveryView,
    PostAttemptView,
    ReplayOrder,
    ReplayView,
    SecretRotation,
    SubscriptionChange,
    SubscriptionCreate,
    SubscriptionSecretView,
    SubscriptionView,
)
from escalation.usecases.posting import OFFERED, TRIAL
from plazo.events.registry import EVENTS
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime.call import check_version
from plazo.runtime.identity import Principal
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.settings import Settings
from plazo.runtime.signatures import new_secret
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

_SHOWN_ONCE = "shown once, to the first request"


class NoSuchSubscription(NotFound):
    """There is no such subscription in this desk."""

    code = "no-such-subscription"


class NothingToReplay(PlazoError):
    """The subscription was sent no such event, or none since then."""

    kind = Kind.CONFLICT
    code = "nothing-to-replay"


class BeyondScopes(PlazoError):
    """A caller has itself sent what its scopes do not let it read."""

    kind = Kind.FORBIDDEN
    code = "beyond-scopes"


class SubscriptionIdle(PlazoError):
    """Nothing is sent to the subscription now."""

    kind = Kind.CONFLICT
    code = "subscription-not-active"


def allowed_networks(settings: Settings) -> tuple[Network, ...]:
    """Return the networks of our own that webhooks may be sent to."""
    return read_networks(settings.webhook_allowed_networks)


def sealing_keys(settings: Settings) -> dict[str, bytes]:
    """Return the keys that secrets are sealed with, newest first; the last follows from the operator key."""
    own = hmac.digest(settings.operator_key.get_secret_value().encode(), b"plazo webhook secrets", "sha256")
    named = read_keys(settings.secrets_key.get_secret_value()) if settings.secrets_key is not None else {}
    return named | {"operator": own}


async def create_subscription(
    uow: UnitOfWork, new: SubscriptionCreate, *, by: Principal, settings: Settings
) -> SubscriptionSecretView:
    """Make a subscription; the answer alone has its secret.

    :raises InvalidInput: for a URL or event that cannot be
    :raises BeyondScopes: for events of a service that the caller may not read
    """
    _check(url=new.url, events=new.events, settings=settings)
    _check_scopes(by, new.events)
    subscription_id, secret = new_id(), new_secret()
    async with uow.begin() as tx:
        made = Subscription(
            subscription_id=subscription_id,
            desk_id=tx.desk_id,
            name=new.name or read_url(new.url).host,
            url=new.url,
            events=new.events,
            customers=new.customers,
            contact=new.contact,
            secret=seal(secret, keys=sealing_keys(settings), place=subscription_id),
            created_at=tx.now,
            changed_at=tx.now,
        )
        await subscriptions.insert_subscription(tx, made)
        view = subscription_view(made)
        tx.answer = view.model_dump(mode="json") | {"secret": _SHOWN_ONCE}
    return SubscriptionSecretView(**view.model_dump(), secret=secret)


async def change_subscription(
    uow: UnitOfWork,
    subscription_id: UUID,
    change: SubscriptionChange,
    *,
    by: Principal,
    if_match: str | None,
    settings: Settings,
) -> SubscriptionView:
    """Change what is named. What waits for one that is enabled again is sent, with all its attempts before it.

    :raises NoSuchSubscription: :raises StaleVersion: :raises InvalidInput:
    :raises BeyondScopes: if it is, or becomes, one to events of a service that the caller may not read
    """
    _check(url=change.url, events=change.events, settings=settings)
    named = change.model_dump(exclude_unset=True, exclude={"enabled"})
    named = {name: value for name, value in named.items() if value is not None or name == "contact"}
    async with uow.begin() as tx:
        held = await _held(tx, subscription_id)
        check_version(if_match, held.version)
        after = replace(held, **named)
        _check_scopes(by, (*held.events, *after.events))
        if change.enabled is True:
            after = replace(after, state="active", state_reason=None, failures=0, failing_since=None)
        elif change.enabled is False and held.state == "active":
            after = replace(after, state="paused", state_reason="switched off by request")
        await subscriptions.update_subscription(tx, after)
        if after.state == "active" and held.state != "active":
            await subscriptions.start_lanes(tx, subscription_id)
        elif after.state != "active":
            await subscriptions.stop_lanes(tx, subscription_id)
        return subscription_view(await _held(tx, subscription_id))


async def delete_subscription(uow: UnitOfWork, subscription_id: UUID) -> None:
    """Forget a subscription and its secrets; what was sent stays on record. :raises NoSuchSubscription:"""
    async with uow.begin() as tx:
        held = await _held(tx, subscription_id)
        gone = replace(held, state="deleted", secret="", previous_secret=None, previous_until=None)
        await subscriptions.update_subscription(tx, gone)
        await subscriptions.stop_lanes(tx, subscription_id)


async def rotate_secret(
    uow: UnitOfWork,
    subscription_id: UUID,
    rotation: SecretRotation,
    *,
    by: Principal,
    settings: Settings,
    clock_now: datetime,
) -> SubscriptionSecretView:
    """Give a subscription a new secret; posts are signed with both for a while, by the machine's clock.

    :raises NoSuchSubscription:
    :raises BeyondScopes: if it is one to events of a service that the caller may not read
    """
    secret = new_secret()
    async with uow.begin() as tx:
        held = await _held(tx, subscription_id)
        _check_scopes(by, held.events)
        until = clock_now + timedelta(hours=rotation.overlap_hours) if rotation.overlap_hours else None
        after = replace(
            held,
            secret=seal(secret, keys=sealing_keys(settings), place=subscription_id),
            previous_secret=held.secret if until else None,
            previous_until=until,
        )
        await subscriptions.update_subscription(tx, after)
        view = subscription_view(await _held(tx, subscription_id))
        tx.answer = view.model_dump(mode="json") | {"secret": _SHOWN_ONCE}
    return SubscriptionSecretView(**view.model_dump(), secret=secret)


async def try_out(uow: UnitOfWork, subscription_id: UUID, *, by: str) -> DeliveryView:
    """Send an event that says nothing, `subscription.test`. :raises NoSuchSubscription: :raises SubscriptionIdle:"""
    async with uow.begin() as tx:
        held = await _held(tx, subscription_id)
        if held.state != "active":
            raise SubscriptionIdle(f"the subscription is {held.state}; enable it first")
        trial = Post(
            subscription_id=subscription_id,
            desk_id=tx.desk_id,
            event_id=new_id(),
            producer="escalation",
            type=TRIAL,
            aggregate_id=subscription_id,
            occurred_at=tx.now,
            recorded_at=tx.now,
            data={"subscription_id": str(subscription_id), "by": by},
        )
        await subscriptions.queue_posts(tx, [trial])
        cursor = await subscriptions.cursor_of(tx.connection, subscription_id, event_id=trial.event_id, since=None)
        (made,) = await subscriptions.list_deliveries(
            tx.connection, subscription_id, state=None, about=None, after=(cursor or 1) - 1, limit=1
        )
        view = _delivery_view(made, [])
        tx.answer = view.model_dump(mode="json")
    return view


async def replay(uow: UnitOfWork, subscription_id: UUID, order: ReplayOrder) -> ReplayView:
    """Send again what was sent before, from a cursor on, each event under its own id and in the old order.

    :raises NoSuchSubscription: :raises NothingToReplay:
    """
    async with uow.begin() as tx:
        held = await _held(tx, subscription_id)
        cursor = await subscriptions.cursor_of(
            tx.connection, subscription_id, event_id=order.from_event, since=order.since
        )
        if cursor is None:
            raise NothingToReplay(
                "the subscription was sent no such event, or none since that instant; it is sent what is announced "
                f"from {held.created_at:%Y-%m-%dT%H:%M:%SZ} on, when it was made, which can be sent again for 30 days"
            )
        view = ReplayView(
            events=await subscriptions.replay_from(tx, subscription_id, cursor), kept_since=held.created_at
        )
        if held.state == "active":
            await subscriptions.start_lanes(tx, subscription_id)
        tx.answer = view.model_dump(mode="json")
    return view


async def read_subscription(uow: UnitOfWork, subscription_id: UUID) -> SubscriptionView:
    """Return a subscription. :raises NoSuchSubscription:"""
    async with uow.read() as connection:
        found = await subscriptions.find_subscription(connection, subscription_id)
    if found is None:
        raise NoSuchSubscription(f"there is no subscription {subscription_id}")
    return subscription_view(found)


async def read_subscriptions(uow: UnitOfWork, *, cursor: str | None, limit: int) -> Page[SubscriptionView]:
    """Return a page of subscriptions."""
    keys = position(cursor, UUID)
    async with uow.read() as connection:
        found = await subscriptions.list_subscriptions(connection, after=keys[0] if keys else None, limit=limit + 1)
    return page_of([subscription_view(one) for one in found], limit=limit, keys=lambda one: (one.subscription_id,))


async def read_deliveries(
    uow: UnitOfWork, subscription_id: UUID, *, state: str | None, about: UUID | None, cursor: str | None, limit: int
) -> Page[DeliveryView]:
    """Return a page of what was, or is to be, sent, oldest first. :raises NoSuchSubscription:"""
    (after,) = position(cursor, int) or (0,)
    async with uow.read() as connection:
        if await subscriptions.find_subscription(connection, subscription_id) is None:
            raise NoSuchSubscription(f"there is no subscription {subscription_id}")
        found = await subscriptions.list_deliveries(
            connection, subscription_id, state=state, about=about, after=after, limit=limit + 1
        )
        attempts = await subscriptions.attempts_of(connection, [one.delivery_id for one in found])
    views = [_delivery_view(one, attempts[one.delivery_id]) for one in found]
    return page_of(views, limit=limit, keys=lambda one: (one.delivery_id,))


def subscription_view(subscription: Subscription) -> SubscriptionView:
    """Show a subscription, without its secrets."""
    names = SubscriptionView.model_fields.keys() - {"previous_secret_until"}
    shown = {name: getattr(subscription, name) for name in names}
    return SubscriptionView(previous_secret_until=subscription.previous_until, **shown)


def _delivery_view(delivery: subscriptions.Delivery, attempts: list[subscriptions.Attempt]) -> DeliveryView:
    names = DeliveryView.model_fields.keys() - {"about", "attempts"}
    views = [PostAttemptView(**{name: getattr(one, name) for name in PostAttemptView.model_fields}) for one in attempts]
    return DeliveryView(
        about=delivery.aggregate_id, attempts=views, **{name: getattr(delivery, name) for name in names}
    )


def _check_scopes(caller: Principal, patterns: tuple[str, ...]) -> None:
    wanted = {
        event.producer for event in EVENTS.values() if event.name in OFFERED and is_event_wanted(patterns, event.name)
    }
    hidden = sorted(one.replace("_", "-") for one in wanted if not caller.has_scope(one, "read"))
    if hidden:
        raise BeyondScopes(f"these are events of {', '.join(hidden)}, which the scopes of this key do not let it read")


def _check(*, url: str | None, events: tuple[str, ...] | None, settings: Settings) -> None:
    faults = []
    if url is not None:
        try:
            check_url(url, allowed=allowed_networks(settings))
        except AddressRefused as error:
            faults.append(Fault("/url", str(error)))
    faults += check_patterns(events or (), names=OFFERED)
    if faults:
        raise InvalidInput("; ".join(fault.message for fault in faults), faults=faults)


async def _held(tx: Transaction, subscription_id: UUID) -> Subscription:
    held = await subscriptions.find_subscription(tx.connection, subscription_id, lock=True)
    if held is None:
        raise NoSuchSubscription(f"there is no subscription {subscription_id}")
    return held
