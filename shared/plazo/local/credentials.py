"""The passwords of a data folder: made once, kept in one file only its owner reads."""

import base64
import hashlib
import json
import secrets
from pathlib import Path

from plazo.local.errors import LocalStackError


class Credentials:
    """Named secrets in `data/secrets.json` (mode 0600), each made when first asked for and kept ever after."""

    def __init__(self, data: Path) -> None:
        """Read the file of `data` if there is one. :raises LocalStackError: if it is not what we wrote."""
        self._file = data / "secrets.json"
        self._known = self._read()

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def get(self, name: str) -> str:
        """Return the secret called `name`, making and saving it the first time.

        It begins with a letter and holds only letters, digits, `-` and `_`: safe in URLs and in every file format.
        """
        if name not in self._known:
            self._known = self._read()  # another reader of the same folder may have added to it
        if name not in self._known:
            self._known[name] = "p" + secrets.token_urlsafe(32)
            self._save()
        return self._known[name]

    def encryption_key(self, name: str) -> str:
        """Return 32 bytes called `name` in base64, behind a name of their own, made and saved the first time."""
        return "local:" + base64.b64encode(hashlib.sha256(self.get(name).encode()).digest()).decode()

    def _read(self) -> dict[str, str]:
        if not self._file.exists():
            return {}
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
            if not isinstance(known, dict):
                raise TypeError("not a JSON object")
        except (OSError, ValueError, TypeError) as failed:
            raise LocalStackError(
                f"cannot read the passwords in {self._file} ({failed}): restore it, "
                f"or remove {self._file.parent} to begin anew"
            ) from failed
        return known

    def _save(self) -> None:
        draft = self._file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(self._known, indent=2), encoding="utf-8")
        draft.replace(self._file)
