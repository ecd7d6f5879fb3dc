"""What every test may ask for, and what is put right after each."""

import contextlib
import gc
import os
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import hypothesis
import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.handlers.asgi import ASGIHandler
from django.db import connection, connections
from django.urls import reverse

from notifications.bus import bus
from notifications.hub import hub

from . import sse
from .factories import has_field, make_notification, make_user
from .servers import LiveServer, postgres_server, running_redis
from .settings import database
from .streams import SECOND
from .waiting import aeventually

hypothesis.settings.register_profile("suite", deadline=None, max_examples=50)
hypothesis.settings.load_profile("suite")

DATABASE = {"db", "transactional_db"}


def pytest_itemcollected(item):
    """Mark what uses the database, however it asks for it."""
    if item.get_closest_marker("django_db") or DATABASE & {*item.fixturenames}:
        item.add_marker("database")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = _dealt(items)
    for item in items:
        if item.get_closest_marker("postgres"):
            # First of all: what opens the database must find the right one.
            item.fixturenames = ["_on_postgres", *item.fixturenames]


def _dealt(items):
    """
    Return *items* with the slow ones first in the share of each process.

    What waits longest begins first, and waits while the others run. Each of the
    processes begins with its part of the list, and helps others when it is done.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    dealt = []
    for number in range(processes):
        mine = slow[number::processes]
        end = (number + 1) * len(items) // processes
        missing = max(0, end - len(dealt) - len(mine))
        dealt += mine + quick[:missing]
        del quick[:missing]
    return dealt + quick


def pytest_collection_finish():
    """Leave what there is until the end to itself: to look for garbage takes long."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure():
    """Remove the SQLite file, and what a killed server left beside it."""
    for path in Path(tempfile.gettempdir()).glob(
        f"notifications-{os.getpid()}.sqlite3*"
    ):
        path.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def _postgres_database(django_db_setup, django_db_blocker):
    """Start PostgreSQL with a test database; return its settings."""
    with postgres_server() as url:
        with django_db_blocker.unblock(), _default_database(database(url)):
            connection.creation.create_test_db(verbosity=0)
            settings = connection.settings_dict.copy()
        yield settings


@contextlib.contextmanager
def _default_database(settings):
    """Make *settings* what ``default`` means, for this and every new thread."""
    before = connections.settings["default"]
    _change_default(settings)
    try:
        yield
    finally:
        _change_default(before)


def _change_default(settings):
    _in_each_thread(_forget_connections)
    connections.settings["default"] = connections.configure_settings(
        {"default": settings}
    )["default"]
    ContentType.objects.clear_cache()


@pytest.fixture
def _on_postgres(request):
    """Run the test on PostgreSQL, whatever this cell's database is."""
    if connection.vendor == "postgresql":
        yield
        return
    settings = request.getfixturevalue("_postgres_database")
    with _default_database(settings):
        yield


def _forget_connections():
    for each in connections.all(initialized_only=True):
        each.close()
        del connections[each.alias]


def _in_each_thread(function):
    """Call *function* here and in the thread in which async tests use the ORM."""
    function()
    SyncToAsync.single_thread_executor.submit(function).result(10)


@pytest.fixture(autouse=True)
def _nothing_left_running(_django_db_marker):
    """Stop this process's hub and bus, and leave no connection in other threads."""
    yield
    hub.close()
    bus.close()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result(10)


@pytest.fixture
def ada(db):
    return make_user("ada")


@pytest.fixture
def bob(db):
    return make_user("bob")


@pytest.fixture
def staff(db):
    if not has_field("is_staff"):
        pytest.skip("This user model has no staff.")
    return make_user("staff", is_staff=True)


@pytest.fixture
def editors(db):
    """An auth group, for user models that have groups."""
    if not has_field("groups"):
        pytest.skip("This user model has no groups.")
    return Group.objects.create(name="editors")


@pytest.fixture
def sent(monkeypatch):
    """What was put on the wire, in place of the wire: ``{"kind": …, …}``."""
    messages = []

    def send(kind, **content):
        messages.append({"kind": kind, **content})
        return True

    monkeypatch.setattr(bus, "send", send)
    return messages


@pytest.fixture
def missed(ada):
    """Return a function that stores announced notifications, a second apart."""

    def missed(*titles, age=10 * SECOND, to=ada, **fields):
        return [
            make_notification(to, title, age=age - number * SECOND, **fields)
            for number, title in enumerate(titles)
        ]

    return missed


@pytest.fixture
def open_stream():
    """
    Return a function that opens a stream of this process, as its settings are then.

    ``async with open_stream(ada, cursor=…) as stream`` is a ``sse.Stream``.
    """

    def open_stream(user=None, *, cursor=None, last_event_id=None, **options):
        headers = dict(options.pop("headers", {}))
        if last_event_id is not None:
            headers["last-event-id"] = last_event_id
        if cursor is not None:
            options["query"] = urlencode({"cursor": cursor})
        path = options.pop("path", None) or reverse("notifications:stream")
        # Built each time: it reads the middleware once and for all.
        application = ASGIHandler()
        return sse.Stream(application, path, user=user, headers=headers, **options)

    return open_stream


@pytest.fixture
def wire():
    """
    Return a coroutine function that waits until this process hears itself.

    Before that a notification may come by the sweep, a second later.
    """

    async def wire():
        await aeventually(lambda: bus.healthy)

    return wire


@pytest.fixture
def redis_server():
    with running_redis() as server:
        yield server


@pytest.fixture
def live_server_process(transactional_db):
    """Return a function that starts a ``LiveServer`` and returns it, ready."""
    with contextlib.ExitStack() as stack:

        def start(kind="daphne", **options):
            server = LiveServer(kind, **options)
            stack.callback(server.stop)
            server.start()
            return server

        yield start
