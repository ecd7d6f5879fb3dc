/**
 * Keys for a <notification-list>, while the focus is inside its rows:
 *
 *   ArrowDown, j  ArrowUp, k    the next and the previous row
 *   e                           archive, or move back to the inbox
 *   u                           mark read, or unread
 *
 * data-keys="off" on the list, or on anything around it, switches them off.
 */

const MOVES = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
const ACTIONS = {
  e: '[data-action="archive"], [data-action="unarchive"]',
  u: '[data-action="read"]:not([hidden]), [data-action="unread"]:not([hidden])',
};

function isTyping({ target }) {
  return (
    target.matches("textarea, select, [contenteditable]") ||
    (target.matches("input") && target.type !== "checkbox")
  );
}

function focusOn(row) {
  (row.querySelector("a[href]") ?? row.querySelector("button:not([hidden])"))?.focus();
}

document.addEventListener("keydown", (event) => {
  const rows = event.target.closest?.("notification-list [data-rows]");
  if (!rows || event.ctrlKey || event.metaKey || event.altKey || isTyping(event))
    return;
  if (rows.closest('[data-keys="off"]')) return;
  const row = event.target.closest("[data-notification]");
  const move = MOVES[event.key];
  if (move) {
    const next = row
      ? move > 0
        ? row.nextElementSibling
        : row.previousElementSibling
      : rows.firstElementChild;
    if (next) focusOn(next);
    event.preventDefault(); // the arrows would scroll, too
  } else if (row && ACTIONS[event.key]) {
    row.querySelector(ACTIONS[event.key])?.click();
    event.preventDefault();
  }
});
