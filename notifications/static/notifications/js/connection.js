/**
 * <notification-stream data-stream data-state data-list data-cursor [data-events]>
 *
 * The page's one connection to the server, however many of these elements it has.
 * What arrives becomes bubbling DOM events on <body>, each with its data in detail:
 *
 *   notifications:received    a notification that this page has not had
 *   notifications:state       counts, and what was read, unread, archived
 *   notifications:removed     {ids}: recalled or expired
 *   notifications:page        {notifications, next}: the newest page, read again
 *   notifications:connection  {status}: connecting, open, reconnecting, polling,
 *                             signed-out or closed
 *   notifications:event       {name, data}: a project's own event
 *
 * It listens to notifications:refetch, and reads the newest page again. It knows
 * of no other element: it asks the document which notifications are shown.
 */

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
const POLL_MS = 60_000;
const STABLE_MS = 60_000;
const REMEMBERED = 1_000;
const MOST_SHOWN = 300;
// EventSource passes on only what it was told to expect. data-events adds names.
const PROJECT_EVENTS = ["progress", "status", "complete", "failed", "log", "token"];

const microseconds = (cursor) => Number(cursor?.split("-")[0] ?? 0);
const isVisible = () => document.visibilityState === "visible";

const elements = new Set();
let connection = null;

class Connection {
  #urls;
  #cursor;
  #names;
  #status = "closed";
  #source = null;
  #retry;
  #watchdog;
  #heartbeatMs = 15_000;
  #openedAt = 0;
  #failures = 0;
  #audiences;
  #known = new Map(); // id → when announced, for what this page has had

  constructor({ stream, state, list, cursor, events = "" }) {
    this.#urls = { stream, state, list };
    this.#cursor = cursor;
    this.#names = [...PROJECT_EVENTS, ...events.split(/\s+/).filter(Boolean)];
  }

  get status() {
    return this.#status;
  }

