# SPDX-License-Identifier: Apache-2.0
"""python -m cnnfreeze SUBCOMMAND ...: the command `cnnfreeze`, the one of the package before the one on the PATH."""
import os
import shutil
import sys

from . import version
from ._library import lib


def _command():
    """CNNFREEZE_COMMAND, else the package's own, else the one on the PATH."""
    # Taken out: when it names this very script, the next turn finds the package's own.
    named = os.environ.pop("CNNFREEZE_COMMAND", None)
    inside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "cnnfreeze")
    return named or (inside if os.path.exists(inside) else shutil.which("cnnfreeze"))


def main():
    if sys.argv[1:] == ["--version"]:
        print(f"cnnfreeze {version()} ({lib.path})")
        return 0
    command = _command()
    if not command:
        print("python -m cnnfreeze: the command 'cnnfreeze' is not on the PATH, and CNNFREEZE_COMMAND does not name it",
              file=sys.stderr)
        return 127
    os.execv(command, [command, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
