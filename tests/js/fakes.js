/**
 * What a browser puts around the scripts: time, EventSource, fetch, and the pages at
 * the other end of their ports. The scripts run as they are, each in a realm of its
 * own, as the SharedWorker or the page would run them.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const SCRIPTS = new URL(
  "../../notifications/static/notifications/js/",
  import.meta.url,
);
const JOIN = "notifications:join";
const START_MS = Date.UTC(2026, 0, 5, 9);

/** Run the script called *name* among *globals*, and return its realm. */
export function run(name, globals) {
  const filename = fileURLToPath(new URL(name, SCRIPTS));
  const realm = vm.createContext(globals);
  vm.runInContext(readFileSync(filename, "utf8"), realm, { filename });
  return realm;
}

/** Wait until every promise that can be kept has been. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Return the cursor of what is announced *seconds* after the start. */
export const cursorAt = (seconds, id = 0) => `${microsecondsAt(seconds)}-${id}`;

export const microsecondsAt = (seconds) =>
  START_MS * 1_000 + Math.round(seconds * 1_000_000);

class Clock {
  now = START_MS;
  #timers = new Map();
  #latest = 0;

  setTimeout = (react, ms) => {
    this.#latest += 1;
    this.#timers.set(this.#latest, { at: this.now + ms, react });
    return this.#latest;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  /**
   * Let *ms* go by, and everything happen that is due by then, in its order.
   * Stop where *isEnough* has come true.
   */
  async pass(ms, isEnough = () => false) {
    const end = this.now + ms;
    await settled();
    for (let due = this.#next(end); due; due = this.#next(end)) {
      const [id, { at, react }] = due;
      this.#timers.delete(id);
      this.now = at;
      react();
      await settled();
      if (isEnough()) return;
    }
    this.now = end;
  }

  #next(end) {
    const due = [...this.#timers].filter(([, { at }]) => at <= end);
    return due.sort(([, one], [, other]) => one.at - other.at)[0];
  }
}

/** An EventSource, and in its other methods what its server and network do. */
class FakeEventSource {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;

  readyState = FakeEventSource.CONNECTING;
  #listeners = new Map();
  #lastEventId = "";

  constructor(url) {
    this.url = new URL(url);
  }

  get isClosed() {
    return this.readyState === FakeEventSource.CLOSED;
  }

  addEventListener(name, listener) {
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
  }

  close() {
    this.readyState = FakeEventSource.CLOSED;
  }

  /** Arrive. An event without an id has that of the one before. */
  send(name, data = {}, id = this.#lastEventId) {
    if (this.isClosed) return;
    this.readyState = FakeEventSource.OPEN;
    this.#lastEventId = id;
    this.#dispatch(name, { data: JSON.stringify(data), lastEventId: id });
  }

  hello({ cursor = cursorAt(0), heartbeatMs = 15_000 } = {}) {
    const data = { cursor, audiences: "a1", heartbeat_ms: heartbeatMs, version: 1 };
    this.send("hello", data, cursor);
  }

  notify(id, seconds) {
    const data = { id, at: microsecondsAt(seconds), title: `No. ${id}` };
    this.send("notification", data, cursorAt(seconds, id));
  }

  tellState(seconds, unread = 1) {
    this.send("state", { as_of: microsecondsAt(seconds), unread });
  }

  /** Answer with anything but 200: the browser gives up. */
  refuse() {
    this.close();
    this.#dispatch("error", {});
  }

  /** Break off: the browser connects again by itself. */
  breakOff() {
    this.readyState = FakeEventSource.CONNECTING;
    this.#dispatch("error", {});
  }

  #dispatch(name, event) {
    for (const listener of this.#listeners.get(name) ?? []) listener(event);
  }
}

/** A page, with what it heard from the source. */
class Page {
  heard = [];
  port = {
    onmessage: null,
    onclose: null,
    postMessage: (message) => this.heard.push(structuredClone(message)),
  };

  join({ cursor = cursorAt(0), events = [], user = "5eaf00d5eaf00d00" } = {}) {
    const stream = "https://site.example/notifications/stream/";
    const state = "https://site.example/notifications/api/state/";
    this.#post({ type: "join", stream, state, user, cursor, events });
    return this;
  }

  expect(...events) {
    this.#post({ type: "expect", events });
  }

  leave() {
    this.#post({ type: "leave" });
  }

  wake() {
    this.#post({ type: "wake" });
  }

  hail() {
    this.#post({ type: "hail" });
  }

  crash() {
    this.port.onclose();
  }

  get statuses() {
    return this.heard.filter(({ type }) => type === "status").map((m) => m.status);
  }

  get status() {
    return this.statuses.at(-1);
  }

  get events() {
    return this.heard.filter(({ type }) => type === "event");
  }

  /** What it heard, in short: names, and the ids of notifications. */
  get names() {
    return this.events.map(({ name, data }) =>
      name === "notification" ? `${name} ${data.id}` : name,
    );
  }

  forget() {
    this.heard = [];
  }

  #post(message) {
    this.port.onmessage({ data: structuredClone(message) });
  }
}

/** source.js where it runs, and everything it reaches for. */
class World {
  clock = new Clock();
  streams = [];
  requests = [];
  /** What Math.random() returns. */
  random = 0.5;
  /** The status that the server answers requests with; null for no network. */
  answer = 200;
  #listeners = new Map();

  constructor(isWorker) {
    const { streams, clock } = this;
    const target = {
      addEventListener: (name, listener) => this.#listeners.set(name, listener),
    };
    const realm = run("source.js", {
      ...(isWorker ? { self: target } : { document: target, ...target }),
      AbortSignal: { timeout: (ms) => ({ ms }) },
      Date: { now: () => clock.now },
      EventSource: class extends FakeEventSource {
        constructor(url) {
          super(url);
          streams.push(this);
        }
      },
      URL,
      clearTimeout: clock.clearTimeout,
      fetch: (url, options) => this.#fetch(url, options),
      setTimeout: clock.setTimeout,
    });
    vm.runInContext("Math", realm).random = () => this.random;
  }

  /** The stream that was opened last. */
  get stream() {
    return this.streams.at(-1);
  }

  get openStreams() {
    return this.streams.filter(({ isClosed }) => !isClosed);
  }

  /** Return a page that has reached the source, and has yet to join. */
  page() {
    const page = new Page();
    const connect = this.#listeners.get("connect") ?? this.#listeners.get(JOIN);
    connect({ ports: [page.port], detail: { port: page.port } });
    return page;
  }

  /** Refuse the stream *times* times, each time until the next one is opened. */
  async refuse(times) {
    for (let time = 0; time < times; time += 1) {
      const { stream } = this;
      stream.refuse();
      await this.clock.pass(60_000, () => this.stream !== stream);
    }
  }

  /** Have what listens in the page hear *name*. */
  dispatch(name) {
    this.#listeners.get(name)({});
  }

  async #fetch(url, options) {
    this.requests.push({ url: new URL(url), options });
    const status = await this.answer;
    if (status === null) throw new TypeError("Failed to fetch");
    return { status };
  }
}

/** Return a world in which source.js is a SharedWorker. */
export const worker = () => new World(true);

/** Return a world in which source.js runs in a page. */
export const tab = () => new World(false);
