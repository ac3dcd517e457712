"""The shell of a page: its commands go to bash one after the other, and share a folder and an environment."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLIENTS = {"mongodump", "mongorestore", "mongosh", "mysql", "mysqldump"}
"""Programs of the servers: their commands are run where they are installed, and parsed where they are not."""
_STATUS = re.compile(r" # exits with (\d+)$")
_KEEP = 'trap \'{ export -p; printf "cd %q\\n" "$PWD"; } > "$STATE"\' EXIT; [ ! -f "$STATE" ] || . "$STATE" > /dev/null'
_OF_A_MAKE_ABOVE = ("ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")


class Ended(Exception):
    """A command ended otherwise than its page says."""


@dataclass
class Command:
    """A command of a console block, with the lines that the page shows below it; ``line`` counts within the block."""

    text: str
    shows: list[str]
    line: int


def commands(block: str) -> list[Command]:
    """The commands of a console block. A line that ends with a backslash goes on in the next one."""
    found: list[Command] = []
    continued = False
    for number, line in enumerate(block.splitlines()):
        if line.startswith("$ ") and not continued:
            found.append(Command(line[2:], [], number))
        elif continued:
            found[-1].text += f"\n{line}"
        elif found:
            found[-1].shows.append(line)
        else:
            raise Ended(f"a console block begins with a command: {line}")
        continued = line.endswith("\\") and (continued or line.startswith("$ "))
    return found


class Shell:
    """Bash in a folder."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self._folder = folder
        self._environment = {**environment, "STATE": str(folder / ".shell")}

    def run(self, command: str) -> str:
        """What a command prints: on stdout, or on stderr where it is meant to fail. Raises Ended."""
        if not self._here(command):
            self._bash("-n", "-c", command)
            return ""
        words = shlex.split(command, comments=True)
        if words and words[0] == "make":
            return self._make(words[1:])
        return self._bash(
            "-c", f"{_KEEP}\n{command}", expected=int(found[1]) if (found := _STATUS.search(command)) else 0
        )

    def _make(self, arguments: list[str]) -> str:
        """What the target would run, of which only commands of the library are run, in this shell."""
        alone = {name: value for name, value in os.environ.items() if name not in _OF_A_MAKE_ABOVE}
        planned = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=alone, capture_output=True, text=True)
        if planned.returncode:
            raise Ended(f"make {' '.join(arguments)}: {planned.stderr}")
        last = planned.stdout.rstrip().rpartition("\n")[2]
        program, _, rest = last.partition("platform-store ")
        return self.run(f"platform-store {rest}") if program == ".venv/bin/" else ""

    def _bash(self, *arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            ["bash", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != expected:
            raise Ended(f"{arguments[-1]}\nexit code {done.returncode}, not {expected}\n{done.stdout}{done.stderr}")
        return done.stderr if expected not in (0, 3) else done.stdout  # stderr also shows progress, which is of no page

    @staticmethod
    def _here(command: str) -> bool:
        """Whether the programs of the servers that a command names are installed."""
        named = re.findall(r"(?:^|[|;&(])\s*([\w-]+)", command)
        return all(shutil.which(program) for program in CLIENTS.intersection(named))
