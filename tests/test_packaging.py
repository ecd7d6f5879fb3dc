"""What somebody gets who installs the distribution."""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version

import pytest

from .servers import ROOT, missing
from .test_layers import ROOT as PACKAGE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel's file names, built offline from a copy of the repository."""
    if int(version("setuptools").partition(".")[0]) < 77:
        missing("setuptools 77", "pip install -r requirements.txt")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("notifications", "project", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps",
         "--no-index", "--quiet", "--wheel-dir", source / "dist", source],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    [path] = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return [name for name in archive.namelist() if not name.endswith("/")]


def test_the_wheel_holds_the_app_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"notifications"}


def test_the_wheel_holds_every_file_of_the_app(wheel):
    expected = {
        f"notifications/{path.relative_to(PACKAGE).as_posix()}"
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert expected <= set(wheel)


def test_the_wheel_holds_what_is_not_python(wheel):
    inside = "\n".join(wheel)

    assert "notifications/py.typed" in wheel
    assert "notifications/migrations/0001_initial.py" in wheel
    assert "notifications/templates/notifications/" in inside
    assert "notifications/static/notifications/js/" in inside
    assert "notifications/static/notifications/css/" in inside
    assert "notifications/locale/ar/LC_MESSAGES/django.mo" in wheel
    assert "notifications/locale/ar/LC_MESSAGES/django.po" in wheel
