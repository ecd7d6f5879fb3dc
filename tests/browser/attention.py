"""
Which page somebody looks at, as far as its scripts can tell.

Chromium has every page be visible and focused while it is driven from outside.
"""


def look_at(page):
    """Have *page* be visible and have the focus, which is then no other page's."""
    for other in page.context.pages:
        if other != page:
            _set(other, focus=False)
    _set(page, visibility="visible", focus=True)


def look_away_from(page):
    """Put *page* in the background: another tab, or another program, is in front."""
    _set(page, visibility="hidden", focus=False)


def work_elsewhere(page):
    """Take the focus from *page*, and leave it in sight."""
    _set(page, focus=False)


def _set(page, *, visibility=None, focus):
    page.evaluate(
        """([visibility, focus]) => {
            document.hasFocus = () => focus;
            dispatchEvent(new Event(focus ? "focus" : "blur"));
            if (!visibility) return;
            Object.defineProperty(document, "visibilityState", {
                configurable: true, get: () => visibility,
            });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        [visibility, focus],
    )
