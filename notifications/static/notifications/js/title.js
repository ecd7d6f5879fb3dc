/**
 * Says how much waits where the page is not seen: "(3) " before its title, and on
 * the icon of a site that was installed as an app.
 *
 * Hears notifications:count {count, text} of elements with data-title. A page that
 * changes its title keeps the count, and this keeps the page's title.
 */

let prefix = "";
const used = new Set();

/** Put the prefix before the title, in place of one that was there. */
function retitle() {
  const { title } = document;
  const old = [...used].find((each) => title.startsWith(each)) ?? "";
  const wanted = prefix + title.slice(old.length);
  if (wanted !== title) document.title = wanted;
}

async function badge(count) {
  try {
    if (count) await navigator.setAppBadge?.(count);
    else await navigator.clearAppBadge?.();
  } catch {
    // Not installed, or not allowed: the title says it.
  }
}

function follow({ target, detail: { count, text } }) {
  if (!("title" in target.dataset)) return;
  const next = count ? `(${text}) ` : "";
  if (next === prefix) return;
  prefix = next;
  if (prefix) used.add(prefix);
  retitle();
  badge(count);
}

document.addEventListener("notifications:count", follow);
new MutationObserver(retitle).observe(document.head, {
  childList: true,
  characterData: true,
  subtree: true,
});