  open() {
    if (this.#source) return;
    clearTimeout(this.#retry);
    this.#say(this.#failures ? "reconnecting" : "connecting");
    const url = new URL(this.#urls.stream, location.href);
    url.searchParams.set("cursor", this.#cursor);
    const source = new EventSource(url);
    this.#source = source;
    for (const [name, handle] of Object.entries(this.#handlers)) {
      source.addEventListener(name, (event) => this.#take(event, handle));
    }
    for (const name of this.#names) {
      source.addEventListener(name, (event) =>
        this.#take(event, (data) => emit("event", { name, data })),
      );
    }
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      // The browser retries by itself, unless the answer was anything but 200.
      if (source.readyState === EventSource.CLOSED) this.#fail();
      else this.#say("reconnecting");
    });
    this.#watch();
  }

  close(status = "closed") {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#retry);
    clearTimeout(this.#watchdog);
    this.#say(status);
  }

  /** Come back at once, where waiting for it has become pointless. */
  wake() {
    const waiting = this.#status === "reconnecting" && !this.#source;
    if (waiting || this.#status === "polling") this.open();
  }

  /** Read the newest page of the inbox and the state again. */
  async refetch() {
    const page = await this.#get(this.#urls.list, {});
    if (!page) return;
    const before = microseconds(this.#cursor);
    // Before the page is shown: what is in the document counts as known.
    const arrived = page.notifications
      .filter(({ at }) => at > before)
      .map((notification) => this.#arrival(notification));
    if (!this.#source) this.#cursor = page.cursor;
    emit("page", page);
    for (const arrival of arrived.toReversed()) if (arrival) emit("received", arrival);
    await this.#reconcile();
  }

  #handlers = {
    hello: ({ audiences, heartbeat_ms: heartbeatMs }) => {
      const returned = this.#audiences !== undefined;
      const changed = returned && this.#audiences !== audiences;
      this.#audiences = audiences;
      this.#heartbeatMs = heartbeatMs;
      this.#openedAt = performance.now();
      this.#say("open");
      // What was read or recalled while away is not replayed.
      if (changed) this.refetch();
      else if (returned) this.#reconcile();
    },
    notification: (notification) => {
      const arrival = this.#arrival(notification);
      if (arrival) emit("received", arrival);
    },
    state: (state) => emit("state", state),
    removed: (removed) => emit("removed", removed),
    reset: () => this.refetch(),
    refresh: ({ within_ms: withinMs }) =>
      setTimeout(() => this.#reconcile(), Math.random() * withinMs),
    ping: () => {},
    bye: ({ reason }) => {
      if (reason === "expired" || reason === "limit") {
        this.close("connecting");
        this.open();
      } else if (reason === "logout") {
        this.close("signed-out");
      } else if (reason === "replaced") {
        // More pages than the server keeps streams for: a hidden one must not
        // fight the others for a place.
        this.close("polling");
        this.#poll();
      }
    },
  };

  #take(event, handle) {
    if (event.target !== this.#source) return;
    if (event.lastEventId) this.#cursor = event.lastEventId;
    this.#watch();
    handle(JSON.parse(event.data));
  }

  /** Return what to tell of *notification*; nothing if this page has had it. */
  #arrival(notification) {
    const { id, at } = notification;
    const row = document.querySelector(`[data-notification="${Number(id)}"]`);
    const known = this.#known.get(id) ?? (row ? microseconds(row.dataset.cursor) : -1);
    if (known >= (at ?? 0)) return null;
    this.#known.delete(id); // so that it is the youngest key again
    this.#known.set(id, at ?? 0);
    if (this.#known.size > REMEMBERED) {
      this.#known.delete(this.#known.keys().next().value);
    }
    return { ...notification, replaces: known >= 0 };
  }

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#fail(), 2.5 * this.#heartbeatMs);
  }

  /** EventSource gave up, or is silent. It never says why, so ask once. */
  async #fail() {
    const lastedMs = performance.now() - this.#openedAt;
    if (this.#openedAt && lastedMs > STABLE_MS) this.#failures = 0;
    this.#openedAt = 0;
    this.close("reconnecting");
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures++);
    await this.#reconcile();
    if (this.#status !== "reconnecting" || this.#source) return;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.open(), Math.random() * longest);
  }

  #poll() {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(
      async () => {
        if (isVisible()) await this.refetch();
        if (this.#status === "polling") this.#poll();
      },
      POLL_MS * (0.8 + 0.4 * Math.random()),
    );
  }

  async #reconcile() {
    const rows = [...document.querySelectorAll("[data-notification]")];
    const ids = new Set(rows.map((row) => row.dataset.notification).filter(Boolean));
    const shown = [...ids].slice(0, MOST_SHOWN).join();
    const state = await this.#get(this.#urls.state, { shown });
    if (!state) return;
    emit("state", state);
    if (state.removed?.length) emit("removed", { ids: state.removed });
  }

  /** Return what *url* answers as JSON, or undefined. */
  async #get(url, parameters) {
    const asked = new URL(url, location.href);
    for (const [name, value] of Object.entries(parameters)) {
      asked.searchParams.set(name, value);
    }
    try {
      const response = await fetch(asked, {
        headers: { Accept: "application/json" },
        cache: "no-store",
      });
      if (response.status === 401 || response.status === 403) this.close("signed-out");
      else if (response.ok && !response.redirected) return await response.json();
    } catch {
      // No network, or no JSON: the caller tries again later.
    }
    return undefined;
  }

  #say(status) {
    if (status === this.#status) return;
    this.#status = status;
    for (const element of elements) element.dataset.status = status;
    emit("connection", { status });
  }
}

function emit(name, detail) {
  document.body.dispatchEvent(
    new CustomEvent(`notifications:${name}`, { bubbles: true, detail }),
  );
}

function openWhenOthersListen() {
  // The modules that listen may follow this one in the document; all of them have
  // run when it is complete.
  if (document.readyState === "complete") connection?.open();
  else addEventListener("DOMContentLoaded", () => connection?.open(), { once: true });
}

class NotificationStream extends HTMLElement {
  connectedCallback() {
    elements.add(this);
    connection ??= new Connection(this.dataset);
    this.dataset.status = connection.status;
    openWhenOthersListen();
  }

  disconnectedCallback() {
    elements.delete(this);
    // Moved, or replaced by a new one, it is back before this runs.
    queueMicrotask(() => {
      if (elements.size || !connection) return;
      connection.close();
      connection = null;
    });
  }
}

if (!customElements.get("notification-stream")) {
  customElements.define("notification-stream", NotificationStream);
  // A page in the back/forward cache would keep its stream open on the server.
  addEventListener("pagehide", () => connection?.close());
  addEventListener("pageshow", () => {
    if (connection?.status === "closed" || connection?.status === "signed-out") {
      connection.open();
    }
  });
  addEventListener("online", () => connection?.wake());
  document.addEventListener("visibilitychange", () => {
    if (isVisible()) connection?.wake();
  });
  document.addEventListener("notifications:refetch", () => connection?.refetch());
}
