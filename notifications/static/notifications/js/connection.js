/**
 * <notification-stream data-stream data-state data-list data-worker data-user
 *                      data-cursor [data-events]>
 *
 * The page's connection to the server, however many of these elements it has. It
 * falls and climbs by itself: shared, one connection for all tabs, in a worker;
 * tab, one of its own while it is visible; polling, when nothing streams. What
 * arrives becomes bubbling DOM events on <body>, each with its data in detail:
 *
 *   notifications:received    a notification that this page has not had; age_ms is how
 *                             long ago it was published, or announced if that was
 *                             before, by the server's clock; was_missed, whether the
 *                             page was frozen then
 *   notifications:state       counts, and what was read, unread, archived
 *   notifications:removed     {ids}: recalled or expired
 *   notifications:numbers     what became of broadcasts has changed; for staff
 *   notifications:loading     the newest page is read again
 *   notifications:page        {notifications, next}: that is it
 *   notifications:failed      it could not be read; it will be when the stream is back
 *   notifications:connection  {status, transport}: connecting, open, reconnecting,
 *                             polling, signed-out or closed; shared or tab
 *   notifications:event       {name, data}: a project's own event
 *
 * It listens to notifications:refetch, and reads the newest page again. It knows
 * of no other element: it asks the document which notifications are shown.
 */

const WORKER_MS = 5_000;
const QUIET_MS = 45_000;
const ANSWER_MS = 5_000;
const HIDDEN_MS = 3_000;
const POLL_MS = 60_000;
const REQUEST_MS = 10_000;
// A broadcast is recalled on all pages at once, and they ask one after another.
const RECOUNT_MS = 1_000;
const REMEMBERED = 1_000;
const MOST_ASKED = 300; // at a time, which makes a URL of some 3,000 characters
const OURS = "notification-list, notification-banners, notification-banners template";
const TOKEN = "[name=csrfmiddlewaretoken]";

const microseconds = (cursor) => Number(cursor?.split("-")[0] ?? 0);
const isVisible = () => document.visibilityState === "visible";

const elements = new Set();
let connection = null;
let policy;

/** Return the worker's address, as a page under Trusted Types may use it. */
function scriptUrl(url) {
  policy ??= globalThis.trustedTypes?.createPolicy("notifications", {
    createScriptURL(given) {
      if (new URL(given).origin === location.origin) return given;
      throw new TypeError(`${given} is not of this site`);
    },
  });
  return policy ? policy.createScriptURL(url) : url;
}

class Connection {
  #urls;
  #user;
  #events = new Set(); // names of the project's own
  #cursor;
  #status = "closed";
  #transport = "";
  #port = null;
  #mayShare = true;
  #audiences;
  #aheadUs; // by how much the server's clock is ahead of this machine's
  #isStale = false; // something could not be read, and must be once it can
  #resumedAt = 0;
  #isReading = false; // the newest page
  #isAskedAgain = false; // meanwhile
  #isHinted = false;
  #madeUs; // when the page was made, by the server's clock
  #isFresh = true; // no state came since the page was made
  #known = new Map(); // id → when announced, for what this page has had
  #answer;
  #quiet;
  #hiding;
  #polling;
  #reconciling;

