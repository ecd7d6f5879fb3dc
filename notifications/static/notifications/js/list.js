/**
 * <notification-list data-view data-live data-limit data-cursor … lang>
 *
 * Keeps its server-rendered rows equal to the inbox: puts new ones on top, marks
 * them read, takes removed ones away. New rows are clones of its <template>, filled
 * with text only. Knows nothing of the connection: it hears DOM events, whoever sends
 * them. What is done with it is in the scripts beside this one, by its methods.
 *
 * Dispatches, bubbling:
 *   notifications:arriving  a notification that is about to be put among the rows;
 *                           preventDefault() keeps it out
 *   notifications:listed    rows came or went, whoever did it; and once at first
 */

/** Return [microseconds, id], as cursors compare. */
const parse = (cursor) => cursor.split("-").map(Number);

function isUpTo(cursor, bound) {
  const [at, id] = parse(cursor);
  const [lastAt, lastId] = parse(bound);
  return at < lastAt || (at === lastAt && id <= lastId);
}

/** Return *url* if it is a path on this site or http(s), else null. */
function safeUrl(url) {
  try {
    const { protocol, origin } = new URL(url, document.baseURI);
    if (url.startsWith("/")) return origin === location.origin ? url : null;
    return /^https?:/i.test(url) && /^https?:$/.test(protocol) ? url : null;
  } catch {
    return null;
  }
}

/** Whether the inbox has *row* above *other*: the newest first. */
function isAbove(row, other) {
  const later = Date.parse(row.dataset.publishAt) - Date.parse(other.dataset.publishAt);
  if (later) return later > 0;
  return Number(row.dataset.notification) > Number(other.dataset.notification);
}

class NotificationList extends HTMLElement {
  #listening;
  #rows;
  #blanks = new Map(); // category → row to clone; "" for those without their own
  #changes;
  #isSignedOut = false;
  #isCleared = false; // by that, and nothing was read since
  #stateOf = new WeakMap(); // row → as_of of the newest state it was given
  #latest = 0; // when the latest of what arrived was announced, in microseconds
  #completeUs; // it has all that was announced until then, but for older pages
  #arrived = null; // ids of what was put since the newest page was asked for

  connectedCallback() {
    this.#listening = new AbortController();
    this.#rows = this.querySelector("[data-rows]");
    for (const { dataset, content } of this.querySelectorAll("template")) {
      this.#blanks.set(dataset.category ?? "", content.firstElementChild);
      // For each one that submits a form, browsers look through all of the form.
      const buttons = content.querySelectorAll("button[data-action]");
      for (const button of buttons) button.type = "button";
    }
    this.#completeUs ??= parse(this.dataset.cursor)[0];
    const { signal } = this.#listening;
    const hear = (name, react) => {
      const listen = ({ detail }) => react(detail);
      document.addEventListener(`notifications:${name}`, listen, { signal });
    };
    hear("received", (notification) => this.#receive(notification));
    hear("loading", () => {
      this.#arrived ??= new Set();
    });
    hear("page", (page) => this.#replace(page));
    hear("state", (state) => this.#follow(state));
    hear("removed", ({ ids }) => {
      this.take(ids.map((id) => this.row(id)).filter(Boolean));
    });
    hear("connection", ({ status }) => {
      const wasSignedOut = this.#isSignedOut;
      this.#isSignedOut = status === "signed-out";
      if (this.#isSignedOut) this.#signOut();
      else if (wasSignedOut) this.tell("");
    });
    this.#changes = new MutationObserver(() => this.#settle());
    this.#changes.observe(this.#rows, { childList: true });
    this.#settle();
    // Inserted after the stream was opened: it may have missed something.
    const stream = document.querySelector("notification-stream[data-status]");
    if (stream && stream.dataset.status !== "closed") this.#emit("refetch");
    else if ("live" in this.dataset && this.#isOvertaken()) {
      addEventListener("load", () => this.#emit("refetch"), { once: true, signal });
    }
  }

  /** Whether another part of the page was made later, and has what this lacks. */
  #isOvertaken() {
    const others = document.querySelectorAll("notification-list [data-notification]");
    return [...others].some(
      ({ dataset: { cursor, notification } }) =>
        cursor && !isUpTo(cursor, this.dataset.cursor) && !this.row(notification),
    );
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#changes.disconnect();
  }

  // For the scripts beside this one

  get rows() {
    return [...this.#rows.children];
  }

  row(id) {
    return this.rows.find(({ dataset }) => Number(dataset.notification) === Number(id));
  }

  /** Return the rows of what was announced up to a cursor. */
  rowsUpTo(bound) {
    return this.rows.filter(
      ({ dataset: { cursor } }) => cursor && isUpTo(cursor, bound),
    );
  }

  /** Show *notification* in its place, unless it does not belong here or is older. */
  put(notification) {
    if (this.#isSignedOut) return;
    const { id, at } = notification;
    const old = this.row(id);
    if (old && (at ?? 0) <= parse(old.dataset.cursor || "0-0")[0]) return;
    if (!old && !this.#belongs(notification)) return;
    this.add(notification, old);
    if (!old) this.#arrived?.add(id);
    const upto = this.querySelector("[name=upto]");
    const { cursor } = this.row(id).dataset;
    if (at && !isUpTo(cursor, upto.value)) upto.value = cursor;
  }

  /** Make a row of *notification* and put it in its place; *old* one goes. */
  add(notification, old = null) {
    const row = this.#make(notification, old);
    const focused = old?.contains(document.activeElement) && document.activeElement;
    const tick = row.querySelector("[data-tick]");
    if (tick) tick.checked = old?.querySelector("[data-tick]")?.checked ?? false;
    old?.remove();
    this.insert(row);
    if (!focused) return;
    const kind = focused.matches("a") ? "a[href]" : "button:not([hidden])";
    row.querySelector(kind)?.focus({ preventScroll: true });
  }

  /** Put *row* where the inbox has it. */
  insert(row) {
    if (this.#isSignedOut) return; // the answer to what was asked before
    const { lastElementChild: last } = this.#rows;
    // Older ones go to the end and new ones to the top: nearly all, in one step.
    const isLast = !last || isAbove(last, row);
    const next = isLast ? null : this.rows.find((other) => isAbove(row, other));
    this.#rows.insertBefore(row, next ?? null);
  }

  /** Take *rows* away; the focus, if it was in one, goes to what follows. */
  take(rows) {
    const all = this.rows;
    const going = new Set(rows);
    const place = all.findIndex((row) => row.contains(document.activeElement));
    const hadFocus = going.has(all[place]);
    const stays = (row) => !going.has(row);
    const next = all.slice(place).find(stays) ?? all.slice(0, place).findLast(stays);
    for (const row of rows) row.remove();
    if (!hadFocus) return;
    const target = next?.querySelector("a[href], button:not([hidden])");
    (target ?? this.#rows).focus({ preventScroll: true });
  }

  mark(row, isRead) {
    const { activeElement: focused } = document;
    row.toggleAttribute("data-read", isRead);
    const mark = row.querySelector('[data-slot="unread"]');
    if (mark) mark.hidden = isRead;
    for (const button of row.querySelectorAll("[data-action]")) {
      const { action } = button.dataset;
      if (action === "read") button.hidden = isRead;
      else if (action === "unread") button.hidden = !isRead;
    }
    // The button that has the focus gives way to its opposite.
    if (!focused?.hidden || !row.contains(focused)) return;
    row.querySelector("[data-action]:not([hidden])")?.focus({ preventScroll: true });
  }

  /**
   * Have the link to older ones go on from *next*, a cursor; hide it if that is null.
   *
   * From "" on they are all.
   */
  goOnFrom(next) {
    const more = this.querySelector("[data-more]");
    const url = new URL(more.href);
    if (next !== null) url.searchParams.set("before", next);
    more.search = url.search;
    more.hidden = next === null || this.#isSignedOut;
    this.#show();
  }

  /** Say *problem*, and offer to have *what* again: "older" ones, or the "newest". */
  tell(problem, what = "") {
    const retry = this.querySelector("[data-retry]");
    if (retry === document.activeElement) this.#rows.focus({ preventScroll: true });
    retry.value = what;
    retry.hidden = !what;
    this.querySelector("[data-problem]").textContent = problem;
  }

  // What arrives

  #receive(notification) {
    this.#latest = Math.max(this.#latest, notification.at ?? 0);
    if (!this.#arrived) this.#completeUs = Math.max(this.#completeUs, this.#latest);
    this.dataset.unseen = Number(this.dataset.unseen) + 1;
    const isUnread = !notification.replaces && !notification.read;
    if (isUnread) this.dataset.unread = Number(this.dataset.unread) + 1;
    const isHere = this.row(notification.id) !== undefined;
    const isNew = !isHere && this.#belongs(notification);
    if (isHere || (isNew && this.#emit("arriving", notification)))
      this.put(notification);
    this.#show();
  }

  #belongs({ category, read }) {
    if (!("live" in this.dataset)) return false;
    if (this.dataset.category && this.dataset.category !== category) return false;
    return !(this.dataset.view === "unread" && read);
  }

  /** Show the newest page as it was read again; keep older rows if they adjoin. */
  #replace({ notifications, next, cursor }) {
    const wasCleared = this.#isCleared;
    this.#isCleared = false;
    if (!("live" in this.dataset)) {
      // That page is not of what it lists; but its user is signed in again.
      if (wasCleared) this.#startOver();
      return;
    }
    // Between what arrived since it was asked for and the rest there may be a gap.
    const isOld = (row) => !this.#arrived?.has(Number(row.dataset.notification));
    const old = this.rows.filter(isOld);
    this.#arrived = null;
    // A list that has few of them may have none of that page, and miss nothing.
    const adjoins = notifications.some(
      ({ id, at }) => (at && at <= this.#completeUs) || old.includes(this.row(id)),
    );
    if (!adjoins && next) {
      this.take(old);
      this.goOnFrom(next);
    }
    const [first] = adjoins ? old : [];
    const top = first ? Date.parse(first.dataset.publishAt) : Infinity;
    for (const notification of notifications) {
      const isAboveAll = Date.parse(notification.publish_at) > top;
      const isNew =
        isAboveAll && !this.row(notification.id) && this.#belongs(notification);
      if (!isNew || this.#emit("arriving", notification)) this.put(notification);
    }
    this.#completeUs = Math.max(this.#completeUs, parse(cursor)[0]);
    this.#show();
  }

  /** Follow what was read, unread or archived, here or elsewhere. */
  #follow(state) {
    const read = new Set(state.read);
    const unread = new Set(state.unread_ids);
    const gone = new Set(
      this.dataset.view === "archived" ? state.unarchived : state.archived,
    );
    for (const row of this.rows) {
      const { notification, cursor } = row.dataset;
      const id = Number(notification);
      const isCovered = state.upto && cursor && isUpTo(cursor, state.upto);
      if (this.#stateOf.get(row) > state.as_of) continue;
      if (gone.has(id)) this.take([row]);
      else if (unread.has(id)) this.mark(row, false);
      else if (read.has(id) || isCovered) this.mark(row, true);
      else continue;
      this.#stateOf.set(row, state.as_of);
    }
    if (state.as_of >= Number(this.dataset.asOf)) {
      // What was announced since is not in it; here it matters whether there is any.
      const since = Number(this.#latest > state.as_of);
      this.dataset.asOf = state.as_of;
      this.dataset.unread = state.unread + since;
      this.dataset.unseen = state.unseen + since;
    }
    const back = [...(state.unarchived ?? []), ...this.#unreadAgain(state)];
    const isBack = back.some((id) => !this.row(id));
    if (isBack && "live" in this.dataset) this.#emit("refetch");
    this.#show();
  }

  /**
   * Return the ids that a list of what is unread may lack: those of a change.
   *
   * The state of what the page shows, which tells what was removed too, has those of
   * other lists: it is asked for after each reading, and would cause the next.
   */
  #unreadAgain({ unread_ids: ids, removed }) {
    return this.dataset.view === "unread" && !removed && ids ? ids : [];
  }

  /** Go on from where the page began: a list without rows gets older ones unasked. */
  #startOver() {
    const here = new URL(this.querySelector("[name=next]").value, document.baseURI);
    this.goOnFrom(here.searchParams.get("before") ?? "");
    this.#emit("listed");
  }

  #signOut() {
    this.#isCleared = true;
    this.take(this.rows);
    this.goOnFrom(null);
    this.#completeUs = 0;
    this.dataset.unread = 0;
    this.#show();
    this.tell(this.dataset.signedOut);
  }

  // A row

  #make(notification, old) {
    const blank = this.#blanks.get(notification.category) ?? this.#blanks.get("");
    const row = blank.cloneNode(true);
    this.#fill(row, notification);
    this.mark(row, notification.read ?? (old ? "read" in old.dataset : false));
    return row;
  }

  #fill(row, notification) {
    const { id, at, level, category, actor, target } = notification;
    row.dataset.notification = id;
    row.dataset.cursor = at ? `${at}-${id}` : "";
    row.dataset.publishAt = notification.publish_at;
    row.dataset.level = level;
    row.dataset.category = category;
    for (const input of row.querySelectorAll("[name=only], [name=id]")) {
      input.value = id;
    }
    const label = this.getAttribute(`data-level-${notification.level_name}`);
    const language = this.lang.toLowerCase();
    const { translations } = notification;
    const words = translations?.[language] ?? translations?.[language.split("-")[0]];
    const title = words?.title || notification.title;
    const texts = {
      title,
      name: title,
      body: words?.body || notification.body,
      level: label ? `${label}:` : "",
      actor,
      target,
      category,
    };
    for (const [name, text] of Object.entries(texts)) {
      for (const slot of row.querySelectorAll(`[data-slot="${name}"]`)) {
        slot.textContent = text;
        slot.hidden = !text;
      }
    }
    const url = safeUrl(notification.url);
    if (url) row.querySelector("[data-link]")?.setAttribute("href", url);
    const time = row.querySelector('[data-slot="time"]');
    if (time) time.dateTime = notification.publish_at;
  }

  // What its changes entail

  #settle() {
    this.#show();
    this.#emit("listed");
  }

  #show() {
    const isEmpty = !this.#rows.children.length && !this.#isCleared;
    const hasMore = this.querySelector("[data-more]:not([hidden])") !== null;
    this.querySelector("[data-empty]").hidden = !isEmpty || hasMore;
    const all = this.querySelector("[data-all]");
    if (!all) return;
    if (all === document.activeElement && !Number(this.dataset.unread)) {
      this.#rows.focus({ preventScroll: true });
    }
    all.hidden = !Number(this.dataset.unread);
  }

  /** Dispatch it; return whether nobody prevented it. */
  #emit(name, detail) {
    const options = { bubbles: true, cancelable: true, detail };
    return this.dispatchEvent(new CustomEvent(`notifications:${name}`, options));
  }
}

if (!customElements.get("notification-list")) {
  customElements.define("notification-list", NotificationList);
}
