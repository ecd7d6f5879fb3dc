/**
 * What a <notification-list> shows while it loads, and offers when that fails.
 *
 * The link to older ones adds them below instead of leaving the page; the rows are
 * aria-busy meanwhile. The list is while the connection reads the newest page again.
 * The style sheet draws there what is to come. Of what arrives on top, a list with
 * data-limit keeps no more than that, and goes on below with what it let go. A list
 * that was emptied gets older ones unasked.
 */

/** Return the cursor that the inbox goes on from below *row*. */
function cursorOf({ dataset: { publishAt, notification } }) {
  // A Date has milliseconds, a cursor microseconds.
  const [, digits] = /\.(\d{1,6})/.exec(publishAt) ?? [null, ""];
  const seconds = Math.floor(Date.parse(publishAt) / 1000);
  return `${seconds}${digits.padEnd(6, "0")}-${notification}`;
}

function keepToLimit(list) {
  // What is asked for adjoins what there is now.
  if (list.querySelector("[data-rows]").ariaBusy === "true") return;
  const { rows } = list;
  const limit = Number(list.dataset.limit ?? Infinity);
  if (rows.length <= limit) return;
  list.take(rows.slice(limit));
  list.goOnFrom(cursorOf(rows[limit - 1]));
}

function append(list, { notifications, next }) {
  const ids = new Set(list.rows.map(({ dataset }) => Number(dataset.notification)));
  const missing = notifications.filter(({ id }) => !ids.has(id));
  const { limit } = list.dataset;
  const length = list.rows.length + missing.length;
  if (limit) list.dataset.limit = Math.max(limit, length);
  for (const notification of missing) list.add(notification);
  list.goOnFrom(next);
}

async function loadOlder(list, { isQuiet = false } = {}) {
  const rows = list.querySelector("[data-rows]");
  if (rows.ariaBusy === "true") return;
  const last = rows.lastElementChild;
  const url = new URL(list.dataset.list, location.href);
  url.search = new URL(list.querySelector("[data-more]").href).search;
  // The page may be of whoever was signed in before: it gets nothing of anybody else.
  const { user } = document.querySelector("notification-stream")?.dataset ?? {};
  if (user) url.searchParams.set("user", user);
  rows.ariaBusy = "true";
  list.tell("");
  rows.scrollTop = rows.scrollHeight;
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    append(list, await response.json());
    if (isQuiet) return;
    const first = last ? last.nextElementSibling : rows.firstElementChild;
    (first?.querySelector("a[href], button:not([hidden])") ?? rows).focus();
  } catch {
    list.tell(list.dataset.notLoaded, "older");
  } finally {
    rows.ariaBusy = "false";
  }
}

function reloadNewest(list) {
  list.tell("");
  list.dispatchEvent(new CustomEvent("notifications:refetch", { bubbles: true }));
}

function follow(event) {
  const link = event.target.closest("a[data-more]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  loadOlder(link.closest("notification-list"));
}

function retry({ target }) {
  const button = target.closest("[data-retry]");
  const list = button?.closest("notification-list");
  if (!list) return;
  if (button.value === "older") loadOlder(list);
  else reloadNewest(list);
}

/** Nobody is done with a list while there are older ones. */
function fill(list) {
  const more = list.querySelector("[data-more]:not([hidden])");
  if (more && !list.rows.length) loadOlder(list, { isQuiet: true });
}

/** Let *react* have each list that shows the newest page, when *name* happens. */
function hear(name, react) {
  document.addEventListener(`notifications:${name}`, ({ detail }) => {
    const lists = document.querySelectorAll("notification-list[data-live]");
    for (const list of lists) react(list, detail);
  });
}

// Before any listener on the link itself: htmx's, where it is boosted, would follow.
document.addEventListener("click", follow, { capture: true });
document.addEventListener("click", retry);
document.addEventListener("notifications:listed", ({ target }) => {
  keepToLimit(target);
  fill(target);
});
hear("loading", (list) => {
  list.ariaBusy = "true";
});
hear("page", (list) => {
  list.ariaBusy = "false";
  if (list.querySelector('[data-retry][value="newest"]')) list.tell("");
});
hear("failed", (list) => {
  list.ariaBusy = "false";
  list.tell(list.dataset.notRefreshed, "newest");
});
hear("connection", (list, { status }) => {
  if (status === "signed-out") list.ariaBusy = "false";
});
