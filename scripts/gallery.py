"""
Take the pictures of docs/gallery.md anew: `make gallery`.

They are of the demo, which is served for them with a database of its own. Texts are
set in the fonts that this machine has.
"""

import interpreter

interpreter.choose()

import sys  # noqa: E402 - from here on, the Python is new enough for the others
import tempfile  # noqa: E402

import demo  # noqa: E402
from environment import ROOT, Environment, run  # noqa: E402
from ports import HOST, free_port  # noqa: E402
from processes import end_on_signals, exit_status  # noqa: E402


def main() -> int:
    end_on_signals()
    environment = Environment()
    environment.prepare("requirements.txt", "requirements-dev.txt")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="gallery-") as directory:
        variables = {
            "DATABASE_URL": f"sqlite:///{directory}/db.sqlite3",
            "DEBUG": "on",
            "REDIS_URL": "",
        }
        with demo.serving(environment, port, variables) as server:
            if server.poll() is not None:
                return exit_status(server)
            pictures = str(ROOT / "scripts" / "pictures.py")
            images = str(ROOT / "docs" / "images")
            run([str(environment.python), pictures, f"http://{HOST}:{port}", images])
    return 0


if __name__ == "__main__":
    sys.exit(main())