  constructor({ stream, state, list, worker, user, cursor }) {
    const absolute = (url) => new URL(url, location.href).href;
    this.#urls = {
      stream: absolute(stream),
      state: absolute(state),
      list: absolute(list),
      worker: absolute(worker),
    };
    this.#user = user;
    this.#cursor = cursor;
    this.#madeUs = microseconds(cursor);
    this.#setTime(this.#madeUs);
  }

  get status() {
    return this.#status;
  }

  get transport() {
    return this.#transport;
  }

  get user() {
    return this.#user;
  }

  /** Have the project's events arrive that *names* has, separated by spaces. */
  expect(names = "") {
    const added = names.split(/\s+/).filter((name) => name && !this.#events.has(name));
    for (const name of added) this.#events.add(name);
    if (added.length) this.#post({ type: "expect", events: added });
  }

  // The ladder

  open() {
    if (this.#port) return;
    clearTimeout(this.#hiding);
    if (this.#mayShare && this.#joinWorker()) return;
    this.#joinTab();
  }

  close(status = "closed") {
    this.#leave();
    this.#follow(status);
  }

  #joinWorker() {
    let worker;
    try {
      const name = `notifications:${this.#user}`;
      worker = new SharedWorker(scriptUrl(this.#urls.worker), { name });
    } catch {
      // There is none in this browser, or a policy of the site forbids it.
      this.#mayShare = false;
      return false;
    }
    const fall = () => {
      if (worker.port !== this.#port) return;
      this.#mayShare = false;
      this.#leave();
      this.#joinTab();
    };
    // Other policies say so later, and a worker that never starts not at all.
    worker.addEventListener("error", fall);
    this.#join(worker.port, "shared", fall);
    return true;
  }

  #joinTab() {
    // A browser has six connections to a site. One that is looked at may have one.
    if (!isVisible()) {
      this.#follow("closed"); // until somebody looks
      return;
    }
    const { port1: port, port2: other } = new MessageChannel();
    emit("join", { port: other });
    // Without source.js nobody answers.
    this.#join(port, "tab", () => this.#follow("polling"));
  }

  #join(port, transport, fall) {
    this.#port = port;
    this.#transport = transport;
    port.onmessage = ({ data }) => {
      if (port === this.#port) this.#hear(data);
    };
    this.#post({
      type: "join",
      stream: this.#urls.stream,
      state: this.#urls.state,
      user: this.#user,
      cursor: this.#cursor,
      events: [...this.#events],
    });
    this.#answer = setTimeout(fall, WORKER_MS);
  }

  #leave() {
    this.#post({ type: "leave" });
    this.#port?.close();
    this.#port = null;
    for (const timer of [
      this.#answer,
      this.#quiet,
      this.#hiding,
      this.#polling,
      this.#reconciling,
    ]) {
      clearTimeout(timer);
    }
  }

  #post(message) {
    this.#port?.postMessage(message);
  }

  /** The page is looked at, or the network is back: whatever waits need not. */
  wake() {
    clearTimeout(this.#hiding);
    if (!this.#port && this.#status !== "polling") this.open();
    this.#post({ type: "wake" });
    this.#hail();
    if (this.#status === "polling") this.#poll();
  }

  /** The page is out of sight: it needs no connection of its own. */
  hide() {
    if (this.#transport !== "tab") return;
    clearTimeout(this.#hiding);
    this.#hiding = setTimeout(() => {
      // The back/forward cache stops timers, and they go on when Back was pressed.
      if (!isVisible()) this.close();
    }, HIDDEN_MS);
  }

  /** The page's timers stop: what it holds itself it must let go now. */
  freeze() {
    if (this.#transport === "tab") this.close();
  }

  /** The page's timers go on; what came meanwhile, other tabs have shown. */
  resume() {
    this.#resumedAt = Date.now();
    this.wake();
  }

  /** A browser may end a worker and tell nobody: ask whether it is there. */
  #hail() {
    if (!this.#port) return;
    clearTimeout(this.#answer);
    this.#answer = setTimeout(() => this.#rejoin(), ANSWER_MS);
    this.#post({ type: "hail" });
  }

  #rejoin() {
    this.#leave();
    this.open();
  }

  // What arrives

  #hear(message) {
    clearTimeout(this.#answer);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#hail(), QUIET_MS);
    if (message.type === "status") {
      if (message.isHeldUp) this.#hint();
      this.#follow(message.status);
      return;
    }
    if (this.#status === "signed-out") return;
    const { name, data, cursor, heardAt } = message;
    if (name === "hello" || name === "state") this.#setTime(data.as_of, heardAt);
    if (microseconds(cursor) >= microseconds(this.#cursor)) this.#cursor = cursor;
    // A project's own may be called "constructor".
    if (Object.hasOwn(this.#handlers, name)) this.#handlers[name](data, heardAt);
    else emit("event", { name, data });
  }

  /** Say so once, and here: a worker's console is another. */
  #hint() {
    if (this.#isHinted) return;
    this.#isHinted = true;
    console.info(
      "Notifications: the stream is held up between server and browser, so this " +
        "page polls. Is a proxy buffering it? See the deployment guide.",
    );
  }

  #follow(status) {
    if (status === "signed-out") this.#isStale = true; // what it showed is cleared
    this.#say(status);
    if (["open", "polling"].includes(status) && this.#isStale) this.refetch();
    clearTimeout(this.#polling);
    if (status === "polling") this.#poll();
  }

  #handlers = {
    hello: ({ audiences }) => {
      const returned = this.#audiences !== undefined;
      const changed = returned && this.#audiences !== audiences;
      this.#audiences = audiences;
      // What was read or recalled while away is not replayed.
      if (changed) this.refetch();
      else if (returned) this.#reconcileWithin(0);
    },
    notification: (notification, heardAt) => this.#receive([notification], heardAt),
    state: (state) => {
      emit("state", state);
      // What was read or put away since the page was made is in no replay, and the
      // first state of a stream has the counts alone.
      if (this.#isFresh && state.as_of > this.#madeUs) this.#reconcile();
      this.#isFresh = false;
    },
    removed: (removed) => {
      emit("removed", removed);
      this.#reconcileWithin(RECOUNT_MS);
    },
    numbers: (numbers) => emit("numbers", numbers),
    reset: () => this.refetch(),
    refresh: ({ within_ms: withinMs }) => this.#reconcileWithin(withinMs),
  };

  #receive(notifications, heardAt = Date.now()) {
    for (const notification of notifications) {
      const arrival = this.#arrival(notification);
      if (arrival) arrival.was_missed = heardAt < this.#resumedAt;
      if (arrival) emit("received", arrival);
      // A correction, perhaps: of what is shown here, or was put away before.
      const isOld = Date.parse(notification.publish_at) * 1000 <= this.#madeUs;
      if (arrival && (arrival.replaces || isOld)) this.#reconcileWithin(RECOUNT_MS);
    }
  }

  /** Return what to tell of *notification*; nothing if this page has had it. */
  #arrival(notification) {
    const { id, at } = notification;
    const row = document.querySelector(`[data-notification="${Number(id)}"]`);
    // A row may be listed in the moment before it is announced; then it is news yet.
    const shown = row?.dataset.cursor;
    const known = this.#known.get(id) ?? (shown ? microseconds(shown) : -1);
    if (known >= (at ?? 0)) return null;
    this.#known.delete(id); // so that it is the youngest key again
    this.#known.set(id, at ?? 0);
    if (this.#known.size > REMEMBERED) {
      this.#known.delete(this.#known.keys().next().value);
    }
    // A correction is announced again, and is no news.
    const since = Math.min(at ?? 0, Date.parse(notification.publish_at) * 1000);
    const ageMs = Date.now() + (this.#aheadUs - since) / 1000;
    return { ...notification, replaces: known >= 0, age_ms: ageMs };
  }

  /** It is *us* on the server; or was, when this was heard. Clocks may differ. */
  #setTime(us, heardAt = Date.now()) {
    this.#aheadUs = us - heardAt * 1000;
  }

  // What is asked for

  /** Read the newest page of the inbox and the state again. */
  async refetch() {
    this.#isStale = true;
    this.#isAskedAgain = this.#isReading;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      await this.#readNewest();
    } finally {
      this.#isReading = false;
    }
    if (this.#isAskedAgain) await this.refetch();
  }

  async #readNewest() {
    emit("loading");
    const page = await this.#get(this.#urls.list, {});
    if (!page) {
      if (connection === this && this.#status !== "signed-out") emit("failed");
      return;
    }
    this.#isStale = false;
    this.#setTime(microseconds(page.cursor));
    if (page.token) renew(page.token);
    const before = microseconds(this.#cursor);
    // Before the page is shown: what is in the document counts as known.
    const arrived = page.notifications
      .filter(({ at }) => at > before)
      .map((notification) => this.#arrival(notification));
    emit("page", page);
    for (const arrival of arrived.toReversed()) if (arrival) emit("received", arrival);
    await this.#reconcile();
  }

  /** Reconcile at a random moment, when other pages do not. */
  #reconcileWithin(ms) {
    clearTimeout(this.#reconciling);
    this.#reconciling = setTimeout(() => this.#reconcile(), Math.random() * ms);
  }

  /** Ask for the state of what is shown; with *since*, for what came since too. */
  async #reconcile(since = {}) {
    const rows = [...document.querySelectorAll("[data-notification]")];
    const ids = rows.map((row) => row.dataset.notification).filter(Boolean);
    const shown = [...new Set(ids)];
    let asked = { shown: shown.splice(0, MOST_ASKED).join(), ...since };
    do {
      const state = await this.#get(this.#urls.state, asked);
      if (!state) {
        this.#isStale = true;
        return;
      }
      this.#setTime(state.as_of);
      if (state.reset) {
        this.#cursor = state.cursor;
        this.refetch();
        return;
      }
      if (state.notifications) {
        this.#receive(state.notifications);
        this.#cursor = state.cursor;
      }
      emit("state", state);
      if (state.removed.length) emit("removed", { ids: state.removed });
      asked = { shown: shown.splice(0, MOST_ASKED).join() };
    } while (asked.shown);
  }

  async #poll() {
    clearTimeout(this.#polling);
    if (isVisible()) await this.#reconcile({ since: this.#cursor });
    clearTimeout(this.#polling);
    if (this.#status !== "polling") return;
    const delay = POLL_MS * (0.7 + 0.3 * Math.random());
    this.#polling = setTimeout(() => this.#poll(), delay);
  }

  /** Return what *url* answers as JSON, or undefined. */
  async #get(url, parameters) {
    const asked = new URL(url);
    for (const [name, value] of Object.entries({ ...parameters, user: this.#user })) {
      asked.searchParams.set(name, value);
    }
    try {
      const response = await fetch(asked, {
        headers: { Accept: "application/json" },
        cache: "no-store",
        signal: AbortSignal.timeout(REQUEST_MS),
      });
      const answer =
        response.ok && !response.redirected ? await response.json() : undefined;
      // The page may be somebody else's by now, or nobody's.
      if (connection !== this || this.#status === "signed-out") return undefined;
      if (response.status === 401 || response.status === 403) this.close("signed-out");
      return answer;
    } catch {
      // No network, or no JSON: the caller tries again later.
    }
    return undefined;
  }

  #say(status) {
    const isNew = status !== this.#status;
    this.#status = status;
    for (const element of elements) show(element);
    const detail = { status, transport: this.#transport };
    if (isNew) emit("connection", detail);
  }
}

function show(element) {
  element.dataset.status = connection.status;
  if (connection.transport) element.dataset.transport = connection.transport;
}

function emit(name, detail) {
  document.body.dispatchEvent(
    new CustomEvent(`notifications:${name}`, { bubbles: true, detail }),
  );
}

/** Give the page's own forms *token*: signing in again makes the old one worthless. */
function renew(token) {
  for (const { dataset } of elements) dataset.token = token;
  for (const element of document.querySelectorAll(OURS)) {
    const own = element.content ?? element;
    for (const input of own.querySelectorAll(TOKEN)) input.value = token;
  }
}

function open() {
  if (document.prerendering) return;
  // The modules that listen may follow this one in the document; all of them have
  // run when it has its content, however long its images still take.
  const [navigation] = performance.getEntriesByType("navigation");
  const isParsed = navigation?.domContentLoadedEventStart > 0;
  if (isParsed || document.readyState === "complete") {
    connection?.open();
    return;
  }
  // The second for browsers that keep their timing to themselves.
  for (const name of ["DOMContentLoaded", "load"]) {
    addEventListener(name, () => connection?.open(), { once: true });
  }
}

class NotificationStream extends HTMLElement {
  connectedCallback() {
    const isFirst = elements.size === 0;
    elements.add(this);
    if (connection && connection.user !== this.dataset.user) {
      connection.close();
      connection = null;
    }
    // In place of a page that was open until now, as Turbo swaps them: this one may
    // have been made before what that one heard last.
    const isSwapped = isFirst && connection && connection.status !== "closed";
    connection ??= new Connection(this.dataset);
    connection.expect(this.dataset.events);
    show(this);
    open();
    if (isSwapped) connection.refetch();
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
  addEventListener("pageshow", ({ persisted }) => {
    // Not every browser tells it of a page that it also freezes.
    if (persisted) connection?.resume();
  });
  addEventListener("online", () => connection?.wake());
  document.addEventListener("prerenderingchange", open);
  document.addEventListener("freeze", () => connection?.freeze());
  document.addEventListener("resume", () => connection?.resume());
  document.addEventListener("visibilitychange", () => {
    if (isVisible()) connection?.wake();
    else connection?.hide();
  });
  document.addEventListener("notifications:refetch", () => connection?.refetch());
}
