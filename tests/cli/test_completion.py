"""Completion, in the shells themselves: what comes out where a person presses Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from support.tools import program
from u2net.cli import cli

# What a shell runs when Tab is pressed, without its line editor: the script's own function over the words so far.
BASH = """
compopt() {{ echo FILES; }}
eval "$(u2net completion bash)"
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
$(complete -p u2net | sed 's/.*-F \\([^ ]*\\).*/\\1/') u2net
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
ZSH = """
compdef() {{ }}
_path_files() {{ print -r -- FILES }}
compadd() {{ print -rl -- ${{(P)5}} }}
_describe() {{ print -rl -- ${{(P)3}} }}
eval "$(u2net completion zsh)"
words=({words}); CURRENT=$#words
_u2net_completion
"""
FISH = """
u2net completion fish | source
complete -C "{line}"
"""


def completed(shell: str, line: str, folder: Path) -> list[str]:
    """The words that a shell offers after `line`, whose last word is unfinished."""
    words = " ".join(f"'{word}'" for word in line.split(" "))
    script = {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].format(words=words, line=line)
    # `u2net` itself: the console script may be of another checkout.
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/u2net").write_text(f"#!{sys.executable}\nimport sys\nfrom u2net.cli import main\nmain()\n")
    (folder / "bin/u2net").chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(folder)}
    command = [program(shell, package=shell), *(["-f"] if shell == "zsh" else []), "-c", script]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert not result.stderr, result.stderr
    # zsh separates a word from its help by a colon, fish by a tab.
    return [word.split("\t")[0].split(":")[0] for word in result.stdout.split("\n") if word]


@pytest.mark.skipif(os.name == "nt", reason="no such shells")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completes_commands_options_and_values(shell: str, tmp_path: Path) -> None:
    assert completed(shell, "u2net sal", tmp_path) == ["saliency"]
    assert completed(shell, "u2net --version sal", tmp_path) == ["saliency"]
    assert completed(shell, "u2net remove --backg", tmp_path) == ["--background"]
    assert sorted(completed(shell, "u2net remove --device c", tmp_path)) == ["coreml", "cpu", "cuda"]
    assert completed(shell, "u2net remove --model u2netp", tmp_path) == ["u2netp"]
    assert completed(shell, "u2net models rm sil", tmp_path) == ["silueta"]


@pytest.mark.skipif(os.name == "nt", reason="no such shells")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completes_names_of_pictures(shell: str, tmp_path: Path) -> None:
    (tmp_path / "kitten.jpg").touch()
    offered = completed(shell, "u2net remove kit", tmp_path)
    # bash and zsh are told to complete a file themselves, which they do in their line editor alone.
    assert offered == {"bash": ["FILES"], "zsh": ["FILES"], "fish": ["kitten.jpg"]}[shell]


def test_other_shells_are_refused_with_those_that_work() -> None:
    result = CliRunner().invoke(cli, ["completion", "tcsh"])
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr
