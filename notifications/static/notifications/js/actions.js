/**
 * What somebody does in a <notification-list>: marks, archives, follows a link.
 *
 * It is shown at once, asked of the server, and taken back if that fails. What can be
 * undone can be for ten seconds. Without this script the buttons are a form's, and
 * links are links.
 */

const UNDO_MS = 10_000;
const MOST_IDS = 500; // that one request may have

const undos = new WeakMap(); // list → {url, data, takeBack}
const timers = new WeakMap(); // list → when that ends

const rowsOf = (list) => list.querySelector("[data-rows]");

function dataOf(list) {
  return new URLSearchParams(new FormData(list.querySelector("form")));
}

/** The token is perhaps from before a login: the newest page comes with another. */
function renewToken(element) {
  element.dispatchEvent(new CustomEvent("notifications:refetch", { bubbles: true }));
}

/** Post *data*, and let the whole page follow the state that is answered. */
async function post(list, url, data) {
  try {
    const response = await fetch(url, {
      method: "POST",
      body: data,
      headers: {
        Accept: "application/json",
        "X-CSRFToken": data.get("csrfmiddlewaretoken"),
      },
      keepalive: true, // a click on a link leaves the page
    });
    if (response.status === 403) renewToken(list);
    if (!response.ok || response.redirected) return null;
    const detail = await response.json();
    if (data.has("all")) detail.upto = data.get("upto");
    list.dispatchEvent(
      new CustomEvent("notifications:state", { bubbles: true, detail }),
    );
    return detail;
  } catch {
    return null;
  }
}

/** Return *data* in as many pieces as its ids take. */
function pieces(data) {
  const ids = data.getAll("id");
  data.delete("id");
  // They are of what is ticked beside that; and too many are no form any more.
  if (!ids.length || data.has("only") || data.has("all")) return [data];
  return Array.from({ length: Math.ceil(ids.length / MOST_IDS) }, (_, number) => {
    const piece = new URLSearchParams(data);
    const start = number * MOST_IDS;
    for (const id of ids.slice(start, start + MOST_IDS)) piece.append("id", id);
    return piece;
  });
}

/** Post *data*; return the state after it, null if a piece failed, and what was saved. */
async function save(list, url, data) {
  const saved = new Set();
  let state = null;
  for (const piece of pieces(data)) {
    state = await post(list, url, piece);
    if (!state) break;
    for (const id of piece.getAll("id")) saved.add(id);
  }
  return { state, saved };
}

/** Return the rows that *button* is about. */
function meant(list, button) {
  if (button.name === "all") return list.rowsUpTo(dataOf(list).get("upto"));
  return list.rows.filter((row) =>
    button.name === "only"
      ? row.contains(button)
      : row.querySelector("[data-tick]:checked"),
  );
}

/** Mark *rows*; return how to take that back, of all or of some. */
function mark(list, rows, action) {
  const isRead = action === "read";
  for (const row of rows) list.mark(row, isRead);
  return (some = rows) => {
    for (const row of some) list.mark(row, !isRead);
  };
}

/** Take *rows* away; return how to put them back, all or some. */
function move(list, rows) {
  list.take(rows);
  return (some = rows) => {
    for (const row of some) {
      if (!list.row(row.dataset.notification)) list.insert(row);
    }
  };
}

async function act(list, action, rows, { name, url, data, isQuiet = false }) {
  const isMove = action === "archive" || action === "unarchive";
  const changed = rows.filter(
    (row) => isMove || "read" in row.dataset !== (action === "read"),
  );
  if (!changed.length && name !== "all") return;
  const takeBack = isMove ? move(list, changed) : mark(list, changed, action);
  // Whoever presses it now means this.
  if (isMove || name !== "only") endUndo(list);
  list.tell("");
  const { state, saved } = await save(list, url, data);
  if (!state) {
    takeBack(changed.filter(({ dataset }) => !saved.has(dataset.notification)));
    list.tell(list.dataset.failed);
    return;
  }
  if (isQuiet || (name === "only" && !isMove)) return;
  const isArchive = action === "archive";
  if (!isArchive && action !== "read") return;
  const undo = new URLSearchParams();
  undo.set("csrfmiddlewaretoken", data.get("csrfmiddlewaretoken"));
  if (state.undo) undo.set("undo", state.undo);
  else for (const row of changed) undo.append("id", row.dataset.notification);
  offerUndo(list, {
    text: isArchive ? list.dataset.doneArchived : list.dataset.doneRead,
    url: isArchive ? list.dataset.unarchived : list.dataset.unreadUrl,
    data: undo,
    takeBack,
  });
}

function offerUndo(list, undo) {
  undos.set(list, undo);
  const done = list.querySelector("[data-done]");
  if (!done) return;
  done.querySelector("[data-message]").textContent = undo.text;
  done.querySelector("[data-undo]").hidden = false;
  clearTimeout(timers.get(list));
  const end = () => {
    if (!done.contains(document.activeElement)) endUndo(list);
    // Not from under somebody who is about to press it.
    else done.addEventListener("focusout", () => endUndo(list), { once: true });
  };
  timers.set(list, setTimeout(end, UNDO_MS));
}

function endUndo(list) {
  clearTimeout(timers.get(list));
  undos.delete(list);
  const done = list.querySelector("[data-done]");
  if (!done) return;
  if (done.contains(document.activeElement)) {
    rowsOf(list).focus({ preventScroll: true });
  }
  done.querySelector("[data-undo]").hidden = true;
  done.querySelector("[data-message]").textContent = "";
}

async function undo(list) {
  const { url, data, takeBack } = undos.get(list) ?? {};
  if (!url) return;
  endUndo(list);
  takeBack();
  const { state, saved } = await save(list, url, data);
  // What the page was told between two pieces was not all yet.
  if (state && saved.size > MOST_IDS) takeBack();
  if (state) return;
  list.tell(list.dataset.failed);
  // What is shown is not so: read it again, as soon as that is possible.
  list.dispatchEvent(new CustomEvent("notifications:refetch", { bubbles: true }));
}

/** Do what *button* says; return whether it is one of a list's. */
function press(button) {
  const list = button?.name && button.closest("notification-list");
  if (!list) return false;
  const data = new URLSearchParams(new FormData(button.form));
  data.set(button.name, button.value); // a form's data is without its button
  const { name, formAction: url } = button;
  act(list, button.dataset.action ?? "read", meant(list, button), { name, url, data });
  return true;
}

/** Mark read what a link is followed of, in this tab or in another. */
function open(event) {
  const row = event.target.closest("a[href]")?.closest("[data-notification]");
  const list = row?.closest("notification-list");
  if (!list || "read" in row.dataset || event.button > 1) return;
  const data = dataOf(list);
  data.set("only", row.dataset.notification);
  // The form's own address; a site's rows may have no button for it.
  const url = list.querySelector("form").action;
  act(list, "read", [row], { name: "only", url, data, isQuiet: true });
}

// Before any listener on the form itself: htmx's, where it is boosted, would post too.
document.addEventListener(
  "submit",
  (event) => {
    if (!press(event.submitter)) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);
document.addEventListener("click", ({ target }) => {
  press(target.closest("button[type=button][data-action]")); // of a row that was cloned
});
document.addEventListener("click", open);
document.addEventListener("auxclick", open);
document.addEventListener("click", ({ target }) => {
  const list = target.closest("[data-undo]")?.closest("notification-list");
  if (list) undo(list);
});
