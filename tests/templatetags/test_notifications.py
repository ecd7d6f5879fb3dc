import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.management import call_command
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone, translation
from django.utils.formats import date_format

from notifications import clock
from notifications.constants import Level
from notifications.events import Cursor
from notifications.inbox import Inbox
from notifications.payloads import payload
from notifications.templatetags import notifications as tags
from tests.factories import make_notification, make_notifications


@pytest.fixture
def render():
    """Return a function that renders a template's source for a user."""

    def render(source, user, **context):
        request = RequestFactory().get("/page/?x=1")
        request.user = user
        template = Template("{% load notifications %}" + source)
        return template.render(Context({"request": request, **context}))

    return render


DAY = timedelta(days=1)

BELL = "{% notification_bell %}"
LIST = "{% notification_list %}"
TOASTS = "{% notification_toasts %}"
BANNER = "{% notification_banner %}"
STREAM = "{% notification_stream %}"


@pytest.mark.parametrize("source", [BELL, LIST, TOASTS, BANNER, STREAM])
def test_nothing_is_rendered_for_anonymous_visitors(render, source):
    assert render(source, AnonymousUser()).strip() == ""


@pytest.mark.parametrize("source", [BELL, LIST, TOASTS, BANNER, STREAM])
def test_nothing_is_rendered_without_a_request(source):
    template = Template("{% load notifications %}" + source)

    assert template.render(Context()).strip() == ""


def badge(html):
    return re.search(r"data-badge [^>]*?(hidden)?>([^<]*)<", html).groups()


def test_the_badge_counts_what_was_not_seen(ada, render, settings):
    make_notification(ada, "Seen", age=timedelta(hours=1))
    Inbox(ada).mark_seen(Cursor.at(timezone.now() - timedelta(minutes=1)))
    make_notification(ada, "New")

    assert badge(render(BELL, ada)) == (None, "1")

    settings.NOTIFICATIONS_BADGE_COUNTS = "unread"
    assert badge(render(BELL, ada)) == (None, "2")


def test_the_badge_is_hidden_where_nothing_waits(ada, render):
    html = render(BELL, ada)

    assert badge(html) == ("hidden", "0")
    assert 'aria-label="Notifications"' in html


def test_the_bells_name_says_how_much_is_unread(ada, render):
    make_notification(ada)
    make_notification(ada)

    assert 'aria-label="Notifications, 2 unread"' in render(BELL, ada)


@pytest.mark.parametrize(
    ("count", "text", "name"),
    [
        (99, "99", "Notifications, 99 unread"),
        (100, "99+", "Notifications, 100 unread"),
        (999, "99+", "Notifications, 999 unread"),
        (1000, "99+", "Notifications, more than 999 unread"),
    ],
)
def test_the_badge_stops_at_99_and_the_bells_name_at_999(
    ada, render, count, text, name
):
    make_notifications(ada, count)

    html = render(BELL, ada)

    assert badge(html) == (None, text)
    assert f'aria-label="{name}"' in html


def test_the_panel_has_the_ten_latest(ada, render):
    for number in range(11):
        make_notification(ada, f"Number {number}.", age=timedelta(hours=number))

    html = render(BELL, ada)

    assert "Number 9." in html
    assert "Number 10." not in html


def test_the_cursor_is_older_than_what_the_page_may_lack(ada, render):
    before = timezone.now()

    html = render(BELL, ada)

    [cursor] = set(re.findall(r'data-cursor="(\d+)-0"', html))
    assert before.timestamp() <= int(cursor) / 1e6 <= timezone.now().timestamp()


@pytest.mark.parametrize("source", [BELL, LIST])
def test_text_is_escaped(ada, render, source):
    make_notification(ada, '<img src=x onerror="alert(1)">', body="</template>")

    html = render(source, ada)

    assert "<img" not in html
    assert html.count("</template>") == 1


@pytest.mark.parametrize("source", [BELL, LIST])
def test_a_row_is_in_the_readers_language(ada, render, source):
    make_notification(ada, "Hello", translations={"de": {"title": "Hallo"}})

    with translation.override("de"):
        html = render(source, ada)

    assert "Hallo" in html
    assert 'lang="de"' in html


def test_a_level_is_said_in_words(ada, render):
    make_notification(ada, "Disk", level=Level.ERROR)

    assert ">Error:</span>" in render(LIST, ada)


@pytest.mark.parametrize(("source", "count"), [(BELL, 14), (LIST, 14), (TOASTS, 16)])
def test_each_script_carries_the_nonce(ada, render, source, count):
    html = render(source, ada, csp_nonce="r4nd0m")

    scripts = re.findall(r"<script[^>]*>", html)
    assert len(scripts) == count
    assert all('type="module"' in tag and 'nonce="r4nd0m"' in tag for tag in scripts)


