"""axe-core in a page: what it finds wrong there, and what it leaves to a human."""

from tests.servers import ROOT, missing

SOURCE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

TAGS = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]

# Fewer were looked at where the page is not what it should be.
LEAST_NODES = 20
MOST_LOOKS = 5

# What axe leaves to a human, and what the human says.
JUDGED = {
    ("color-contrast", "pseudoContent"): (
        "The bar at an unread row's edge and the link over a whole row paint no "
        "background under the text. test_looks measures it."
    ),
    ("color-contrast", "bgOverlap"): (
        "Rows that are scrolled out of the panel, and what lies under the panel or a "
        "toast. test_looks measures them."
    ),
    ("color-contrast", "elmPartiallyObscuring"): (
        "A title that is cut after some lines is larger than its line. "
        "test_looks measures it."
    ),
    ("color-contrast", "elmPartiallyObscured"): (
        "A row that is half scrolled out of the panel. test_looks measures it."
    ),
    ("aria-required-children", ""): (
        "A list without rows, as it is before the first comes; a text below says so."
    ),
}

# By their elements rather than by selectors, which take axe longest to make. What it
# would preload for other rules than these, a strict policy forbids.
RUN = """async ([context, tags]) => {
    let isSame = true;
    const changes = new MutationObserver(() => { isSame = false; });
    changes.observe(document, { childList: true, subtree: true });
    const { violations, incomplete, passes } = await axe.run(context ?? document, {
        runOnly: tags, selectors: false, elementRef: true, preload: false,
    });
    changes.disconnect();
    const said = ({ any, all, none }) => [...any, ...all, ...none];
    const told = (results) => results.flatMap(({ id, nodes }) => nodes.map((node) => ({
        rule: id,
        key: said(node).map(({ data }) => data?.messageKey ?? "").join(""),
        element: node.html.slice(0, 160),
        why: said(node).map(({ message }) => message).join(" "),
    })));
    const nodes = [...violations, ...incomplete, ...passes].flatMap(({ nodes }) =>
        nodes.map(({ element }) => element));
    return {
        violations: told(violations),
        incomplete: told(incomplete),
        nodes: new Set(nodes).size,
        isSame,
    };
}"""


def audit(page, part=None):
    """
    Return what is wrong in *page*, or only in the elements of the selector *part*.

    That is what axe says is, and what it cannot tell and nobody has judged.
    """
    if not page.evaluate("'axe' in window"):
        if not SOURCE.exists():
            missing("axe-core", "npm ci")
        page.evaluate(SOURCE.read_text())
    # It looks for about a second. In a page that changed meanwhile, it is confused.
    for _ in range(MOST_LOOKS):
        found = page.evaluate(RUN, [part, TAGS])
        if found["isSame"]:
            break
    assert found["nodes"] > LEAST_NODES
    return found["violations"] + [
        each
        for each in found["incomplete"]
        if (each["rule"], each["key"]) not in JUDGED
    ]
