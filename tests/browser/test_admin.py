"""Broadcasting from the admin, with users' pages open beside it."""

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone
from playwright.sync_api import expect

from notifications import clock
from notifications.inbox import Inbox
from notifications.models import Broadcast
from tests.factories import make_user
from tests.waiting import eventually, patience

from .axe import audit
from .pages import badge, bell, rows, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

ADMIN = "/admin/live_notifications/broadcast/"
ADD = f"{ADMIN}add/"


def change(broadcast):
    return f"{ADMIN}{broadcast.pk}/change/"


@pytest.fixture
def root(db):
    return make_user("root", is_staff=True, is_superuser=True)


def make_draft(title="Maintenance at 8", **fields):
    return Broadcast.objects.create(audience="everyone", title=title, **fields)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def send(page):
    """Send what the compose form has, by way of the page that asks once more."""
    press(page, "Send…")
    press(page, "Send")


def fill_moment(page, name, moment):
    page.locator(f"[name={name}_0]").fill(moment.date().isoformat())
    page.locator(f"[name={name}_1]").fill(moment.strftime("%H:%M:%S"))


def messages(page):
    return page.locator(".messagelist")


def number(page, name):
    return page.locator(f"[data-number={name}]")


def previews(page):
    return page.locator("[data-preview]")


def test_the_draft_shows_whom_it_reaches_and_how_it_looks_and_is_tried_by_me_alone(
    root, ada, bob, open_page
):
    """Check 36."""
    users_page = open_page(ada)
    wait_for_status(users_page, "open")
    page = open_page(root, ADD)
    reach = page.locator("[data-reach]")
    everyone = get_user_model().objects.filter(is_active=True).count()
    expect(reach).to_contain_text(f"Everyone: {everyone} users now.")

    page.get_by_label("Audience:").select_option("staff")
    expect(reach).to_have_text("Staff: 1 user now. That is root.")
    page.get_by_label("Audience:").select_option("everyone")
    page.get_by_label("Title:", exact=True).fill("Maintenance <b>at 8</b>")
    page.get_by_label("Body").fill("For ten minutes.")
    page.get_by_label("Level").select_option("Warning")

    expect(previews(page)).to_have_count(2)
    for preview in previews(page).all():
        expect(preview.locator(".notification")).to_contain_text(
            "Maintenance <b>at 8</b>"
        )
        expect(preview.locator(".notification-toast")).to_contain_text(
            "For ten minutes."
        )
        expect(preview.locator(".notification-banner")).to_be_hidden()
    light, dark = previews(page).all()
    colour = "element => getComputedStyle(element.querySelector(%r)).backgroundColor"
    card = ".notification-toast-card"
    assert light.evaluate(colour % card) != dark.evaluate(colour % card)
    page.get_by_label("Placement").select_option("Banner")
    expect(light.locator(".notification-banner")).to_be_visible()
    expect(light.locator(".notification-toast")).to_be_hidden()

    press(page, "Save, and send a test to me")

    expect(messages(page)).to_contain_text("a test is on its way to you")
    [mine] = Inbox(root).page().items
    assert mine.title == "Test: Maintenance <b>at 8</b>"
    assert Inbox(ada).page().items == Inbox(bob).page().items == []
    expect(badge(users_page)).to_be_hidden()
    page.goto(ADMIN)
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    assert set(Broadcast.objects.values_list("delivered_count", flat=True)) == {0}


def test_numbers_move_while_the_admin_watches(root, ada, bob, open_page):
    """Check 37: three users, on whose pages it is within 2 s."""
    pages = [open_page(user, "/notifications/") for user in (ada, bob)]
    watcher = open_page(root, "/notifications/", device="other")
    page = open_page(root, ADD)
    for each in (*pages, watcher, page):
        wait_for_status(each, "open")
    page.get_by_label("Title:", exact=True).fill("Maintenance at 8")

    press(page, "Send…")
    expect(page.get_by_text("Everyone: 3 users now.")).to_be_visible()
    press(page, "Send")

    for each in (*pages, watcher):
        expect(rows(each)).to_contain_text(["Maintenance at 8"], timeout=patience(2000))
    expect(messages(page)).to_contain_text("Sent. Audience: Everyone, 3.")
    expect(number(page, "audience")).to_have_text("3")
    expect(number(page, "delivered")).to_have_text(re.compile("^[3-5]$"))
    page.evaluate("window.isTheSame = true")
    expect(number(page, "seen")).to_have_text("3 (100%)")  # their lists are in view

    rows(pages[0]).get_by_role("button", name="Mark as read").click()
    expect(number(page, "read")).to_have_text("1 (33%)")
    rows(pages[1]).get_by_role("button", name="Archive").click()
    expect(number(page, "dismissed")).to_have_text("1 (33%)")

    assert page.evaluate("window.isTheSame")
    broadcast = Broadcast.objects.get()
    assert broadcast.receipts.exclude(read_at=None).count() == 1
    expect(number(page, "delivered")).to_have_text(str(broadcast.delivered_count))


