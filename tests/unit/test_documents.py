"""How the pages of the documents are read and compared (``tests/documents``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documents.interpreter import Failed, Interpreter
from tests.documents.page import read
from tests.documents.run import Shown, run
from tests.documents.shell import Ended, Shell, commands

PAGE = """\
# A page: `with` code

<!-- python
number = 1
-->
## Its parts

```python
print(number + 1)
```

```text
2
```

<!-- not run: it never ends -->
```console
$ sleep infinity
```

## A page with code

[one](#its-parts) ![two](picture.svg) <a href="three.md">three</a>, `make demo`

<!-- on: servers -->
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, "utf-8")
    return path


def test_what_a_page_has(page: Path) -> None:
    found = read(page)
    assert [(block.kind, block.line, block.hidden, block.not_run) for block in found.blocks] == [
        ("python", 4, True, None),
        ("python", 9, False, None),
        ("text", 13, False, None),
        ("console", 18, False, "it never ends"),
    ]
    assert found.blocks[1].prints is found.blocks[2]
    assert found.anchors == ["a-page-with-code", "its-parts", "a-page-with-code-1"]
    assert found.links == ["#its-parts", "picture.svg", "three.md"]
    assert found.code == ["with", "make demo"]
    assert found.servers_configured


def test_blocks_share_a_namespace(page: Path, tmp_path: Path) -> None:
    page.write_text(PAGE.replace("<!-- on: servers -->", ""), "utf-8")
    assert [(one.shown, one.printed, one.line) for one in run(read(page), tmp_path)] == [(["2"], ["2"], 13)]


@pytest.mark.parametrize(
    ("shown", "printed", "agrees"),
    [
        ("a  b\n────", "a b\n───────", True),
        ("\na\n", "a", True),
        ("a", "b", False),
        ("a", "a\nb", False),
        ("took ... s", "took 0.3 s", True),
        ("took ... s", "took 0.3 h", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("a\n...", "a\nb\nc", True),
        ("a\n...\nd", "a\nb", False),
        (".", "x", False),
    ],
)
def test_what_agrees(shown: str, printed: str, agrees: bool) -> None:
    assert Shown("", 1, shown.split("\n"), printed.split("\n")).agrees == agrees


def test_commands_and_what_they_show() -> None:
    found = commands("$ one \\\n    --more\n$ two\nshown\n\nmore\n")
    assert [(one.text, one.shows, one.line) for one in found] == [
        ("one \\\n    --more", [], 0),
        ("two", ["shown", "", "more"], 2),
    ]
    with pytest.raises(Ended):
        commands("one\n$ two\n")


def test_a_shell_keeps_its_folder_and_variables(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"PATH": "/usr/bin:/bin"})
    shell.run("mkdir inside && cd inside")
    shell.run("export WORD='two words'")
    assert shell.run('echo "$WORD in ${PWD##*/}"') == "two words in inside\n"


def test_a_command_ends_as_its_page_says(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"PATH": "/usr/bin:/bin"})
    assert shell.run("echo no >&2; false # exits with 1") == "no\n"
    with pytest.raises(Ended, match="exit code 1, not 0"):
        shell.run("false")
    with pytest.raises(Ended, match="exit code 0, not 1"):
        shell.run("true # exits with 1")
    with pytest.raises(Ended, match="no-such-target"):
        shell.run("make no-such-target")


def test_an_interpreter_says_what_went_wrong(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with pytest.raises(Failed, match=r'File "page.md", line 3'), Interpreter(tmp_path, environment) as interpreter:
        interpreter.run("\n\n1 / 0\n", "page.md")
    with pytest.raises(Failed, match="ResourceWarning"), Interpreter(tmp_path, environment) as interpreter:
        interpreter.run("import socket\nleft = socket.socket()\n", "page.md")
