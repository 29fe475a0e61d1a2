"""What a service process is told from outside, by environment variables that begin with `PLAZO_`."""

import base64
from ipaddress import ip_network
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one service process. A missing one stops the start, naming it."""

    model_config = SettingsConfigDict(env_prefix="PLAZO_", env_ignore_empty=True, extra="ignore")

    database_url: SecretStr = Field(description="PostgreSQL, as the role that row-level security confines to a desk")
    system_database_url: SecretStr = Field(description="PostgreSQL, as the role of relay, timers and key look-ups")
    nats_url: SecretStr = Field(description="NATS with JetStream, user and password within")
    operator_key: SecretStr = Field(min_length=16, description="the secret that creates desks")
    listen: str = Field(default="127.0.0.1:8000", description="host:port of the HTTP API")
    database_connections: int = Field(default=10, ge=2, le=200, description="connections a process may open")
    log_level: str = Field(default="info", description="debug, info, warning or error")
    smtp_url: SecretStr | None = Field(
        default=None,
        description="where e-mail is handed over: smtp://user:password@host:587 or smtps://…; without it messages are "
        "captured",
    )
    mail_sender: str | None = Field(
        default=None, pattern=r"^[^@\s]+@[^@\s]+$", description="the sender of e-mail whose policy names no address"
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+$",
        description="the one address as people reach it, for links in e-mail",
    )
    link_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="the secret that signs links in messages; else one from the operator key",
    )
    attachments_url: str | None = Field(
        default=None,
        pattern=r"^(file:///|s3://)",
        description="where attachments are kept: file:///folder, or s3://bucket/prefix?endpoint=https://host&region=x, "
        "with credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )
    attachment_max_bytes: int = Field(default=25_000_000, ge=1, le=250_000_000, description="the largest attachment")
    attachments_max_bytes: int = Field(default=100_000_000, ge=1, description="all attachments of a ticket together")
    attachment_types_refused: str = Field(
        default="", description="media types that are not taken, beside programs, with commas: video/*,text/html"
    )
    attachment_types_taken: str = Field(
        default="",
        description="the only media types that are taken, with commas: image/*,application/pdf; empty for all",
    )
    secrets_key: SecretStr | None = Field(
        default=None,
        description="keys that encrypt customers' secrets, newest first: id:base64 of 32 bytes, several with commas",
    )
    webhook_allowed_networks: str = Field(
        default="",
        description="networks of our own that webhooks may be sent to, also without https, with commas: 10.1.0.0/16",
    )
    mail_max_bytes: int = Field(
        default=35_000_000,
        ge=10_000,
        le=40_000_000,
        description="the largest e-mail that is taken in, attachments and all",
    )
    smtp_listen: str | None = Field(
        default=None,
        pattern=r"^\S+:[0-9]{1,5}$",
        description="host:port where `tickets` takes e-mail by SMTP; without it, nowhere",
    )
    smtp_certificate: str | None = Field(default=None, description="file of the certificate chain; offers STARTTLS")
    smtp_certificate_key: str | None = Field(default=None, description="file of the certificate's private key")
    oidc_issuer: str | None = Field(
        default=None,
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])",
        description="the OpenID Connect provider whose access tokens are accepted beside API keys",
    )
    oidc_audience: str | None = Field(default=None, description="the audience that such a token must name")
    oidc_jwks_url: str | None = Field(
        default=None,
        pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/])",
        description="where the provider's keys are; without it, where its own description says",
    )
    oidc_desk_claim: str = Field(default="plazo_desk", description="the claim that names the desk by its id")
    oidc_role_claim: str = Field(default="plazo_role", description="the claim that names the role, one or a list")
    oidc_customer_claim: str = Field(default="plazo_customer", description="the claim of a requester's customer id")
    oidc_contact_claim: str = Field(default="plazo_contact", description="the claim of a requester's contact id")
    requests_per_second_of_key: int = Field(
        default=300, ge=1, description="requests of one caller that a process answers a second, in the long run"
    )
    requests_per_second_of_desk: int = Field(
        default=1000, ge=1, description="requests of one desk that a process answers a second, in the long run"
    )
    request_burst_seconds: int = Field(
        default=20, ge=1, le=3600, description="how many seconds' worth of requests may come at once"
    )
    concurrent_requests: int = Field(
        default=1000, ge=1, description="requests that a process answers at once, streams included"
    )
    hsts_seconds: int = Field(
        default=0, ge=0, description="for how long browsers shall use https alone for this address; 0 says nothing"
    )
    event_replicas: int = Field(default=1, ge=1, le=5, description="copies of each event stream in the NATS cluster")

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls: type[Self], text: str) -> str:
        for part in filter(None, (one.strip() for one in text.split(","))):
            try:
                ip_network(part)
            except ValueError as error:
                raise ValueError(f"expected networks with commas between them, such as 10.1.0.0/16: {error}") from None
        return text

    # What a secret setting says is not repeated: its message goes to the log.
    @field_validator("secrets_key")
    @classmethod
    def _are_keys(cls: type[Self], keys: SecretStr | None) -> SecretStr | None:
        for part in keys.get_secret_value().split(",") if keys else ():
            encoded = part.strip().rpartition(":")[2]
            try:
                length = len(base64.b64decode(encoded, altchars=b"-_", validate=True))
            except ValueError:
                length = 0
            if length != 32:
                raise ValueError("expected id:key, the key being 32 bytes in base64; several with commas")
        return keys

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls: type[Self], url: SecretStr | None) -> SecretStr | None:
        try:
            parts = urlsplit(url.get_secret_value()) if url else None
            is_sound = parts is None or (parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and parts.port != 0)
        except ValueError:
            is_sound = False
        if not is_sound:
            raise ValueError("expected smtp://user:password@host:587 or smtps://user:password@host")
        return url
