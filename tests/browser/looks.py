"""What somebody who judges a page's looks would measure."""

# WCAG 2.2: 1.4.3, 1.4.11 and 2.5.8.
TEXT_CONTRAST = 4.5
SIGN_CONTRAST = 3
TARGET_PX = 24

OURS = "notification-bell, notification-list, notification-toasts, .notification-inbox"

# Colours as the browser computes them, over what lies behind them; WCAG's ratios.
MEASURES = """
    const context = new OffscreenCanvas(1, 1).getContext("2d", {
        willReadFrequently: true,
    });
    const rgba = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
        return [red, green, blue, alpha / 255];
    };
    const over = ([r, g, b, a], [red, green, blue]) =>
        [r * a + red * (1 - a), g * a + green * (1 - a), b * a + blue * (1 - a), 1];
    const behind = (element) => {
        const layers = [];
        for (let each = element; each; each = each.parentElement) {
            layers.unshift(rgba(getComputedStyle(each).backgroundColor));
            if (layers[0][3] === 1) break;
        }
        return layers.reduce((below, layer) => over(layer, below));
    };
    const luminance = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map((value) => value / 255).map((value) =>
            value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (colour, background) => {
        const [dark, light] = [over(rgba(colour), background), background]
            .map(luminance).sort((one, other) => one - other);
        return (light + 0.05) / (dark + 0.05);
    };
    const isDrawn = (element) =>
        element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
        && !element.closest(".notification-hidden");
    const inShort = (element) => {
        const text = element.getAttribute("aria-label") ?? element.title
            ?? element.textContent;
        return `${element.localName}.${element.className}: ${text.trim().slice(0, 40)}`;
    };
"""

TEXTS = """() => {
    const texts = [];
    for (const root of document.querySelectorAll(OURS)) {
        const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            if (!walker.currentNode.data.trim() || !isDrawn(element)) continue;
            const { color } = getComputedStyle(element);
            texts.push([inShort(element), contrast(color, behind(element))]);
        }
    }
    return texts;
}"""

# What is no text, and which colour of it must be told from what is around it.
SIGNS = {
    ".notification-badge": "backgroundColor",
    ".notification-level": "color",
    ".notification-action": "color",
    ".notification-bell": "color",
    ".notification-field": "borderTopColor",
    ".notification:not([data-read])::before": "backgroundColor",
    ".notification-switch::before": "backgroundColor",
    ".notification-pill": "backgroundColor",
}
SIGNS_SEEN = """(signs) => Object.entries(signs).flatMap(([selector, property]) => {
    const [own, pseudo] = selector.split("::");
    return [...document.querySelectorAll(own)].filter(isDrawn).map((element) => {
        const style = getComputedStyle(element, pseudo ? `::${pseudo}` : null);
        const around = pseudo || property === "color" ? element : element.parentElement;
        return [selector, contrast(style[property], behind(around))];
    });
})"""

RING = """() => {
    const element = document.activeElement;
    const own = getComputedStyle(element);
    const style = own.outlineStyle === "none"
        ? getComputedStyle(element, "::after") : own;
    const isDrawn = style.outlineStyle !== "none";
    return {
        on: inShort(element),
        isOurs: element.closest(OURS) !== null,
        width: isDrawn ? Number.parseFloat(style.outlineWidth) : 0,
        contrast: contrast(style.outlineColor, behind(element.parentElement)),
    };
}"""

# A link over a whole row is as large as that.
TARGETS = """() => [...document.querySelectorAll(OURS)]
    .flatMap((root) => [...root.querySelectorAll("a[href], button, label, select, "
        + "input:not([type=hidden], label *)")])
    .filter(isDrawn)
    .map((element) => {
        const after = getComputedStyle(element, "::after");
        const isWhole = element.matches("a") && after.position === "absolute";
        const whole = element.closest(".notification, .notification-toast");
        const target = isWhole ? whole : element;
        const { width, height } = target.getBoundingClientRect();
        return [inShort(element), width, height];
    })"""

SIDEWAYS = """() => {
    const { scrollWidth, clientWidth } = document.scrollingElement;
    const out = [...document.querySelectorAll(OURS)]
        .flatMap((root) => [...root.querySelectorAll("*")])
        .filter((element) => isDrawn(element) && !element.closest("svg"))
        .filter((element) => {
            const { left, right, width } = element.getBoundingClientRect();
            return width > 0 && (left < -0.5 || right > innerWidth + 0.5);
        });
    return [scrollWidth - clientWidth, out.map(inShort)];
}"""

# What can be seen and hit somewhere, if it is scrolled there.
UNREACHABLE = """(selector) => [...document.querySelectorAll(selector)]
    .filter(isDrawn)
    .filter((element) => {
        element.scrollIntoView({ block: "center", behavior: "instant" });
        return ![...element.getClientRects()].some(({ left, right, top, bottom }) =>
            left >= 0 && right <= innerWidth && element.contains(
                document.elementFromPoint((left + right) / 2, (top + bottom) / 2)));
    })
    .map(inShort)"""


def measure(page, script, argument=None):
    prelude = f"const OURS = {OURS!r};" + MEASURES
    return page.evaluate(
        f"(argument) => {{ {prelude} return ({script})(argument); }}", argument
    )


def faint(page, *shown):
    """Return what is hard to see in *page*; *shown* are signs that must be there."""
    texts, signs = measure(page, TEXTS), measure(page, SIGNS_SEEN, SIGNS)
    assert len(texts) > 20
    assert {sign for sign, _ in signs} >= set(shown)
    return [
        *(text for text in texts if text[1] < TEXT_CONTRAST),
        *(sign for sign in signs if sign[1] < SIGN_CONTRAST),
    ]


def ring(page):
    """Return how wide the ring around what has the focus is, and its contrast."""
    return measure(page, RING)


def small(page):
    """Return what is hard to hit in *page*."""
    targets = measure(page, TARGETS)
    assert targets
    return [target for target in targets if min(target[1:]) < TARGET_PX]


def sideways(page):
    """Return by how much *page* can be scrolled sideways, and what sticks out."""
    return measure(page, SIDEWAYS)


def unreachable(page, selector):
    """Return what of *selector* is on *page* but can be clicked nowhere."""
    assert page.locator(selector).count() > 20
    return measure(page, UNREACHABLE, selector)