def test_a_double_click_and_two_admins_send_once(root, ada, open_page):
    """Check 38."""
    other_admin = make_user("other", is_staff=True, is_superuser=True)
    draft = make_draft()
    users_page = open_page(ada, "/notifications/")
    wait_for_status(users_page, "open")
    first = open_page(root, f"{ADMIN}{draft.pk}/send/")
    second = open_page(other_admin, f"{ADMIN}{draft.pk}/send/")

    first.get_by_role("button", name="Send", exact=True).dblclick(no_wait_after=True)
    expect(first).to_have_url(re.compile("/change/$"))
    press(second, "Send")

    expect(messages(second)).to_contain_text("was already sent by root")
    expect(rows(users_page)).to_have_count(1)
    assert LogEntry.objects.filter(object_id=draft.pk).count() == 1


def test_what_is_scheduled_goes_out_by_itself_and_ends_by_itself(root, ada, open_page):
    """Check 39."""
    users_page = open_page(ada, "/notifications/")
    wait_for_status(users_page, "open")
    page = open_page(root, ADD)
    page.get_by_label("Title:", exact=True).fill("Maintenance at 8")
    press(page, "Send…")
    due = timezone.localtime(clock.now() + timedelta(days=1))
    fill_moment(page, "at", due)
    press(page, "Send")
    expect(messages(page)).to_contain_text("To be sent at")

    press(page, "Cancel sending")
    expect(messages(page)).to_contain_text("it is a draft again")
    expect(page.get_by_role("button", name="Send…")).to_be_visible()
    expect(rows(users_page)).to_have_count(0)

    broadcast = Broadcast.objects.get()
    page.goto(f"{ADMIN}{broadcast.pk}/send/")
    soon = timezone.localtime(clock.now() + timedelta(seconds=4))
    fill_moment(page, "at", soon)
    press(page, "Send")
    expect(messages(page)).to_contain_text("To be sent at")
    broadcast.refresh_from_db()

    expect(rows(users_page)).to_have_count(1)
    broadcast.refresh_from_db()
    assert broadcast.publish_at <= broadcast.announced_at
    assert broadcast.announced_at - broadcast.publish_at < timedelta(seconds=2)

    end = timezone.localtime(clock.now() + timedelta(seconds=4))
    page.goto(change(broadcast))
    fill_moment(page, "expires_at", end)
    press(page, "Save")
    expect(messages(page)).to_contain_text("changed successfully")

    expect(rows(users_page)).to_have_count(0)
    assert clock.now() >= end.replace(microsecond=0)


def test_a_recall_is_gone_from_every_page_and_a_correction_replaces(
    root, ada, bob, open_page
):
    """Check 40."""
    pages = [open_page(user, "/notifications/") for user in (ada, bob)]
    late = open_page(ada)  # its panel has it from the server
    draft = make_draft()
    page = open_page(root, f"{ADMIN}{draft.pk}/send/")
    for each in pages:
        wait_for_status(each, "open")
    press(page, "Send")
    for each in pages:
        expect(rows(each)).to_contain_text(["Maintenance at 8"])

    press(page, "Correct…")
    page.get_by_label("Title:", exact=True).fill("Maintenance at 9")
    press(page, "Publish the correction")

    for each in pages:
        expect(rows(each)).to_contain_text(["Maintenance at 9"])
        expect(rows(each)).to_have_count(1)
    late.reload()
    bell(late, "Notifications, 1 unread").wait_for()
    wait_for_status(late, "open")

    page.goto(change(draft))
    press(page, "Recall")

    for each in pages:
        expect(rows(each)).to_have_count(0, timeout=patience(2000))
    for each in (*pages, late):
        bell(each, "Notifications").wait_for(timeout=patience(2000))
        expect(badge(each)).to_be_hidden()
    expect(messages(page)).to_contain_text("Recalled")
    texts = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert texts == [
        "Sent. Audience: Everyone, 3.",
        "Changed Title.",
        "Recalled; nobody is shown it any more.",
    ]


