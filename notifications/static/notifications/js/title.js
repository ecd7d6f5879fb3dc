/**
 * Says how much waits where the page is not seen: "(3) " before its title, and on
 * the icon of a site that was installed as an app.
 *
 * Hears notifications:count {count, text} of bells with data-title, and
 * notifications:uncounted, one has left the page. A page that changes its title keeps
 * the count, and this keeps the page's title.
 */

let counted; // the icon may have any number, from a page before this one
let prefix = "";
const used = new Set();

/** Put the prefix before the title, in place of one that was there. */
function retitle() {
  const { title } = document;
  // Without its blank where nothing follows: a title is trimmed.
  const old = [...used].find((each) => `${title} `.startsWith(each)) ?? "";
  const isAsked = document.querySelector("notification-bell[data-title]") !== null;
  const wanted = (isAsked ? prefix : "") + title.slice(old.length);
  if (wanted.trim() !== title) document.title = wanted;
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
  if ("title" in target.dataset && count !== counted) {
    counted = count;
    prefix = count ? `(${text}) ` : "";
    if (prefix) used.add(prefix);
    badge(count);
  }
  retitle();
}

document.addEventListener("notifications:count", follow);
document.addEventListener("notifications:uncounted", retitle);
new MutationObserver(retitle).observe(document.head, {
  childList: true,
  characterData: true,
  subtree: true,
});
