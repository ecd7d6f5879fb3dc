/**
 * <notification-list data-live data-limit data-cursor … lang>
 *
 * Keeps its server-rendered rows up to date: puts new ones on top, marks them read,
 * takes removed ones away, and turns the form's buttons into requests. New rows
 * are clones of its <template>, filled with text only. Knows nothing of the
 * connection: it hears DOM events, whoever sends them.
 */

const SEEN_DELAY_MS = 250;

/** Return [microseconds, id], which is how cursors compare. */
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

class NotificationList extends HTMLElement {
  #listening;
  #rows;
  #seenTimer;
  #view;
  #inView = false;
  #stateOf = new WeakMap(); // row → as_of of the newest state it was given

  connectedCallback() {
    this.#listening = new AbortController();
    this.#rows = this.querySelector("[data-rows]");
    const hear = (target, name, react) =>
      target.addEventListener(name, react, { signal: this.#listening.signal });
    hear(document, "notifications:received", ({ detail }) => this.#receive(detail));
    hear(document, "notifications:page", ({ detail }) => this.#replace(detail));
    hear(document, "notifications:state", ({ detail }) => this.#follow(detail));
    hear(document, "notifications:removed", ({ detail }) => this.#remove(detail.ids));
    hear(document, "notifications:connection", ({ detail: { status } }) => {
      if (status === "signed-out") this.#signOut();
    });
    hear(document, "visibilitychange", () => this.#see());
    hear(this, "submit", (event) => this.#submit(event));
    hear(this.#rows, "click", (event) => this.#open(event));
    hear(this.#rows, "auxclick", (event) => this.#open(event));
    this.#view = new IntersectionObserver((changes) => {
      this.#inView = changes.at(-1).isIntersecting;
      this.#see();
    });
    this.#view.observe(this);
    // Inserted after the stream was opened: it may have missed something.
    const stream = document.querySelector("notification-stream[data-status]");
    if (stream && stream.dataset.status !== "closed") this.#emit("refetch");
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#view.disconnect();
    clearTimeout(this.#seenTimer);
  }

  // What arrives

  #receive(notification) {
    this.dataset.unseen = Number(this.dataset.unseen) + 1;
    if (!notification.replaces) this.dataset.unread = Number(this.dataset.unread) + 1;
    this.#put(notification);
    this.#settle();
    this.#see();
  }

  #put(notification) {
    const { id, at } = notification;
    const old = this.#row(id);
    if (old && (at ?? 0) <= parse(old.dataset.cursor || "0-0")[0]) return;
    const isUnwanted = "unreadOnly" in this.dataset && notification.read;
    if (!old && (isUnwanted || !("live" in this.dataset))) return;
    const template = this.querySelector("template").content;
    const row = template.firstElementChild.cloneNode(true);
    this.#fill(row, notification);
    this.#setRead(row, notification.read ?? (old ? "read" in old.dataset : false));
    old?.remove();
    const moment = Date.parse(notification.publish_at);
    const next = [...this.#rows.children].find(({ dataset }) => {
      const later = moment - Date.parse(dataset.publishAt);
      return later > 0 || (later === 0 && id > Number(dataset.notification));
    });
    this.#rows.insertBefore(row, next ?? null);
    const limit = Number(this.dataset.limit ?? Infinity);
    while (this.#rows.children.length > limit) this.#rows.lastElementChild.remove();
    const upto = this.querySelector("[name=upto]");
    if (at && !isUpTo(row.dataset.cursor, upto.value)) upto.value = row.dataset.cursor;
  }

  #fill(row, notification) {
    const { id, at, level, category, actor, target } = notification;
    row.dataset.notification = id;
    row.dataset.cursor = at ? `${at}-${id}` : "";
    row.dataset.publishAt = notification.publish_at;
    row.dataset.level = level;
    row.dataset.category = category;
    for (const button of row.querySelectorAll("[name=id]")) button.value = id;
    const label = this.getAttribute(`data-level-${notification.level_name}`);
    const texts = {
      ...this.#translated(notification),
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

  #translated({ title, body, translations }) {
    const language = this.lang.toLowerCase();
    const words = translations?.[language] ?? translations?.[language.split("-")[0]];
    return { title: words?.title || title, body: words?.body || body };
  }

  /** Show the newest page as it was read again; keep older rows if they adjoin. */
  #replace({ notifications, next }) {
    if (!("live" in this.dataset)) return;
    const adjoins = notifications.some(({ id }) => this.#row(id));
    if (!adjoins && next && !("unreadOnly" in this.dataset)) {
      this.#rows.replaceChildren();
      const link = this.dataset.limit ? null : document.querySelector("a[data-next]");
      const search = `?before=${encodeURIComponent(next)}`;
      if (link) Object.assign(link, { search, hidden: false });
    }
    for (const notification of notifications) this.#put(notification);
    this.#settle();
  }

  /** Follow what was read, unread or archived, here or elsewhere. */
  #follow(state) {
    const read = new Set(state.read);
    const unread = new Set(state.unread_ids);
    const archived = new Set(state.archived);
    for (const row of [...this.#rows.children]) {
      const { notification, cursor } = row.dataset;
      const id = Number(notification);
      const isCovered = state.upto && cursor && isUpTo(cursor, state.upto);
      if (this.#stateOf.get(row) > state.as_of) continue;
      if (archived.has(id)) row.remove();
      else if (unread.has(id)) this.#setRead(row, false);
      else if (read.has(id) || isCovered) this.#setRead(row, true);
      else continue;
      this.#stateOf.set(row, state.as_of);
    }
    if (state.as_of >= Number(this.dataset.asOf)) {
      this.dataset.asOf = state.as_of;
      this.dataset.unread = state.unread;
      this.dataset.unseen = state.unseen;
    }
    this.#settle();
  }

  #remove(ids) {
    for (const id of ids) this.#row(id)?.remove();
    this.#settle();
  }

  #signOut() {
    this.#rows.replaceChildren();
    this.dataset.unread = 0;
    this.#settle();
    this.querySelector("[data-empty]").hidden = true;
    this.#say(this.dataset.signedOut);
  }

  // What the user does

  async #submit(event) {
    const button = event.submitter;
    if (!button?.name) return;
    event.preventDefault();
    const data = new URLSearchParams(new FormData(event.target));
    data.set(button.name, button.value); // a form's data is without its button
    const isRead = button.dataset.action !== "unread";
    const rows = [...this.#rows.children].filter((row) =>
      button.name === "id"
        ? row.contains(button)
        : row.dataset.cursor && isUpTo(row.dataset.cursor, data.get("upto")),
    );
    await this.#mark(rows, isRead, button.formAction, data);
  }

  #open(event) {
    const link = event.target.closest("a[href]");
    const row = link?.closest("[data-notification]");
    if (!row || "read" in row.dataset || event.button > 1) return;
    const button = row.querySelector('[data-action="read"]');
    const data = new URLSearchParams(new FormData(this.querySelector("form")));
    data.set("id", row.dataset.notification);
    this.#mark([row], true, button.formAction, data);
  }

  /** Mark at once, ask the server, and take it back if that fails. */
  async #mark(rows, isRead, url, data) {
    const changed = rows.filter((row) => "read" in row.dataset !== isRead);
    const hadFocus = changed.find((row) => row.contains(document.activeElement));
    for (const row of changed) this.#setRead(row, isRead);
    hadFocus?.querySelector("[data-action]:not([hidden])")?.focus();
    this.#say("");
    if (await this.#post(url, data)) return;
    for (const row of changed) this.#setRead(row, !isRead);
    this.#say(this.dataset.failed);
  }

  /** Post, and let the whole page follow the state that is answered. */
  async #post(url, data) {
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
      if (!response.ok || response.redirected) return false;
      const state = await response.json();
      if (data.has("all")) state.upto = data.get("upto");
      this.#emit("state", state);
      return true;
    } catch {
      return false;
    }
  }

  /** What is in view of somebody who is looking has been seen. */
  #see() {
    const isSeen = this.#inView && document.visibilityState === "visible";
    if (!isSeen || !Number(this.dataset.unseen)) return;
    clearTimeout(this.#seenTimer);
    this.#seenTimer = setTimeout(() => {
      const data = new URLSearchParams(new FormData(this.querySelector("form")));
      this.#post(this.dataset.seen, data);
    }, SEEN_DELAY_MS);
  }

  // What it looks like

  #row(id) {
    return this.#rows.querySelector(`[data-notification="${Number(id)}"]`);
  }

  #setRead(row, isRead) {
    row.toggleAttribute("data-read", isRead);
    const mark = row.querySelector('[data-slot="unread"]');
    if (mark) mark.hidden = isRead;
    for (const button of row.querySelectorAll("[data-action]")) {
      button.hidden = (button.dataset.action === "read") === isRead;
    }
  }

  #settle() {
    this.querySelector("[data-empty]").hidden = this.#rows.children.length > 0;
    const all = this.querySelector("[data-all]");
    if (all === document.activeElement && !Number(this.dataset.unread)) {
      this.#rows.focus({ preventScroll: true });
    }
    all.hidden = !Number(this.dataset.unread);
  }

  #say(text) {
    const message = this.querySelector("[data-message]");
    if (message) message.textContent = text;
  }

  #emit(name, detail) {
    const options = { bubbles: true, detail };
    this.dispatchEvent(new CustomEvent(`notifications:${name}`, options));
  }
}

if (!customElements.get("notification-list")) {
  customElements.define("notification-list", NotificationList);
}
