"""
Take pictures of the demo: ``pictures.py URL DIRECTORY [NAME …]``, all by default.

Runs in an environment that has Playwright; gallery.py sees to that, and to the demo.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import COMPONENTS
from environment import say

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    # The same letters wherever there are the same fonts.
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
]

DESKTOP = (1000, 640)
HALF = (720, 620)
NARROW = (390, 720)
ADMIN = (1100, 1700)
ADMIN_HALF = (1100, 860)
# Above that many pixels, one for each pixel of the page will do.
LARGE = 800_000
COMPOSE = "/admin/live_notifications/broadcast/add/"


@dataclass(frozen=True)
class Picture:
    """What is in a picture, and how one gets there."""

    name: str
    path: str = "/"
    user: str = "alice"
    prepare: Callable[[Site, Any], None] = lambda site, page: None
    size: tuple[int, int] = DESKTOP
    scheme: str = "light"
    language: str = "en"
    clip: str = ""
    """A selector, where the picture is of one element only."""
    is_live: bool = False
    """Whether time goes on. Where it need not, it is the same minutes ago each time."""


def open_panel(site: Site, page: Any) -> None:
    page.locator("[data-toggle]").click()
    page.locator("[data-panel]:popover-open").wait_for()
    page.locator("[data-badge]").wait_for(state="hidden")  # all is seen now


def receive(site: Site, page: Any) -> None:
    """Have a colleague send something from the desk."""
    toasts = page.locator("notification-toast")
    with site.open("bob") as desk:
        desk.goto("/")
        tell(desk, "alice", "Order 1043 cannot be delivered", "40", "orders")
        toasts.hover()  # none of them goes before the last has come
        tell(desk, "alice", "Roaster 1 is due for cleaning", "30", "roasting")
        tell(desk, "alice", "Batch 320 may be shipped", "25", "roasting")
        toasts.nth(2).wait_for()
    page.mouse.move(0, 0)


def tell(desk: Any, recipient: str, title: str, level: str, category: str) -> None:
    form = desk.locator("form[data-stay]").first
    form.locator("[name=title]").fill(title)
    form.locator("[name=recipient]").select_option(recipient)
    form.locator("[name=level]").select_option(level)
    form.locator("[name=category]").select_option(category)
    with desk.expect_response("**/"):
        form.get_by_role("button").click()


def archive_all(site: Site, page: Any) -> None:
    """Empty the inbox, and look at it again."""
    page.locator("[data-tick-all] input").check()
    with page.expect_response("**/api/archived/"):
        page.locator("[data-bulk] [data-action=archive]").click()
    page.reload()
    wait_for_stream(page)


def work(site: Site, page: Any) -> None:
    """Start every job, and wait until each has something to show: half of it."""
    for button in page.locator(".job button").all():
        button.click()
    page.locator("[data-answer]", has_text="Pour 50, wait half a minute").wait_for()


def write(site: Site, page: Any) -> None:
    page.locator("[name=title]").fill("We close at four today")
    page.locator("[name=body]").fill("The boiler is being serviced.")
    page.locator("[name=level]").select_option(label="Warning")
    page.locator("[name=audience]").select_option("recent")
    page.locator("[data-reach]", has_text="Signed in").wait_for()
    page.locator("h1").last.click()  # away from the field


def ask(site: Site, page: Any) -> None:
    """Go on to the page that asks once more."""
    write(site, page)
    page.locator("[name=_send]").click()
    page.locator("#broadcast_send_form").wait_for()


def send(site: Site, page: Any) -> None:
    """Send it, and have two people look at it."""
    ask(site, page)
    page.locator("#broadcast_send_form [type=submit]").click()
    page.locator("[data-number=audience]").wait_for()
    for user in ("alice", "bob"):
        with site.open(user) as reader:
            with reader.expect_response("**/api/seen/"):
                reader.goto("/notifications/")
            with reader.expect_response("**/api/read/"):
                reader.locator("main [data-action=read]:visible").first.click()
    page.locator("[data-number=read]", has_text="2").wait_for()
    page.locator("[data-number=seen]", has_text="2").wait_for()


PICTURES = [
    Picture("badge", clip=".site-header"),
    Picture("panel", prepare=open_panel),
    Picture("panel-dark", prepare=open_panel, size=HALF, scheme="dark"),
    Picture("panel-arabic", prepare=open_panel, size=HALF, language="ar"),
    Picture("panel-narrow", prepare=open_panel, size=NARROW, scheme="dark"),
    Picture("inbox", "/notifications/"),
    Picture("inbox-narrow", "/notifications/", size=NARROW),
    Picture("inbox-arabic", "/notifications/", size=NARROW, language="ar"),
    Picture("empty", "/notifications/", "bob", archive_all, NARROW),
    Picture("toasts", prepare=receive, is_live=True),
    Picture("workshop", "/workshop/", "admin", work, scheme="dark", is_live=True),
    Picture("compose", COMPOSE, "admin", write, ADMIN),
    Picture("compose-dark", COMPOSE, "admin", write, ADMIN, "dark"),
    Picture("send", COMPOSE, "admin", ask, ADMIN_HALF),
    Picture("send-dark", COMPOSE, "admin", ask, ADMIN_HALF, "dark"),
    Picture("sent", COMPOSE, "admin", send, ADMIN, is_live=True),
    Picture("sent-dark", COMPOSE, "admin", send, ADMIN, "dark", is_live=True),
]


def main() -> None:
    url, directory, *names = sys.argv[1:]
    with chromium() as browser:
        site = Site(browser, url)
        for picture in PICTURES:
            if not names or picture.name in names:
                take(picture, site, Path(directory, f"{picture.name}.png"))


@contextmanager
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    [component] = [each for each in COMPONENTS if each.package == "chromium"]
    if component.path is None:
        raise SystemExit("The pictures need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=component.path, args=FLAGS)
        yield browser
        browser.close()


class Site:
    """The demo at *url*, seen with *browser*."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        self.url = url
        self.opened_at = datetime.now(UTC)
        # Of each user, once signed in: passwords take long to check.
        self.cookies: dict[str, Any] = {}

    @contextmanager
    def open(self, user: str, **options: Any) -> Iterator[Any]:
        """Yield a page signed in as *user*. What it complains about ends the script."""
        context = self.browser.new_context(base_url=self.url, **options)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(f"{line.type}: {line.text}"))
        if user not in self.cookies:
            page.goto("/")
            page.locator(".account", has_text=user).click()
            page.locator(".site-nav").wait_for()
            self.cookies[user] = context.cookies()
        context.add_cookies(self.cookies[user])
        yield page
        context.close()
        if complaints:
            raise SystemExit("\n".join(complaints))


def take(picture: Picture, site: Site, path: Path) -> None:
    width, height = picture.size
    options = {
        "viewport": {"width": width, "height": height},
        "device_scale_factor": 2 if width * height < LARGE else 1,
        "color_scheme": picture.scheme,
        "locale": picture.language,
        "reduced_motion": "reduce",
    }
    with site.open(picture.user, **options) as page:
        if not picture.is_live:
            page.clock.set_fixed_time(site.opened_at)
        page.goto(picture.path)
        wait_for_stream(page)
        picture.prepare(site, page)
        page.evaluate("document.fonts.ready")
        seen = page.locator(picture.clip) if picture.clip else page
        seen.screenshot(path=path, animations="disabled", caret="hide")
    say(f"{path.name}: {path.stat().st_size // 1024} KiB")


def wait_for_stream(page: Any) -> None:
    if page.locator("notification-stream").count():  # not in the admin
        page.locator("notification-stream[data-status=open]").first.wait_for(
            state="attached"
        )


if __name__ == "__main__":
    main()
