"""What a service process is told from outside, by environment variables that begin with `PLAZO_`.

A secret may stand in a file instead, which `PLAZO_…_FILE` names.
"""

import base64
import ssl
from ipaddress import ip_network
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from plazo.runtime.secret_files import SecretFiles, Unreadable, read_secrets
from plazo.runtime.tls import require_postgres_tls, trusting

OBJECT_STORE_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Settings(BaseSettings):
    """The settings of one service process. A missing one stops the start, naming it."""

    model_config = SettingsConfigDict(
        env_prefix="PLAZO_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr = Field(description="PostgreSQL, as the role that row-level security confines to a desk")
    system_database_url: SecretStr = Field(description="PostgreSQL, as the role of relay, timers and key look-ups")
    nats_url: SecretStr = Field(description="NATS with JetStream, user and password within; tls:// insists on TLS")
    nats_ca: str | None = Field(
        default=None, description="file of the certificates that NATS's must come from; else the system's"
    )
    nats_certificate: str | None = Field(default=None, description="file of the certificate chain we show to NATS")
    nats_certificate_key: str | None = Field(
        default=None, validate_default=True, description="file of that certificate's private key"
    )
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
    oidc_name_claim: str = Field(
        default="name,email",
        description="the claims that name a person, with commas: the first that a token has, else its subject; "
        "secrets are shown to the agent so named, so the provider lets nobody choose them",
    )
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
    concurrent_requests_of_one: int = Field(
        default=500, ge=1, description="how many of them may be one desk's, or come from one address"
    )
    concurrent_requests_of_key: int = Field(default=125, ge=1, description="how many of them may be one caller's")
    streams_of_key: int = Field(default=10, ge=1, description="streams that one caller may have open at a process")
    streams_of_desk: int = Field(default=200, ge=1, description="streams that one desk may have open at a process")
    refusals_per_second_of_address: int = Field(
        default=5,
        ge=1,
        description="requests without a valid key that one address may make a second, in the long run",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1,::1",
        description="addresses and networks whose X-Forwarded-For is believed, with commas: those of the gateway",
    )
    hsts_seconds: int = Field(
        default=0, ge=0, description="for how long browsers shall use https alone for this address; 0 says nothing"
    )
    event_replicas: int = Field(default=1, ge=1, le=5, description="copies of each event stream in the NATS cluster")

    def nats_tls(self) -> ssl.SSLContext | None:
        """Return what checks NATS's certificate, if the address asks for TLS."""
        if not self.nats_url.get_secret_value().startswith("tls://"):
            return None
        return trusting(authority=self.nats_ca, certificate=self.nats_certificate, key=self.nats_certificate_key)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as the library calls it; we read none
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Say where settings come from: who makes them, files of secrets, the environment."""
        return init_settings, SecretFiles(settings_cls), env_settings

    # The first of all: a secret that could not be read is a fault of its setting.
    @field_validator("*", mode="before")
    @classmethod
    def _is_read(cls: type[Self], value: Any) -> Any:
        if isinstance(value, Unreadable):
            raise ValueError(value.reason)  # noqa: TRY004 - it is the value that is wrong
        return value

    @field_validator("database_url", "system_database_url")
    @classmethod
    def _is_postgres(cls: type[Self], url: SecretStr) -> SecretStr:
        if not _is_address(url.get_secret_value(), "postgresql", "postgres"):
            raise ValueError("expected postgresql://user:password@host:5432/database, with / in a password as %2F")
        require_postgres_tls(url.get_secret_value())
        return url

    @field_validator("nats_url")
    @classmethod
    def _is_nats(cls: type[Self], url: SecretStr) -> SecretStr:
        if not _is_address(url.get_secret_value(), "nats", "tls"):
            raise ValueError("expected nats://user:password@host:4222, or tls://… for TLS")
        return url

    @field_validator("nats_ca", "nats_certificate", "nats_certificate_key")
    @classmethod
    def _is_for_tls(cls: type[Self], file: str | None, info: ValidationInfo) -> str | None:
        url = info.data.get("nats_url")
        if file is not None and url is not None and not url.get_secret_value().startswith("tls://"):
            raise ValueError("expected PLAZO_NATS_URL to begin with tls:// where certificates are given")
        return file

    @field_validator("nats_certificate_key")
    @classmethod
    def _fit_together(cls: type[Self], key: str | None, info: ValidationInfo) -> str | None:
        authority, certificate = info.data.get("nats_ca"), info.data.get("nats_certificate")
        if key is not None and certificate is None:
            raise ValueError("expected PLAZO_NATS_CERTIFICATE too")
        trusting(authority=authority, certificate=certificate, key=key)
        return key

    @field_validator("attachments_url")
    @classmethod
    def _has_credentials(cls: type[Self], url: str | None) -> str | None:
        if url is not None and url.startswith("s3:"):
            read_secrets(OBJECT_STORE_SECRETS)
        return url

    @field_validator("webhook_allowed_networks", "trusted_proxies")
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
        if url is not None and not _is_address(url.get_secret_value(), "smtp", "smtps"):
            raise ValueError("expected smtp://user:password@host:587 or smtps://user:password@host")
        return url


def _is_address(url: str, *schemes: str) -> bool:
    """Tell whether `url` names a host. The parser's own errors would repeat a part of it."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