def test_a_nonce_that_is_false_until_it_is_read_is_read(ada, render):
    class Lazy:
        def __bool__(self):
            return False

        def __str__(self):
            return "r4nd0m"

    assert 'nonce="r4nd0m"' in render(BELL, ada, csp_nonce=Lazy())


@pytest.mark.parametrize("source", [BELL, LIST, TOASTS, BANNER, STREAM])
def test_nothing_is_inline_that_a_strict_policy_forbids(ada, render, source):
    make_notification(ada)

    html = render(source, ada)

    assert not re.search(
        r"<script(?![^>]* src=)|<style| style=| on\w+=|href=.data:", html
    )


def test_a_page_may_listen_to_a_projects_own_events(ada, render):
    html = render('{% notification_bell events="export invoice.paid" %}', ada)

    assert 'data-events="export invoice.paid"' in html


@pytest.mark.parametrize("source", [BELL, TOASTS])
def test_what_is_announced_goes_into_regions_that_are_there_and_empty(
    ada, render, source
):
    """Check 24."""
    html = render(source, ada)

    assert re.search(r"<span [^>]*data-announce role=\"status\"></span>", html)
    assert re.search(r"<span [^>]*data-alert role=\"alert\"></span>", html)


def test_toasts_have_a_labelled_corner_that_is_empty_and_hidden(ada, render):
    make_notification(ada, "In the inbox")

    html = render(TOASTS, ada)

    [corner] = re.findall(r"<div [^>]*data-toasts[^>]*></div>", html)
    assert 'role="region"' in corner
    assert 'aria-label="Notifications"' in corner
    assert " hidden" in corner
    assert "In the inbox" not in html


def test_one_file_restyles_toasts(ada, render, settings, tmp_path):
    partial = tmp_path / "notifications" / "_toast.html"
    partial.parent.mkdir()
    partial.write_text("<b>mine</b>")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]

    assert "<template><b>mine</b></template>" in render(TOASTS, ada)


def test_a_block_of_a_toast_can_be_filled(ada, render, settings, tmp_path):
    partial = tmp_path / "notifications" / "_toast.html"
    partial.parent.mkdir()
    partial.write_text(
        '{% extends "notifications/_toast.html" %}'
        "{% block actions %}<button data-action>Undo</button>{% endblock %}"
    )
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]

    html = render(TOASTS, ada)

    assert "<button data-action>Undo</button>" in html
    assert "data-close" in html


@pytest.mark.parametrize(
    ("arguments", "is_counted"), [("", True), ("title=False", False)]
)
def test_a_bell_says_whether_the_title_counts(ada, render, arguments, is_counted):
    html = render(f"{{% notification_bell {arguments} %}}", ada)

    assert ("data-title" in html) is is_counted


@pytest.mark.parametrize("has_zones", [True, False])
@pytest.mark.parametrize("source", [BELL, LIST, BANNER])
def test_moments_are_written_as_in_the_payload_with_time_zone_support_or_not(
    source, has_zones, ada, render, settings
):
    settings.USE_TZ = has_zones
    ada.refresh_from_db()  # when they joined has a zone, or has none
    row = make_notification("everyone", placement="banner")
    row.refresh_from_db()

    html = render(source, ada)

    moments = set(re.findall(r'(?:datetime|data-publish-at)="([^"]+)"', html))
    assert moments == {payload(row)["publish_at"]}
    assert datetime.fromisoformat(moments.pop()).tzinfo


def days(html):
    return re.findall(r'data-slot="day">([^<]+)<', html)


def test_rows_have_their_day_without_time_zone_support(ada, render, settings):
    settings.USE_TZ = False
    ada.refresh_from_db()
    noon = clock.now().replace(hour=12) - timedelta(days=2)
    for moment in (clock.now(), noon + DAY, noon, noon - DAY):
        make_notification(ada, publish_at=moment)

    html = render(LIST, ada)

    assert days(html) == [
        "Today",
        "Yesterday",
        date_format(noon),
        date_format(noon - DAY),
    ]


def test_a_day_begins_when_it_does_where_the_site_is(ada, render):
    make_notification(ada, publish_at=datetime(2026, 1, 2, 23, 30, tzinfo=UTC))

    assert days(render(LIST, ada)) == [date_format(datetime(2026, 1, 3))]


GROUPED = re.compile(r'[\w-]+="[^"]*\d,\d{3}[^"]*"')


