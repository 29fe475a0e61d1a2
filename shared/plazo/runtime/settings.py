"""What a service process is told from outside, by environment variables that begin with `PLAZO_`."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The settings of one service process. A missing one stops the start, naming it."""

    model_config = SettingsConfigDict(env_prefix="PLAZO_", extra="ignore")

    database_url: SecretStr = Field(description="PostgreSQL, as the role that row-level security confines to a desk")
    system_database_url: SecretStr = Field(description="PostgreSQL, as the role of relay, timers and key look-ups")
    nats_url: SecretStr = Field(description="NATS with JetStream, user and password within")
    operator_key: SecretStr = Field(min_length=16, description="the secret that creates desks")
    listen: str = Field(default="127.0.0.1:8000", description="host:port of the HTTP API")
    database_connections: int = Field(default=10, ge=2, le=200, description="connections a process may open")
    log_level: str = Field(default="info", description="debug, info, warning or error")
    event_replicas: int = Field(default=1, ge=1, le=5, description="copies of each event stream in the NATS cluster")
