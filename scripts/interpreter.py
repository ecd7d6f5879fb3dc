"""
Which Python runs the scripts.

Whatever ``python3`` is has to read this file and those that import it first, so
their syntax is that of Python 3.6.
"""

import os
import re
import subprocess
import sys

OLDEST = (3, 11)
PYENV = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")


def choose():
    """Go on in this Python if it is new enough, else in the newest that is found."""
    if sys.version_info >= OLDEST:
        return
    for version, program in installed():
        if version >= OLDEST and works(program, version):
            os.execv(program, [program, *sys.argv])
    needed, this = ("{}.{}".format(*version) for version in (OLDEST, sys.version_info))
    sys.exit(
        f"Python {needed} or newer is needed. This is {this}, and no newer was found.\n"
        f"On Debian and Ubuntu: apt-get install python{needed} python{needed}-venv"
    )


def find(version):
    """Return the path of a Python of exactly that *version*, (3, 12), or None."""
    for found, program in installed():
        if found == version and works(program, version):
            return program
    return None


def installed(path=None, pyenv=PYENV):
    """
    Return (version, program) of each Python 3 on *path* or under *pyenv*.

    Newest first; of the same version, those on the path first. The version is what
    the name says: see works().
    """
    found = []
    for directory in (os.environ.get("PATH", "") if path is None else path).split(":"):
        for name in sorted(entries(directory)):
            match = re.match(r"python3\.(\d+)$", name)
            if match:
                found.append(((3, int(match.group(1))), os.path.join(directory, name)))
    versions = os.path.join(pyenv, "versions")
    for name in sorted(entries(versions)):
        match = re.match(r"3\.(\d+)\.\d+$", name)
        if match:
            program = os.path.join(versions, name, "bin", "python3")
            found.append(((3, int(match.group(1))), program))
    return sorted(found, key=lambda item: item[0], reverse=True)


def entries(directory):
    try:
        return os.listdir(directory)
    except OSError:  # PATH may name what is not there, or not ours to read
        return []


def works(program, version):
    """Whether *program* runs and has *version*; a shim of pyenv may not."""
    code = f"import sys; sys.exit(sys.version_info[:2] != {version})"
    try:
        return subprocess.call([program, "-c", code], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False
