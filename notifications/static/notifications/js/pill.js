/**
 * “3 new”, in place of rows that would move a <notification-list> under somebody who
 * reads further down. They are put in when that is pressed, or the list's top is
 * reached.
 */

const SCROLLED_PX = 8;

const waiting = new Map(); // list → Map of id → what arrived meanwhile

/** Return *forms*, a JSON object by the names of Intl.PluralRules, for *count*. */
function plural(forms, count, language) {
  const { [new Intl.PluralRules(language).select(count)]: form, other } =
    JSON.parse(forms);
  return (form ?? other).replace("{count}", String(count));
}

/** Whether it was announced up to *bound*, a cursor. */
function isUpTo({ at, id }, bound) {
  const [lastAt, lastId] = bound.split("-").map(Number);
  return at < lastAt || (at === lastAt && id <= lastId);
}

function isScrolled(list) {
  const rows = list.querySelector("[data-rows]");
  return (
    rows.scrollTop > SCROLLED_PX || rows.getBoundingClientRect().top < -SCROLLED_PX
  );
}

function tell(list) {
  const count = waiting.get(list)?.size ?? 0;
  const pill = list.querySelector("[data-pill]");
  pill.hidden = count === 0;
  if (count) pill.textContent = plural(list.dataset.new, count, list.lang);
  else waiting.delete(list);
}

function hold(list, notification) {
  if (!waiting.has(list)) waiting.set(list, new Map());
  waiting.get(list).set(notification.id, notification);
  tell(list);
}

function letIn(list) {
  const hadFocus = list.querySelector("[data-pill]") === document.activeElement;
  for (const notification of waiting.get(list)?.values() ?? []) list.put(notification);
  waiting.delete(list);
  tell(list);
  if (!hadFocus) return;
  const rows = list.querySelector("[data-rows]");
  rows.scrollTop = 0;
  if (rows.getBoundingClientRect().top < 0) list.scrollIntoView();
  rows.focus({ preventScroll: true });
}

function letInWhereSeen() {
  for (const list of [...waiting.keys()]) if (!isScrolled(list)) letIn(list);
}

document.addEventListener("notifications:arriving", (event) => {
  if (!isScrolled(event.target)) return;
  event.preventDefault();
  hold(event.target, event.detail);
});
document.addEventListener("notifications:removed", ({ detail: { ids } }) => {
  for (const [list, notifications] of [...waiting]) {
    for (const id of ids) notifications.delete(id);
    tell(list);
  }
});
// What it holds is in no document, so nobody else keeps it true.
document.addEventListener("notifications:state", ({ detail: state }) => {
  for (const [list, notifications] of [...waiting]) {
    for (const id of state.archived ?? []) notifications.delete(id);
    for (const [id, notification] of notifications) {
      const isCovered = state.upto && isUpTo(notification, state.upto);
      if (state.unread_ids?.includes(id)) notification.read = false;
      else if (state.read?.includes(id) || isCovered) notification.read = true;
    }
    tell(list);
  }
});
document.addEventListener("notifications:page", ({ detail: { notifications } }) => {
  // The list shows that page; what it does not have of these is still to come.
  for (const [list, held] of [...waiting]) {
    for (const { id } of notifications) held.delete(id);
    tell(list);
  }
});
document.addEventListener("notifications:connection", ({ detail: { status } }) => {
  if (status !== "signed-out") return;
  for (const [list, notifications] of [...waiting]) {
    notifications.clear();
    tell(list);
  }
});
document.addEventListener("click", ({ target }) => {
  const list = target.closest("[data-pill]")?.closest("notification-list");
  if (list) letIn(list);
});
// It does not bubble: whatever scrolls, the page or the rows in it.
document.addEventListener("scroll", letInWhereSeen, { capture: true, passive: true });
