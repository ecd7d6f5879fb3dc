"""A thousand rows: none twice, none lost, and no page that stands still."""

from statistics import median

import pytest
from playwright.sync_api import expect

from notifications import clock
from notifications.api import notify
from notifications.bus import bus
from notifications.models import Notification
from tests.factories import make_notifications

from .pages import badge, bell, wait_for_status

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.redis]

MOST_SECONDS = 0.3

IDS = """() => [...document.querySelectorAll("[data-panel] [data-notification]")]
    .map(row => Number(row.dataset.notification))"""

# The link copies its address' query, so that there are ten pages and not fifty.
BY_HUNDREDS = """() => {
    const more = document.querySelector("[data-panel] [data-more]");
    more.search = `${more.search}&limit=100`;
}"""

LOAD_OLDER = """() => new Promise(resolve => {
    const rows = document.querySelector("[data-panel] [data-rows]");
    new MutationObserver(() => {
        if (rows.ariaBusy === "false") resolve(rows.children.length);
    }).observe(rows, { attributeFilter: ["aria-busy"] });
    document.querySelector("[data-panel] [data-more]").click();
})"""


class Effort:
    """
    What *page* costs: its main thread's time on a processor, in seconds.

    Chromium's figure for scripts leaves out what follows an ``await``, so there is
    one for everything but style and layout, too.
    """

    def __init__(self, page):
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._spent = self._total()

    def _total(self):
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        spent = {each["name"]: each["value"] for each in metrics}
        drawing = spent["LayoutDuration"] + spent["RecalcStyleDuration"]
        return spent["ScriptDuration"], spent["TaskDuration"] - drawing

    def lap(self):
        """Return ``(scripts, everything)`` since this was last asked."""
        before, self._spent = self._spent, self._total()
        return [now - then for now, then in zip(self._spent, before, strict=True)]


def test_a_thousand_rows_are_complete_in_order_and_cheap(ada, open_page):
    """Check 18."""
    make_notifications(ada, 1000)
    # It is about what the panel costs, not about how it fades.
    page = open_page(ada, reduced_motion="reduce")
    wait_for_status(page, "open")
    bell(page, "Notifications, more than 999 unread").click()
    # By its role it would be looked for among all rows, for many seconds.
    panel = page.locator("[data-panel]")
    expect(panel).to_be_focused()
    page.evaluate(BY_HUNDREDS)
    effort = Effort(page)
    costs = []

    for loaded in range(110, 1010, 100):
        assert page.evaluate(LOAD_OLDER) == loaded
        costs.append(effort.lap()[1])
        if loaded in {410, 510}:
            notify(ada, "Meanwhile")
    # It lets go of nothing that was asked for, and puts nothing over what is read.
    assert page.evaluate(LOAD_OLDER) == 1000
    pill = panel.locator("[data-pill]")
    expect(pill).to_have_text("2 new")
    pill.click()
    expect(panel.locator("[data-slot=title]").first).to_have_text("Meanwhile")
    assert page.evaluate(LOAD_OLDER) == 1002

    newest_first = Notification.objects.order_by("-publish_at", "-pk")
    assert page.evaluate(IDS) == list(newest_first.values_list("pk", flat=True))
    # A page costs about what its own rows do, however many there are already: twice
    # of it here, and nine times if it were looked through for each row.
    assert median(costs[-3:]) < 4 * median(costs[:3]), costs

    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(badge(page)).to_be_hidden()
    notify(ada, "To be seen")
    expect(badge(page)).to_have_text("1")
    effort.lap()
    page.keyboard.press("Enter")
    expect(panel).to_be_focused()
    expect(badge(page)).to_be_hidden()
    scripts, _ = effort.lap()
    assert scripts < MOST_SECONDS


def test_of_many_rows_the_oldest_is_made_true_too(ada, open_page):
    make_notifications(ada, 400)
    page = open_page(ada)
    wait_for_status(page, "open")
    bell(page, "Notifications, 400 unread").click()
    page.evaluate(BY_HUNDREDS)
    while page.evaluate(LOAD_OLDER) < 400:
        pass
    oldest = Notification.objects.earliest("publish_at", "pk")
    row = page.locator(f"[data-panel] [data-notification='{oldest.pk}']")
    assert row.get_attribute("data-read") is None

    # As after a fault of the wire: nobody was told of it.
    Notification.objects.filter(pk=oldest.pk).update(read_at=clock.now())
    bus.send("refresh", to=str(ada.pk))

    expect(row).to_have_attribute("data-read", "")