def test_who_may_not_send_finds_no_button_and_who_may_view_sees_numbers(ada, open_page):
    """Check 41."""
    clerk = make_user("clerk", is_staff=True)
    names = ["add_broadcast", "change_broadcast", "view_broadcast"]
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    draft = make_draft()
    page = open_page(clerk, change(draft))

    expect(page.get_by_role("button", name="Save as draft")).to_be_visible()
    expect(page.get_by_role("button", name="Send…")).to_have_count(0)
    now = clock.now()
    Broadcast.objects.update(publish_at=now, announced_at=now, delivered_count=7)

    page.goto(change(draft))

    expect(number(page, "delivered")).to_have_text("7")
    expect(page.get_by_role("button", name="Recall")).to_have_count(0)


def test_two_of_five_users_are_chosen_in_their_list_and_hear_of_it(root, open_page):
    """Check 43."""
    users = [make_user(f"user{number}") for number in range(5)]
    pages = [open_page(user, "/notifications/") for user in (users[1], users[4])]
    for each in pages:
        wait_for_status(each, "open")
    opts = get_user_model()._meta
    page = open_page(root, f"/admin/{opts.app_label}/{opts.model_name}/")

    for user in (users[1], users[3]):
        page.locator(f"[name=_selected_action][value='{user.pk}']").check()
    page.locator("select[name=action]").select_option("Notify selected users…")
    press(page, "Go" if page.get_by_role("button", name="Go").count() else "Run")
    expect(page.get_by_text("Chosen users: 2 users now.")).to_be_visible()
    page.get_by_label("Title:", exact=True).fill("See you at the counter")
    press(page, "Send")

    expect(messages(page)).to_contain_text("Sent. Chosen users: 2 users now.")
    expect(rows(pages[0])).to_contain_text(["See you at the counter"])
    eventually(lambda: Broadcast.objects.get().delivered_count == 1)
    expect(rows(pages[1])).to_have_count(0)
    heard = [user for user in users if Inbox(user).page().items]
    assert heard == [users[1], users[3]]


# What the app adds to the admin's pages. Fields and their labels are Django's.
OURS = (
    ".submit-row, .notification-object-actions, .notification-numbers, [data-reach], "
    ".notification-reached, .notification-translation, .notification-previews"
)
ARABIC = {
    "LANGUAGE_CODE": "ar",
    "LANGUAGES": [("en", "English"), ("de", "German"), ("ar", "Arabic")],
}


@pytest.mark.parametrize("site_settings", [ARABIC])
def test_its_pages_fit_and_are_accessible_from_right_to_left(root, open_page):
    """Check 42."""
    draft = make_draft(body="For ten minutes.")
    now = clock.now()
    out = make_draft(publish_at=now, announced_at=now)
    page = open_page(root, ADD, color_scheme="dark")

    for path in (ADD, change(draft), f"{ADMIN}{draft.pk}/send/", change(out)):
        page.goto(path)
        expect(previews(page).first).to_be_visible()
        assert page.evaluate("document.documentElement.dir") == "rtl"
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            overflow = page.evaluate(
                """() => [...document.querySelectorAll(`
                    [data-preview], .notification-numbers,
                    .notification-object-actions
                `)].filter(each => {
                    const { left, right } = each.getBoundingClientRect();
                    return left < 0 || right > document.documentElement.clientWidth;
                }).map(each => each.className)"""
            )
            assert overflow == [], (path, width)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert audit(page, OURS) == [], (path, scheme)


UNFOLD = {
    "INSTALLED_APPS": ["unfold", *settings.INSTALLED_APPS],
    "TEST_POLICY": "",  # its own scripts are inline
}


@pytest.mark.parametrize("site_settings", [UNFOLD])
def test_its_pages_work_with_django_unfold_installed(root, ada, open_page):
    """Check 42."""
    users_page = open_page(ada, "/notifications/")
    wait_for_status(users_page, "open")
    page = open_page(root, ADD)
    page.locator("#id_title").fill("Maintenance at 8")
    expect(previews(page).first).to_contain_text("Maintenance at 8")

    send(page)

    expect(rows(users_page)).to_contain_text(["Maintenance at 8"])
    expect(number(page, "audience")).to_have_text("2")
    press(page, "Recall")
    expect(rows(users_page)).to_have_count(0)
    page.goto(ADMIN)
    expect(page.get_by_text("Maintenance at 8").first).to_be_visible()