@pytest.mark.parametrize("source", [BELL, LIST, TOASTS, BANNER, STREAM])
def test_no_number_in_an_attribute_is_grouped(
    source, ada, render, settings, monkeypatch
):
    settings.USE_THOUSAND_SEPARATOR = True
    for limit in ("PANEL_SIZE", "BADGE_LIMIT", "MOST_BANNERS"):
        monkeypatch.setattr(tags, limit, 1000)
    make_notifications(ada, 1000)
    make_notification("everyone", placement="banner", id=1234567)

    html = render(source + "{{ 1234567 }}", ada)

    assert "1,234,567" in html  # what nobody forbids is
    assert GROUPED.findall(html) == []


def test_buttons_lead_back_to_the_page(ada, render):
    assert '<input type="hidden" name="next" value="/page/?x=1">' in render(LIST, ada)


def test_one_file_restyles_stored_and_live_rows(ada, render, settings, tmp_path):
    partial = tmp_path / "notifications" / "_item.html"
    partial.parent.mkdir()
    partial.write_text("<b>mine {{ notification.display_title }}</b>")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    make_notification(ada, "stored")

    html = render(LIST, ada)

    assert "<b>mine stored</b>" in html
    assert "<template><b>mine </b></template>" in html


def test_a_category_may_have_a_row_of_its_own(ada, render, settings, tmp_path):
    partial = tmp_path / "notifications" / "items" / "general.html"
    partial.parent.mkdir(parents=True)
    partial.write_text("<b>mine {{ notification.display_title }}</b>")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    make_notification(ada, "stored")

    html = render(LIST, ada)

    assert "<b>mine stored</b>" in html
    assert '<template data-category="general"><b>mine </b></template>' in html
    assert html.count("<template") == 2


def test_static_files_may_be_hashed(ada, render, settings, tmp_path):
    storage = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
    call_command("collectstatic", interactive=False, verbosity=0)

    html = render(BELL + TOASTS, ada)

    paths = set(re.findall(r'"/?static/(notifications/[^"]+)"', html))
    assert len(paths) == 18
    for path in paths:
        assert re.search(r"\.[0-9a-f]{12}\.(js|css)$", path)
        # Nothing is imported from a script: such a path would not be hashed.
        assert not re.search(r"^import |@import", (tmp_path / path).read_text(), re.M)


MOST_QUERIES = 8


@pytest.mark.parametrize("source", [BELL, LIST])
def test_queries_are_few_and_do_not_grow_with_what_is_listed(
    ada, bob, render, source, django_assert_max_num_queries
):
    make_notification(ada)
    make_notification("everyone")
    Inbox(ada).mark_seen()
    with django_assert_max_num_queries(MOST_QUERIES) as few:
        render(source, ada)
    group = Group.objects.create(name="Editors")
    for target in [ada, bob, group] * 10:
        make_notification(ada, actor=bob, target=target)
        make_notification("everyone", actor=ada, target=target)

    with django_assert_max_num_queries(MOST_QUERIES) as many:
        render(source, ada)

    assert len(many) == len(few)


def banners(html):
    shown, template = html.split("<template>")
    assert "notification-banner" in template
    return re.findall(r'data-slot="title"[^>]*>([^<]*)<', shown)


def test_banners_that_are_up_are_shown_the_newest_first(ada, render):
    make_notification("everyone", "Older", placement="banner", age=timedelta(days=9))
    make_notification("everyone", "Newer", placement="banner")
    make_notification("everyone", "No banner")
    make_notification("staff", "Not for ada", placement="banner")
    make_notification("everyone", "Not yet", placement="banner", publish_at=None)

    assert banners(render(BANNER, ada)) == ["Newer", "Older"]


def test_a_banner_that_was_put_away_is_gone_unless_it_may_not_be(ada, render):
    soft = make_notification("everyone", "Soft", placement="banner")
    hard = make_notification("everyone", "Hard", placement="banner", dismissible=False)

    Inbox(ada).archive([soft.pk, hard.pk])

    html = render(BANNER, ada)
    assert banners(html) == ["Hard"]
    assert re.search(r'action="[^"]*archived/" hidden', html)


def test_no_more_than_three_banners_take_the_page(ada, render):
    for number in range(5):
        make_notification("everyone", str(number), placement="banner")

    assert len(banners(render(BANNER, ada))) == 3


def test_a_banner_reads_in_the_language_of_its_reader(ada, render):
    make_notification(
        "everyone",
        "Maintenance",
        placement="banner",
        translations={"de": {"title": "Wartung"}},
    )

    with translation.override("de"):
        assert banners(render(BANNER, ada)) == ["Wartung"]


def test_a_page_can_connect_without_anything_to_be_seen(ada, render):
    html = render('{% notification_stream events="chart.updated" %}', ada)

    assert 'data-events="chart.updated"' in html
    assert "notification-bell" not in html
