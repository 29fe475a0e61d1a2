"""The few HTML pages: no scripts, nothing from elsewhere, every value escaped."""

import base64
import hashlib
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0a6; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
header { display: flex; gap: 1rem; align-items: center; justify-content: space-between; flex-wrap: wrap;
  margin-bottom: 1rem; }
header h1 { margin: 0; }
a { color: inherit; text-underline-offset: .2em; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-size: .8rem; font-weight: 600; opacity: .75; }
td { overflow-wrap: anywhere; }
.when { white-space: nowrap; font-variant-numeric: tabular-nums; }
.state { display: inline-block; padding: 0 .5rem; border: 1px solid var(--line); border-radius: 1rem;
  font-size: .85rem; }
.failed, .dead { border-color: #c33; color: #c33; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1rem; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; padding: 1rem; border: 1px solid var(--line);
  border-radius: .5rem; background: var(--soft); }
label { display: block; margin-bottom: .25rem; }
input { font: inherit; padding: .5rem .6rem; width: min(32rem, 100%); border: 1px solid var(--line);
  border-radius: .4rem; }
button { font: inherit; padding: .5rem 1.1rem; border: 0; border-radius: .4rem; background: var(--accent);
  color: #fff; cursor: pointer; }
button.quiet { background: none; color: inherit; border: 1px solid var(--line); }
form { margin: 1rem 0; } header form { margin: 0; } form p { margin: .75rem 0; }
.state { white-space: nowrap; }
@media (max-width: 40rem) {
  tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  td { display: block; padding: .1rem 0; border: 0; }
  tr:has(th), .wide { display: none; }
}
"""

_PAGES = {
    "page": """<!doctype html>
<html lang="{{ language }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}Plazo{% endblock %}</title><style>{{ style }}</style></head>
<body>{% block body %}{% endblock %}</body>
</html>
""",
    "login": """{% extends "page" %}{% block title %}Mailbox{% endblock %}{% block body %}
<h1>Mailbox</h1>
{% if complaint %}<p role="alert">{{ complaint }}</p>{% endif %}
<form method="post" action="/v1/mailbox">
<label for="key">API key of the desk</label>
<input id="key" name="key" type="password" autocomplete="off" required autofocus placeholder="plz_…">
<p><button>Open</button></p>
</form>
{% endblock %}""",
    "mailbox": """{% extends "page" %}{% block title %}Mailbox{% endblock %}{% block body %}
<header><h1>{% if to %}<a href="/v1/mailbox">Mailbox</a> of {{ to }}{% else %}Mailbox{% endif %}</h1>
<form method="post" action="/v1/mailbox/closings"><button class="quiet">Leave</button></form></header>
{% if messages %}<table>
<tr><th>When (UTC)</th><th>To</th><th>Subject</th><th class="wide">Template</th><th>State</th></tr>
{% for one in messages %}<tr>
<td class="when">{{ one.queued_at.strftime("%Y-%m-%d %H:%M") }}</td>
<td>{% if one.to %}<a href="/v1/mailbox?to={{ one.to|urlencode }}">{{ one.to }}</a>
{% else %}{{ one.role }}{% endif %}</td>
<td><a href="/v1/mailbox/{{ one.message_id }}">{{ one.subject }}</a></td>
<td class="wide">{{ one.template }}</td>
<td><span class="state {{ one.state }}">{{ one.state }}</span></td>
</tr>{% endfor %}
</table>{% else %}<p>Nobody has been told anything yet.</p>{% endif %}
{% if older %}
<p><a href="/v1/mailbox?before={{ older }}{% if to %}&amp;to={{ to|urlencode }}{% endif %}">Older</a></p>
{% endif %}
{% endblock %}""",
    "message": """{% extends "page" %}{% block title %}{{ one.subject }}{% endblock %}{% block body %}
<header><p><a href="/v1/mailbox">Mailbox</a></p></header>
<h1 lang="{{ one.language }}">{{ one.subject }}</h1>
<dl>
<dt>To</dt><dd>{{ one.to or "nobody" }} ({{ one.role }})</dd>
<dt>By</dt><dd>{{ one.channel }}</dd>
<dt>State</dt><dd><span class="state {{ one.state }}">{{ one.state }}</span>
{% if one.failure %}{{ one.failure }}{% endif %}</dd>
<dt>Written</dt><dd class="when">{{ one.queued_at.strftime("%Y-%m-%d %H:%M") }} UTC</dd>
{% if one.sent_at %}<dt>Sent</dt><dd class="when">{{ one.sent_at.strftime("%Y-%m-%d %H:%M") }} UTC</dd>{% endif %}
<dt>Because of</dt><dd>{{ one.event }}{% if one.clauses %}, {{ one.clauses|join(", ") }}{% endif %}</dd>
{% if one.digest_id %}<dt>Told in</dt><dd><a href="/v1/mailbox/{{ one.digest_id }}">a digest</a></dd>{% endif %}
{% if one.note %}<dt>Note</dt><dd>{{ one.note }}</dd>{% endif %}
</dl>
<pre lang="{{ one.language }}">{{ one.body }}</pre>
{% if one.acknowledge_path %}<p><a href="{{ one.acknowledge_path }}">Acknowledge</a></p>{% endif %}
{% endblock %}""",
    "acknowledge": """{% extends "page" %}{% block title %}{{ words.title }}{% endblock %}{% block body %}
<h1>{{ subject }}</h1>
{% if open %}<p>{{ words.question }}</p>
<form method="post"><button>{{ words.button }}</button></form>
{% else %}<p role="status">{{ words.done }}</p>{% endif %}
{% endblock %}""",
    "notice": """{% extends "page" %}{% block title %}{{ title }}{% endblock %}{% block body %}
<h1>{{ title }}</h1><p>{{ text }}</p>
{% endblock %}""",
}

_JINJA = Environment(loader=DictLoader(_PAGES), autoescape=True, undefined=StrictUndefined)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


def page(name: str, *, status: int = 200, language: str = "en", **values: Any) -> HTMLResponse:
    """Return a page."""
    # The style is ours and must stay as it is: the browser is told its hash.
    html = _JINJA.get_template(name).render(style=Markup(_STYLE), language=language, **values)  # noqa: S704  # as said
    return HTMLResponse(html, status_code=status, headers=HEADERS)
