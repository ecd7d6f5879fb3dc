/**
 * <notification-list data-view data-live data-limit data-cursor … lang>
 *
 * Keeps its server-rendered rows up to date: puts new ones on top, marks them read,
 * takes removed ones away, loads older ones, and turns the form's buttons into
 * requests. New rows are clones of its <template>, filled with text only. Knows
 * nothing of the connection: it hears DOM events, whoever sends them.
 */

const SEEN_DELAY_MS = 250;
const UNDO_MS = 10_000;
const SCROLLED_PX = 8;

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

/** Return *forms*, a JSON object by the names of Intl.PluralRules, for *count*. */
function plural(forms, count, language) {
  const { [new Intl.PluralRules(language).select(count)]: form, other } =
    JSON.parse(forms);
  return (form ?? other).replace("{count}", String(count));
}

/** Return the day of *moment* in this browser's time zone, to compare. */
const dayOf = (moment) => new Date(moment).toDateString();

class NotificationList extends HTMLElement {
  #listening;
  #rows;
  #limit;
  #seenTimer;
  #undoTimer;
  #undo = null;
  #view;
  #inView = false;
  #waiting = new Map(); // id → what arrived while the reader was further down
  #stateOf = new WeakMap(); // row → as_of of the newest state it was given

  connectedCallback() {
    this.#listening = new AbortController();
    this.#rows = this.querySelector("[data-rows]");
    this.#limit = Number(this.dataset.limit ?? Infinity);
    const hear = (target, name, react, options = {}) =>
      target?.addEventListener(name, react, {
        ...options,
        signal: this.#listening.signal,
      });
    hear(document, "notifications:received", ({ detail }) => this.#receive(detail));
    hear(document, "notifications:page", ({ detail }) => this.#replace(detail));
    hear(document, "notifications:state", ({ detail }) => this.#follow(detail));
    hear(document, "notifications:removed", ({ detail }) => this.#remove(detail.ids));
    hear(document, "notifications:connection", ({ detail: { status } }) => {
      if (status === "signed-out") this.#signOut();
    });
    hear(document, "visibilitychange", () => {
      this.#settle(); // it may be another day
      this.#see();
    });
    hear(this, "submit", (event) => this.#submit(event));
    hear(this.#rows, "click", (event) => this.#open(event));
    hear(this.#rows, "auxclick", (event) => this.#open(event));
    hear(this.#more, "click", (event) => this.#loadMore(event));
    hear(this.#pill, "click", () => this.#showWaiting());
    hear(this.querySelector("[data-undo]"), "click", () => this.#takeBack());
    for (const scrolling of [this.#rows, document]) {
      hear(scrolling, "scroll", () => this.#onScroll(), { passive: true });
    }
    this.#view = new IntersectionObserver((changes) => {
      this.#inView = changes.at(-1).isIntersecting;
      this.#see();
    });
    this.#view.observe(this);
    this.#settle();
    // Inserted after the stream was opened: it may have missed something.
    const stream = document.querySelector("notification-stream[data-status]");
    if (stream && stream.dataset.status !== "closed") this.#emit("refetch");
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#view.disconnect();
    clearTimeout(this.#seenTimer);
    clearTimeout(this.#undoTimer);
  }

  get #more() {
    return this.querySelector("[data-more]");
  }

  get #pill() {
    return this.querySelector("[data-pill]");
  }

  // What arrives

  #receive(notification) {
    this.dataset.unseen = Number(this.dataset.unseen) + 1;
    if (!notification.replaces) this.dataset.unread = Number(this.dataset.unread) + 1;
    if (this.#isScrolled && !this.#row(notification.id)) {
      if (this.#belongs(notification)) this.#waiting.set(notification.id, notification);
      this.#showPill();
    } else {
      this.#put(notification);
    }
    this.#settle();
    this.#see();
  }

  #belongs({ category, read }) {
    if (!("live" in this.dataset)) return false;
    if (this.dataset.category && this.dataset.category !== category) return false;
    return !(this.dataset.view === "unread" && read);
  }

  #put(notification) {
    const { id, at } = notification;
    const old = this.#row(id);
    if (old && (at ?? 0) <= parse(old.dataset.cursor || "0-0")[0]) return;
    if (!old && !this.#belongs(notification)) return;
    const row = this.#make(notification, old);
    old?.remove();
    this.#insert(row);
    while (this.#rows.children.length > this.#limit) {
      this.#rows.lastElementChild.remove();
    }
    const upto = this.querySelector("[name=upto]");
    if (at && !isUpTo(row.dataset.cursor, upto.value)) upto.value = row.dataset.cursor;
  }

  #make(notification, old) {
    const name = `template[data-category="${CSS.escape(notification.category)}"]`;
    const template =
      this.querySelector(name) ?? this.querySelector("template:not([data-category])");
    const row = template.content.firstElementChild.cloneNode(true);
    this.#fill(row, notification);
    this.#setRead(row, notification.read ?? (old ? "read" in old.dataset : false));
    return row;
  }

  /** Put *row* where the inbox has it: the newest first. */
  #insert(row) {
    const moment = Date.parse(row.dataset.publishAt);
    const id = Number(row.dataset.notification);
    const next = [...this.#rows.children].find(({ dataset }) => {
      const later = moment - Date.parse(dataset.publishAt);
      return later > 0 || (later === 0 && id > Number(dataset.notification));
    });
    this.#rows.insertBefore(row, next ?? null);
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
    const { title, body } = this.#translated(notification);
    const texts = {
      title,
      name: title,
      body,
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
    if (!adjoins && next && this.dataset.view === "all" && !this.dataset.category) {
      this.#rows.replaceChildren();
      this.#setMore(next);
    }
    for (const notification of notifications) this.#put(notification);
    this.#settle();
  }

  /** Follow what was read, unread or archived, here or elsewhere. */
  #follow(state) {
    const read = new Set(state.read);
    const unread = new Set(state.unread_ids);
    const gone = new Set(
      this.dataset.view === "archived" ? state.unarchived : state.archived,
    );
    for (const row of [...this.#rows.children]) {
      const { notification, cursor } = row.dataset;
      const id = Number(notification);
      const isCovered = state.upto && cursor && isUpTo(cursor, state.upto);
      if (this.#stateOf.get(row) > state.as_of) continue;
      if (gone.has(id)) row.remove();
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
    const isBack = state.unarchived?.some((id) => !this.#row(id));
    if (isBack && "live" in this.dataset) this.#emit("refetch");
    this.#settle();
  }

  #remove(ids) {
    for (const id of ids) {
      this.#waiting.delete(id);
      this.#row(id)?.remove();
    }
    this.#showPill();
    this.#settle();
  }

  #signOut() {
    this.#rows.replaceChildren();
    this.#waiting.clear();
    this.#showPill();
    this.dataset.unread = 0;
    this.#settle();
    this.querySelector("[data-empty]").hidden = true;
    this.#more.hidden = true;
    this.#tell(this.dataset.signedOut);
  }

  // What waits while somebody reads further down: nothing may move under them

  get #isScrolled() {
    return (
      this.#rows.scrollTop > SCROLLED_PX ||
      this.#rows.getBoundingClientRect().top < -SCROLLED_PX
    );
  }

  #onScroll() {
    if (this.#waiting.size && !this.#isScrolled) this.#showWaiting();
  }

  #showPill() {
    const count = this.#waiting.size;
    this.#pill.hidden = count === 0;
    if (!count) return;
    this.#pill.textContent = plural(this.dataset.new, count, this.lang);
  }

  #showWaiting() {
    const hadFocus = this.#pill === document.activeElement;
    for (const notification of this.#waiting.values()) this.#put(notification);
    this.#waiting.clear();
    this.#showPill();
    this.#settle();
    if (!hadFocus) return;
    this.#rows.scrollTop = 0;
    if (this.#rows.getBoundingClientRect().top < 0) this.scrollIntoView();
    this.#rows.focus({ preventScroll: true });
  }

  // Older ones

  async #loadMore(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    if (this.#rows.ariaBusy === "true") return;
    const { searchParams } = new URL(this.#more.href);
    const url = new URL(this.dataset.list, location.href);
    url.search = searchParams;
    this.#rows.ariaBusy = "true";
    this.#tell("");
    try {
      const page = await this.#ask(url);
      const last = this.#rows.lastElementChild;
      this.#limit += page.notifications.length;
      for (const notification of page.notifications) {
        if (this.#row(notification.id)) continue;
        this.#insert(this.#make(notification));
      }
      this.#setMore(page.next);
      this.#settle();
      const first = last ? last.nextElementSibling : this.#rows.firstElementChild;
      first?.querySelector("a[href], button:not([hidden])")?.focus();
    } catch {
      this.#tell(this.dataset.notLoaded);
    } finally {
      this.#rows.ariaBusy = "false";
    }
  }

  #setMore(next) {
    const url = new URL(this.#more.href);
    if (next) url.searchParams.set("before", next);
    this.#more.search = url.search;
    this.#more.hidden = !next;
  }

  // What the user does

  async #submit(event) {
    const button = event.submitter;
    if (!button?.name) return;
    event.preventDefault();
    const data = new URLSearchParams(new FormData(event.target));
    data.set(button.name, button.value); // a form's data is without its button
    await this.#act(button.dataset.action ?? "read", this.#meant(button), button, data);
  }

  /** Return the rows that *button* is about. */
  #meant(button) {
    return [...this.#rows.children].filter((row) => {
      if (button.name === "only") return row.contains(button);
      if (button.name === "selected") return row.querySelector("[data-tick]:checked");
      const { cursor } = row.dataset;
      return cursor && isUpTo(cursor, this.querySelector("[name=upto]").value);
    });
  }

  #open(event) {
    const link = event.target.closest("a[href]");
    const row = link?.closest("[data-notification]");
    if (!row || "read" in row.dataset || event.button > 1) return;
    const button = row.querySelector('[data-action="read"]');
    const data = new URLSearchParams(new FormData(this.querySelector("form")));
    data.set("only", row.dataset.notification);
    this.#act("read", [row], button, data, { isQuiet: true });
  }

  /** Do it at once, ask the server, and take it back if that fails. */
  async #act(action, rows, button, data, { isQuiet = false } = {}) {
    const isMove = action === "archive" || action === "unarchive";
    const changed = rows.filter(
      (row) => isMove || "read" in row.dataset !== (action === "read"),
    );
    if (!changed.length && button.name !== "all") return;
    const takeBack = isMove ? this.#move(changed) : this.#mark(changed, action);
    this.#tell("");
    const state = await this.#post(button.formAction, data);
    if (!state) {
      takeBack();
      this.#tell(this.dataset.failed);
      return;
    }
    if (isQuiet || (button.name === "only" && !isMove)) return;
    const isArchive = action === "archive";
    const undo = {
      url: isArchive ? this.dataset.unarchived : this.dataset.unreadUrl,
      ids: changed.map((row) => row.dataset.notification),
      moment: state.undo,
      takeBack,
    };
    if (isArchive) this.#offerUndo(this.dataset.doneArchived, undo);
    else if (action === "read") this.#offerUndo(this.dataset.doneRead, undo);
  }

  /** Mark *rows*; return how to take that back. */
  #mark(rows, action) {
    const isRead = action === "read";
    const hadFocus = rows.find((row) => row.contains(document.activeElement));
    for (const row of rows) this.#setRead(row, isRead);
    hadFocus?.querySelector("[data-action]:not([hidden])")?.focus();
    return () => {
      for (const row of rows) this.#setRead(row, !isRead);
    };
  }

  /** Take *rows* away; return how to put them back. */
  #move(rows) {
    const hadFocus = rows.find((row) => row.contains(document.activeElement));
    const next = hadFocus?.nextElementSibling ?? hadFocus?.previousElementSibling;
    for (const row of rows) row.remove();
    this.#settle();
    if (hadFocus) {
      const target = next?.isConnected ? next.querySelector("a[href], button") : null;
      (target ?? this.#rows).focus({ preventScroll: true });
    }
    return () => {
      for (const row of rows) {
        if (!this.#row(row.dataset.notification)) this.#insert(row);
      }
      this.#settle();
    };
  }

  #offerUndo(text, undo) {
    this.#undo = undo;
    const done = this.querySelector("[data-done]");
    if (!done) return;
    done.hidden = false;
    done.querySelector("[data-message]").textContent = text;
    done.querySelector("[data-undo]").hidden = false;
    clearTimeout(this.#undoTimer);
    this.#undoTimer = setTimeout(() => {
      // Not from under somebody who is about to press it.
      if (!done.contains(document.activeElement)) this.#endUndo();
    }, UNDO_MS);
  }

  #endUndo() {
    clearTimeout(this.#undoTimer);
    this.#undo = null;
    const done = this.querySelector("[data-done]");
    if (!done) return;
    if (done.contains(document.activeElement)) {
      this.#rows.focus({ preventScroll: true });
    }
    done.hidden = true;
    done.querySelector("[data-message]").textContent = "";
  }

  async #takeBack() {
    const { url, ids, moment, takeBack } = this.#undo ?? {};
    if (!url) return;
    const form = new FormData(this.querySelector("form"));
    const data = new URLSearchParams();
    data.set("csrfmiddlewaretoken", form.get("csrfmiddlewaretoken"));
    if (moment) data.set("undo", moment);
    else for (const id of ids) data.append("id", id);
    this.#endUndo();
    takeBack();
    if (!(await this.#post(url, data))) this.#tell(this.dataset.failed);
  }

  /** Post, and let the whole page follow the state that is answered. */
  async #post(url, data) {
    try {
      const state = await this.#ask(url, {
        method: "POST",
        body: data,
        headers: {
          Accept: "application/json",
          "X-CSRFToken": data.get("csrfmiddlewaretoken"),
        },
        keepalive: true, // a click on a link leaves the page
      });
      if (data.has("all")) state.upto = data.get("upto");
      this.#emit("state", state);
      return state;
    } catch {
      return null;
    }
  }

  async #ask(url, options = { headers: { Accept: "application/json" } }) {
    const response = await fetch(url, options);
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    return response.json();
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
      const { action } = button.dataset;
      if (action === "read") button.hidden = isRead;
      else if (action === "unread") button.hidden = !isRead;
    }
  }

  #settle() {
    this.#setDays();
    this.querySelector("[data-empty]").hidden = this.#rows.children.length > 0;
    const all = this.querySelector("[data-all]");
    if (!all) return;
    if (all === document.activeElement && !Number(this.dataset.unread)) {
      this.#rows.focus({ preventScroll: true });
    }
    all.hidden = !Number(this.dataset.unread);
  }

  /** Let the first row of each day name it, in this browser's time zone. */
  #setDays() {
    let last;
    for (const row of this.#rows.children) {
      const heading = row.querySelector('[data-slot="day"]');
      if (!heading) continue;
      const day = dayOf(row.dataset.publishAt);
      heading.hidden = day === last;
      const text = day === last ? "" : this.#dayName(row.dataset.publishAt);
      if (heading.textContent !== text) heading.textContent = text;
      last = day;
    }
  }

  #dayName(moment) {
    const yesterday = new Date();
    yesterday.setDate(yesterday.getDate() - 1);
    if (dayOf(moment) === dayOf(Date.now())) return this.dataset.today;
    if (dayOf(moment) === dayOf(yesterday)) return this.dataset.yesterday;
    const words = new Intl.DateTimeFormat(this.lang, { dateStyle: "long" });
    return words.format(new Date(moment));
  }

  #tell(problem) {
    const message = this.querySelector("[data-problem]");
    if (message) message.textContent = problem;
  }

  #emit(name, detail) {
    const options = { bubbles: true, detail };
    this.dispatchEvent(new CustomEvent(`notifications:${name}`, options));
  }
}

if (!customElements.get("notification-list")) {
  customElements.define("notification-list", NotificationList);
}
