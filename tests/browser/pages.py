"""What a reader of the tests would point at on a page."""

STREAM = "**/notifications/stream/*"


def badge(page):
    return page.locator("[data-badge]")


def bell(page, name):
    return page.get_by_role("button", name=name, exact=True)


def rows(page):
    return page.locator("[data-rows] [data-notification]:visible")


def wait_for_status(page, status):
    page.locator(f"notification-stream[data-status={status}]").first.wait_for(
        state="attached"
    )


def receive(page, *notifications):
    """Tell *page* at once of what the connection would: fields over defaults."""
    page.evaluate(
        """notifications => {
            for (const fields of notifications) {
                const detail = {
                    id: 1, at: Date.now() * 1000, title: "Hello", body: "", url: "",
                    level: 20, level_name: "info", category: "general", actor: "",
                    target: "", translations: {}, replaces: false,
                    publish_at: new Date().toISOString(), ...fields,
                };
                document.body.dispatchEvent(
                    new CustomEvent("notifications:received", { bubbles: true, detail })
                );
            }
        }""",
        notifications,
    )
