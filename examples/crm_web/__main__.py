"""Serves the application: on an embedded pair with sample data, or on the servers that are named."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import uvicorn

from crm_model import Crm, upgrade
from crm_model.entities import Operator
from crm_model.sample import SIZES, load
from examples.crm_web.app import create_app
from examples.crm_web.choices import WORKING
from examples.crm_web.roles import Role
from examples.crm_web.settings import Settings
from examples.crm_web.users import Users, UsersError, UsersFile, make_users, secret_key
from platform_store import Platform, PlatformStoreError

FIRST_USERS: Final = (
    (Role.MANAGER, "主管 manager", "主管"),
    (Role.SALES, "客户经理 sales", "客户经理"),
    (Role.SERVICE, "客服 service", "客户经理"),
)
"""Made at the first start: a role here, what it is called, and the role of the operator who gets it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the server until it is interrupted."""
    options = _parser().parse_args(arguments)
    try:
        with ExitStack() as stack:
            options.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            platform = stack.enter_context(_opened(options))
            prepare(platform, sample=options.sample or not _real(options))
            users = options.data / "users.yaml"
            passwords = {} if users.exists() else make_users(users, first_users(platform))
            loaded = UsersFile(users)
            _tell(loaded, passwords, users)
            settings = Settings(loaded, secret_key(options.data / "session.key"), zone=ZoneInfo(options.zone))
            app = create_app(platform, settings)
            print(f"http://{options.host}:{options.port}   (Ctrl-C ends it)", flush=True)
            proxy = options.trust_proxy
            uvicorn.run(app, host=options.host, port=options.port, log_level="warning", forwarded_allow_ips=proxy)
    except (PlatformStoreError, UsersError, OSError, ZoneInfoNotFoundError) as error:
        raise SystemExit(f"crm_web: {error}") from error


def prepare(platform: Platform, *, sample: bool) -> None:
    """The tables of the CRM as it is now, with sample data where they are wanted and nobody works here yet."""
    upgrade(platform)  # what an older version of the CRM has left is kept
    if sample and not Crm(platform, 0).find(Operator, {}, limit=1):
        print("loading sample data: 3,000 customers; some seconds")
        load(platform, SIZES["S"])


def first_users(platform: Platform) -> Iterator[tuple[Operator, Role]]:
    """An operator for each role. Raises UsersError where nobody works here."""
    taken: set[int] = set()
    for role, _, title in FIRST_USERS:
        found = Crm(platform, 0).find(Operator, {"role": title, "status": WORKING}, limit=len(FIRST_USERS))
        operator = next((one for one in found if one.id not in taken), None)
        if operator is not None:
            taken.add(operator.id)
            yield operator, role
    if not taken:
        raise UsersError("nobody works here: add operators (platform-store crm-import operator), or give --sample")


def _opened(options: argparse.Namespace) -> Platform:
    if options.config:
        return Platform.open(options.config)
    if _real(options):
        return Platform.open(mysql=options.mysql, mongodb=options.mongodb)
    return Platform.embedded(options.data / "crm.db")


def _real(options: argparse.Namespace) -> bool:
    return bool(options.config or options.mysql or options.mongodb)


def _tell(users: Users, passwords: dict[str, str], path: Path) -> None:
    """Who may sign in; the passwords, where they have just been made."""
    print("Sign in as one of these:")
    for user in users:
        title = next(title for role, title, _ in FIRST_USERS if role == user.role)
        print(f"  {user.login:8}  {passwords.get(user.login, ''):12}  {title:13} {user.name}".rstrip())
    if passwords:
        print(f"The passwords are shown this once; {path} has their hashes.")
    else:
        print(f"Their passwords were shown when {path} was made; remove it, and there are new ones.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.crm_web", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--trust-proxy",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="of the proxy in front, whose X-Forwarded-For says who asks; without it all its users count as one",
    )
    parser.add_argument("--config", metavar="FILE", help="real servers: the configuration of platform_store")
    parser.add_argument("--mysql", metavar="URL", help="real servers, with --mongodb")
    parser.add_argument("--mongodb", metavar="URL")
    parser.add_argument("--sample", action="store_true", help="load sample data on real servers too, if they are empty")
    parser.add_argument("--data", type=Path, default=Path(".crm_web"), metavar="DIR", help="users, keys, embedded pair")
    parser.add_argument("--zone", default="Asia/Shanghai", metavar="NAME", help="of the moments in the pages")
    return parser


if __name__ == "__main__":
    main()
