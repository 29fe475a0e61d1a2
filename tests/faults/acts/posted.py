"""What another system posts: signed, without a key, and sometimes twice."""

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from faults.accepted import Exchange
from faults.offices import Office
from faults.sending import present


async def post_alert(office: Office) -> None:
    """Post as another system does: signed, without a key, and sometimes twice."""
    fresh = not office.threads or office.draw.random() < 0.5
    thread = f"{office.name}-{len(office.threads) + 1}" if fresh else office.draw.choice(sorted(office.threads))
    kind = "new" if fresh else office.draw.choice(("new", "said", "done"))
    payload = {"id": thread, "kind": kind, "title": f"Alerta {thread}", "body": "98 %"}
    if fresh:
        payload["impact"] = office.draw.choice(("stopped", "degraded"))
    delivery = office.key()
    posted = await _post(office, f"hook:{kind}", payload, delivery)
    if office.draw.random() < 0.3:
        await _post(office, f"again:hook:{kind}", payload, delivery)
    if posted.is_accepted:
        item = posted.answer["items"][0]
        if fresh and item["ticket_id"]:
            office.threads[thread] = item["ticket_id"]
            ticket = await office.sender.read(f"/v1/tickets/{item['ticket_id']}", token=office.admin)
            await office.take_in(ticket)


async def _post(office: Office, action: str, payload: Any, delivery: str) -> Exchange:
    body = json.dumps(payload, ensure_ascii=False, sort_keys=True).encode()
    headers = signed(body, secret=office.hook["secret"], delivery=delivery, at=present())
    return await office.sender.send(
        action, "POST", office.hook["path"], payload, token=None, who="hook", headers=headers, not_yet=(401,)
    )


def signed(body: bytes, *, secret: str, delivery: str, at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks."""
    stamp = str(int(at.timestamp()))
    digest = hmac.digest(
        base64.b64decode(secret.removeprefix("whsec_")), f"{delivery}.{stamp}.".encode() + body, hashlib.sha256
    )
    mark = base64.b64encode(digest).decode()
    return {"webhook-id": delivery, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mark}"}
