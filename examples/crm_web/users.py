"""Who may sign in: a YAML file of logins, roles and hashes of passwords."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from typing import Any, Final

import yaml

from crm_model.entities import Operator
from examples.crm_web.roles import Role

_log = logging.getLogger("crm_web")
_COST, _BLOCK, _LANES = 2**15, 8, 1
_MEMORY: Final = 2**26
"""Bytes that one hash may take: twice what it needs at this cost."""
_AT_ONCE: Final = 2
"""Hashes that are made at the same time, as each takes so much memory."""
_NOBODY: Final = "scrypt$" + "0" * 32 + "$" + "0" * 64
LONGEST_PASSWORD: Final = 256


class UsersError(Exception):
    """The users file cannot be used; the message says why, and names the file."""


@dataclass(frozen=True)
class User:
    """Someone who may sign in. operator_id: the operator they are in the CRM; hash: of the password."""

    login: str
    name: str
    operator_id: int
    role: Role
    hash: str

    @property
    def mark(self) -> str:
        """Changes with the password, so that a session from before it ends."""
        return hashlib.sha256(self.hash.encode()).hexdigest()[:16]


class Users:
    """All of them, by login."""

    def __init__(self, users: Iterable[User]):
        self._users = {user.login: user for user in users}
        self._hashing = Semaphore(_AT_ONCE)

    def __iter__(self) -> Iterator[User]:
        return iter(self._users.values())

    def get(self, login: str) -> User | None:
        """A user, or None."""
        return self._users.get(login)

    def check(self, login: str, password: str) -> User | None:
        """The user whose password it is, or None. An unknown login takes as long as a wrong password."""
        user = self.get(login)
        with self._hashing:
            right = _matches(user.hash if user else _NOBODY, password)
        return user if right else None


class UsersFile(Users):
    """Those of a file, which is read again when it changes: who is removed, or gets another password, is signed out.

    A file that cannot be used then is logged, and those before stay. Raises UsersError, OSError at the start.
    """

    def __init__(self, path: Path):
        self._path, self._read = path, _stamp(path)
        super().__init__(load_users(path))

    def get(self, login: str) -> User | None:
        """A user as the file has them now, or None."""
        try:
            stamp = _stamp(self._path)
            if stamp != self._read:
                self._read = stamp
                self._users = {user.login: user for user in load_users(self._path)}
        except (UsersError, OSError) as error:
            _log.error("the users stay as they are: %s", error)
        return super().get(login)


def hashed(password: str) -> str:
    """A salted hash of a password, as the file holds it."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"


def load_users(path: Path) -> Users:
    """Reads a users file. Raises UsersError."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        users = [_user(one) for one in given["users"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise UsersError(f"{path}: it is no users file; remove it, and a new one is made") from error
    return Users(users)


def make_users(path: Path, operators: Iterable[tuple[Operator, Role]]) -> dict[str, str]:
    """Writes a users file (mode 0600) for operators. Returns their passwords by login; they are kept nowhere."""
    passwords, users = {}, []
    for operator, role in operators:
        passwords[operator.login] = secrets.token_urlsafe(9)
        users.append(
            {
                "login": operator.login,
                "name": operator.name,
                "operator_id": operator.id,
                "role": role.value,
                "password": hashed(passwords[operator.login]),
            }
        )
    write_secret(path, yaml.safe_dump({"users": users}, allow_unicode=True, sort_keys=False))
    return passwords


def write_secret(path: Path, text: str) -> None:
    """Writes a new file that only its owner may read. Raises FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def secret_key(path: Path) -> str:
    """The key in a file, which is made (mode 0600) where it is not there."""
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8")


def _stamp(path: Path) -> tuple[int, int, int]:
    """Another one when the file has changed."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _user(given: Mapping[str, Any]) -> User:
    login, name, password = (str(given[field]) for field in ("login", "name", "password"))
    return User(login, name, int(given["operator_id"]), Role(given["role"]), password)


def _matches(hash_: str, password: str) -> bool:
    _, salt, digest = hash_.split("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(digest))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=32)
