"""Secrets that stand in files: `X_FILE` names the file that holds `X`, as what runs containers hands them out."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource


def read_secret(name: str) -> str | None:
    """Return the secret that the environment variable `name` holds, or the file that `<name>_FILE` names.

    The end of the file's last line is not part of it.

    :raises ValueError: if both are given, or the file cannot be read or is empty; never with what it holds
    """
    given, file = os.environ.get(name) or None, os.environ.get(f"{name}_FILE")
    if not file:
        return given
    if given is not None:
        raise ValueError(f"both {name} and {name}_FILE are set; expected one of them")
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"the file that {name}_FILE names cannot be read: {error.strerror or error}: {file}") from None
    except ValueError:  # also what the decoder would repeat
        raise ValueError(f"the file that {name}_FILE names is not text in UTF-8: {file}") from None
    if not secret:
        raise ValueError(f"the file that {name}_FILE names is empty: {file}")
    return secret


def read_secrets(names: Iterable[str]) -> dict[str, str]:
    """Return those of some secrets that are given, by name. :raises ValueError: as :func:`read_secret`"""
    return {name: secret for name in names if (secret := read_secret(name)) is not None}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a secret that could not be read, until the settings are validated and name it with other faults."""

    reason: str


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the secret settings that are in files."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of a setting, if it is a secret and a file is named for it."""
        name = f"{self.config['env_prefix']}{field_name}".upper()
        if SecretStr not in {field.annotation, *get_args(field.annotation)} or not os.environ.get(f"{name}_FILE"):
            return None, field_name, False
        try:
            return read_secret(name), field_name, False
        except ValueError as error:
            return Unreadable(str(error)), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what was found."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}
