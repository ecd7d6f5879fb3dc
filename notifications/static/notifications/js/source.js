/**
 * The one connection to the server, for every page that joins it.
 *
 * As a SharedWorker it serves all tabs of a browser, each by the port of its
 * connect event. Where a page cannot have one, the same file runs in the page, and
 * the port comes with the DOM event notifications:join. A classic script on
 * purpose: as one it runs in both places.
 *
 *   from a page   {type: "join", stream, state, user, cursor, events}
 *                 {type: "expect", events}
 *                 {type: "leave"}, {type: "wake"}, {type: "hail"}
 *   to a page     {type: "status", status, isHeldUp}
 *                 {type: "event", name, data, cursor, heardAt}
 *
 * heardAt is when this browser heard it: a page may be told much later, one that has
 * just joined or that was frozen.
 * status is connecting, open, reconnecting, polling, signed-out or closed.
 */
{
  const FIRST_DELAY_MS = 1_000;
  const LONGEST_DELAY_MS = 60_000;
  const LONGEST_SILENT_DELAY_MS = 4_000;
  const STABLE_MS = 60_000;
  const HELLO_MS = 10_000;
  const BUFFERED_RETRY_MS = 300_000;
  const PROBE_MS = 10_000;
  const LINGER_MS = 2_000;
  const MOST_FAILURES = 3;
  const MOST_KEPT = 200;
  const OVERLAP_US = 60_000_000;
  // EventSource passes on only what it was told to expect; pages add names.
  const OWN_EVENTS = ["progress", "status", "complete", "failed", "log", "token"];

  const microseconds = (cursor) => Number(cursor?.split("-")[0] ?? 0);

  class Source {
    #ports = new Set();
    #names = new Set(OWN_EVENTS);
    #lingerMs;
    #urls;
    #cursor = "";
    #status = "closed";
    #eventSource = null;
    #hello = null;
    #heartbeatMs = 15_000;
    #openedAt = 0;
    #failures = 0;
    #isAway = false; // the browser is trying to reconnect
    #answer = 200; // what the site last said when asked; 0 for nothing
    #isHeldUp = false; // something on the way keeps what is sent
    #retry;
    #watchdog;
    #linger;
    // What a page that joins later may have missed: all since #keptSince.
    #kept = [];
    #keptSince = 0;

    constructor({ lingerMs }) {
      this.#lingerMs = lingerMs;
    }

    /** Serve the page at the other end of *port*. */
    serve(port) {
      port.onmessage = ({ data }) => {
        if (data.type === "join") this.#join(port, data);
        else if (data.type === "expect") this.#expect(data.events);
        else if (data.type === "leave") this.#leave(port);
        else if (data.type === "wake") this.#wake();
        else if (data.type === "hail") this.#post(port, this.#statusMessage);
      };
      // A page that crashed; browsers without this event end the worker with it.
      port.onclose = () => this.#leave(port);
    }

    #join(port, { stream, state, user, cursor, events }) {
      clearTimeout(this.#linger);
      this.#urls = { stream, state, user };
      this.#expect(events);
      if (!this.#eventSource && !this.#ports.size) this.#startAt(cursor);
      // Whoever comes may know better than we: a new login, a server mended.
      if (!this.#eventSource) this.#open();
      this.#ports.add(port);
      this.#post(port, this.#statusMessage);
      if (this.#hello) this.#post(port, { type: "event", ...this.#hello });
      this.#replay(port, microseconds(cursor));
    }

    #startAt(cursor) {
      this.#cursor = cursor;
      this.#kept = [];
      this.#keptSince = microseconds(cursor);
    }

    #replay(port, since) {
      if (since < this.#keptSince) {
        const data = { reason: "joined-late" };
        const event = {
          name: "reset",
          data,
          cursor: this.#cursor,
          heardAt: Date.now(),
        };
        this.#post(port, { type: "event", ...event });
        return;
      }
      for (const { at, ...event } of this.#kept) {
        // A row may have been stamped before the page was made, and committed after.
        const from = event.name === "notification" ? since - OVERLAP_US : since;
        if (at === null || at > from) this.#post(port, { type: "event", ...event });
      }
    }

    /** Let go of everything at once. */
    abandon() {
      this.#ports.clear();
      this.#stop("closed");
    }

    #leave(port) {
      if (!this.#ports.delete(port) || this.#ports.size) return;
      // The next page of the same tab is perhaps on its way.
      if (this.#lingerMs)
        this.#linger = setTimeout(() => this.#stop("closed"), this.#lingerMs);
      else this.#stop("closed");
    }

    /** Come back at once, where waiting for it has become pointless. */
    #wake() {
      const isWaiting = ["reconnecting", "polling"].includes(this.#status);
      if (isWaiting && !this.#eventSource) this.#open();
    }

    #expect(names) {
      for (const name of names) {
        if (this.#names.has(name)) continue;
        this.#names.add(name);
        if (this.#eventSource) this.#forward(this.#eventSource, name);
      }
    }

    #open(status = this.#nextStatus()) {
      this.#drop();
      this.#say(status);
      const url = new URL(this.#urls.stream);
      url.searchParams.set("cursor", this.#cursor);
      url.searchParams.set("user", this.#urls.user);
      const eventSource = new EventSource(url);
      this.#eventSource = eventSource;
      for (const name of Object.keys(this.#handlers)) this.#forward(eventSource, name);
      for (const name of this.#names) this.#forward(eventSource, name);
      eventSource.addEventListener("error", () => {
        if (eventSource !== this.#eventSource) return;
        this.#hello = null;
        // The browser retries by itself, unless the answer was anything but 200.
        if (eventSource.readyState === EventSource.CLOSED) return this.#fail();
        this.#forgive();
        this.#say(this.#nextStatus());
        // Once, however often it fails, or it would never be noticed.
        if (!this.#isAway) this.#watch(() => this.#ask(), 2.5 * this.#heartbeatMs);
        this.#isAway = true;
      });
      this.#isAway = false;
      this.#watch(() => this.#giveUp(), HELLO_MS);
    }

    #nextStatus() {
      if (this.#failures >= MOST_FAILURES && this.#answer === 200) return "polling";
      return this.#openedAt || this.#failures ? "reconnecting" : "connecting";
    }

    #forward(eventSource, name) {
      eventSource.addEventListener(name, (event) => {
        if (eventSource !== this.#eventSource) return;
        if (event.lastEventId) this.#cursor = event.lastEventId;
        this.#isAway = false;
        this.#watch(() => this.#fail(), 2.5 * this.#heartbeatMs);
        this.#handle(name, JSON.parse(event.data), event.lastEventId);
      });
    }

    #handle(name, data, cursor) {
      const event = { name, data, cursor, heardAt: Date.now() };
      if (name === "hello") this.#hello = event;
      // A project's own may be called "constructor", and have any data.
      if (Object.hasOwn(this.#handlers, name)) this.#handlers[name](data);
      if (name === "ping" || name === "bye") return;
      if (name === "state") this.#forget(data.archived);
      else if (name === "removed") this.#forget(data.ids);
      if (name === "notification") this.#keep({ ...event, at: data.at });
      else if (name === "state") this.#keep({ ...event, at: data.as_of });
      else if (name === "removed") this.#keep({ ...event, at: null });
      for (const port of this.#ports) this.#post(port, { type: "event", ...event });
    }

    /** What was put away or recalled is not to come back with the next page. */
    #forget(ids) {
      if (!ids?.length) return;
      const isGone = ({ name, data }) =>
        name === "notification" && ids.includes(data.id);
      this.#kept = this.#kept.filter((event) => !isGone(event));
    }

    #keep(event) {
      this.#kept.push(event);
      if (this.#kept.length <= MOST_KEPT) return;
      // What is forgotten came before the next that has a time.
      const { at } = this.#kept.find((kept) => kept.at !== null) ?? { at: Infinity };
      this.#keptSince = Math.max(this.#keptSince, at + OVERLAP_US);
      this.#kept.shift();
    }

    #handlers = {
      hello: ({ heartbeat_ms: heartbeatMs }) => {
        this.#heartbeatMs = heartbeatMs;
        this.#openedAt = Date.now();
        this.#answer = 200;
        this.#isHeldUp = false;
        this.#watch(() => this.#fail(), 2.5 * heartbeatMs);
        this.#say("open");
      },
      notification: () => {},
      state: () => {},
      removed: () => {},
      refresh: () => {},
      numbers: () => {},
      reset: () => this.#startAt(this.#cursor),
      ping: () => {},
      bye: ({ reason }) => {
        if (["expired", "limit", "overflow"].includes(reason)) this.#open("connecting");
        else if (reason === "logout") this.#stop("signed-out");
        // More browsers than the server keeps streams for: this one must not fight
        // the others for a place. It polls until somebody turns to it.
        else if (reason === "replaced") this.#stop("polling");
      },
    };

    #watch(react, ms) {
      clearTimeout(this.#watchdog);
      this.#watchdog = setTimeout(react, ms);
    }

    /** What went wrong before a stream that lasted is of no account. */
    #forgive() {
      if (this.#openedAt && Date.now() - this.#openedAt > STABLE_MS) this.#failures = 0;
    }

    /** EventSource gave up, or is silent. It never says why, so ask once. */
    async #fail() {
      this.#forgive();
      this.#openedAt = 0;
      this.#failures += 1;
      this.#drop();
      this.#say(this.#nextStatus());
      // Who does not even answer need not be spared; and may be back any moment.
      const longest = this.#answer ? LONGEST_DELAY_MS : LONGEST_SILENT_DELAY_MS;
      const delay = Math.min(longest, FIRST_DELAY_MS * 2 ** this.#failures);
      const probe = this.#probe();
      const retry = setTimeout(async () => {
        await probe; // it may find that nobody is signed in
        if (retry === this.#retry) this.#open();
      }, Math.random() * delay);
      this.#retry = retry;
      await probe;
    }

    /** The browser has been trying for long: is it the site, or the stream alone? */
    async #ask() {
      const eventSource = this.#eventSource;
      await this.#probe();
      if (eventSource !== this.#eventSource || !this.#isAway) return;
      // While the site is away the browser is the first to notice its return.
      if (this.#answer === 200) this.#fail();
      else this.#watch(() => this.#ask(), 2.5 * this.#heartbeatMs);
    }

    /** Neither a hello nor an error: is the network gone, or what is sent held up? */
    async #giveUp() {
      const eventSource = this.#eventSource;
      await this.#probe();
      if (eventSource !== this.#eventSource || this.#hello) return;
      if (this.#answer !== 200) {
        this.#fail();
        return;
      }
      this.#isHeldUp = true;
      this.#failures = Math.max(this.#failures, MOST_FAILURES);
      this.#stop("polling");
      const delay = BUFFERED_RETRY_MS * (0.5 + Math.random() / 2);
      this.#retry = setTimeout(() => this.#open(), delay);
    }

    /** Ask the site whether it answers, and whether anybody is signed in. */
    async #probe() {
      const urls = this.#urls;
      const url = new URL(urls.state);
      url.searchParams.set("user", urls.user);
      let status = 0; // no network
      try {
        const response = await fetch(url, {
          headers: { Accept: "application/json" },
          cache: "no-store",
          signal: AbortSignal.timeout(PROBE_MS),
        });
        status = response.status;
      } catch {
        // The retry that is on its way finds out.
      }
      // A page or a hello that came meanwhile knows better.
      if (urls !== this.#urls || this.#hello) return;
      this.#answer = status;
      if ([204, 401, 403].includes(status)) this.#stop("signed-out");
      else if (!this.#openedAt) this.#say(this.#nextStatus());
    }

    #stop(status) {
      if (status !== "polling") this.#failures = this.#openedAt = 0;
      this.#drop();
      this.#say(status);
    }

    #drop() {
      this.#eventSource?.close();
      this.#eventSource = null;
      this.#hello = null;
      clearTimeout(this.#retry);
      this.#retry = null;
      clearTimeout(this.#watchdog);
    }

    get #statusMessage() {
      return { type: "status", status: this.#status, isHeldUp: this.#isHeldUp };
    }

    #say(status) {
      if (status === this.#status) return;
      this.#status = status;
      for (const port of this.#ports) this.#post(port, this.#statusMessage);
    }

    #post(port, message) {
      port.postMessage(message);
    }
  }

  if (typeof document === "undefined") {
    const source = new Source({ lingerMs: LINGER_MS });
    self.addEventListener("connect", ({ ports: [port] }) => source.serve(port));
  } else {
    let source = null;
    document.addEventListener("notifications:join", ({ detail: { port } }) => {
      source ??= new Source({ lingerMs: 0 });
      source.serve(port);
    });
    // Now: where a page is frozen its messages wait.
    addEventListener("pagehide", () => source?.abandon());
    document.addEventListener("freeze", () => source?.abandon());
  }
}
