/**
 * <notification-desktop data-arrived data-inbox data-cursor … lang>
 *
 * A switch for notifications of the operating system, for who asks for them: nothing
 * is asked of anybody before they turn it on, and the choice is this browser's. They
 * are shown while no page of the site is visible, by one of its pages for all.
 *
 * Pages agree by Web Locks, which are wherever Notification is (on HTTPS), are freed
 * when a page crashes, and need nobody to answer. Every visible page holds one of
 * them, together with the others; of the hidden pages, the first that hears something
 * holds the other until there is no more to tell.
 */

const CHOICE = "notifications:desktop";
const VISIBLE = "notifications:visible";
const TELLING = "notifications:telling";
const MOST = 3;
const BURST_MS = 2_000;
const FRESH_MS = 60_000;

const isVisible = () => document.visibilityState === "visible";

function isOffered() {
  const isPossible = isSecureContext && "Notification" in window && navigator.locks;
  return Boolean(isPossible) && Notification.permission !== "denied";
}

/** What was chosen in this browser. Without storage, in this page. */
class Choice {
  #here = false;

  get isOn() {
    try {
      return localStorage.getItem(CHOICE) === "on";
    } catch {
      return this.#here;
    }
  }

  set isOn(isOn) {
    this.#here = isOn;
    try {
      localStorage.setItem(CHOICE, isOn ? "on" : "off");
    } catch {
      // Forbidden, or full.
    }
  }
}

/** A lock that this page holds from take() to drop(). */
class Hold {
  #name;
  #options;
  #taken = null;
  #release;
  #gone;

  constructor(name, options) {
    this.#name = name;
    this.#options = options;
  }

  /** Return, in a promise, whether the page has it. */
  take() {
    this.#taken ??= new Promise((resolve) => {
      const released = new Promise((release) => (this.#release = release));
      const hold = (lock) => {
        if (!lock) this.#taken = null;
        resolve(lock !== null);
        return lock && released;
      };
      const request = navigator.locks.request(this.#name, this.#options, hold);
      this.#gone = request.catch(() => hold(null));
    });
    return this.#taken;
  }

  /** A promise: the browser takes a moment until what was dropped is free. */
  get gone() {
    return this.#gone;
  }

  drop() {
    this.#release?.();
    this.#taken = null;
  }
}

/** Return *forms*, a JSON object by the names of Intl.PluralRules, for *count*. */
function plural(forms, count, language) {
  const { [new Intl.PluralRules(language).select(count)]: form, other } =
    JSON.parse(forms);
  return (form ?? other).replace("{count}", String(count));
}

class NotificationDesktop extends HTMLElement {
  #listening;
  #choice = new Choice();
  #visible = new Hold(VISIBLE, { mode: "shared" });
  #telling = new Hold(TELLING, { ifAvailable: true });
  #quiet;
  #recent = []; // when the last ones were told
  #shown = new Map(); // id → Notification

  connectedCallback() {
    this.#listening = new AbortController();
    const hear = (target, name, react) =>
      target.addEventListener(name, react, { signal: this.#listening.signal });
    hear(document, "notifications:received", ({ detail }) => this.#receive(detail));
    hear(document, "notifications:state", ({ detail: { read, archived, upto } }) =>
      this.#withdraw([
        ...(read ?? []),
        ...(archived ?? []),
        ...(upto ? this.#shownUpTo(upto) : []),
      ]),
    );
    hear(document, "notifications:removed", ({ detail: { ids } }) =>
      this.#withdraw(ids),
    );
    hear(document, "notifications:connection", ({ detail: { status } }) => {
      if (status === "signed-out") this.#withdraw([...this.#shown.keys()]);
    });
    hear(document, "visibilitychange", () => this.#follow());
    hear(window, "storage", () => this.#follow());
    hear(window, "pageshow", () => this.#follow());
    // A page that is stopped lets nobody else in.
    for (const [target, name] of [
      [window, "pagehide"],
      [document, "freeze"],
    ]) {
      hear(target, name, () => this.#letGo());
    }
    hear(this.#switch, "click", () => this.#choose());
    this.#follow();
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#letGo();
  }

  get #switch() {
    return this.querySelector("[data-desktop]");
  }

  get #isOn() {
    return isOffered() && Notification.permission === "granted" && this.#choice.isOn;
  }

  async #choose() {
    const isOn = !this.#isOn;
    const granted = isOn ? await Notification.requestPermission() : "granted";
    this.#choice.isOn = isOn && granted === "granted";
    const hadFocus = this.contains(document.activeElement);
    this.#follow();
    if (hadFocus && this.#switch.hidden) this.closest("[tabindex]")?.focus();
  }

  /** Follow what was chosen, here or in another tab, and who is looking. */
  #follow() {
    this.#switch.hidden = !isOffered();
    this.#switch.setAttribute("aria-checked", String(this.#isOn));
    if (this.#isOn && isVisible()) this.#visible.take();
    else this.#visible.drop();
  }

  #letGo() {
    clearTimeout(this.#quiet);
    this.#visible.drop();
    this.#telling.drop();
  }

  // What arrives

  async #receive(notification) {
    const { at, age_ms: ageMs, placement, read, replaces } = notification;
    const [since] = this.dataset.cursor.split("-").map(Number);
    const isBacklog = at <= since || ageMs > FRESH_MS;
    if (isBacklog || read || replaces || placement !== "toast") return;
    if (!this.#isOn || isVisible()) return;
    await this.#visible.gone; // its own, where it was looked at until just now
    const { held } = await navigator.locks.query();
    if (held.some(({ name }) => name === VISIBLE)) return;
    if (!(await this.#telling.take())) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#telling.drop(), BURST_MS);
    this.#tell(notification);
  }

  #tell({ id, at, title, body, url, translations }) {
    const now = Date.now();
    this.#recent = this.#recent.filter((at) => now - at < BURST_MS);
    this.#recent.push(now);
    const count = this.#recent.length;
    if (count > MOST) {
      const text = plural(this.dataset.arrived, count, this.lang);
      this.#show(text, { tag: "notifications" }, this.dataset.inbox);
      return;
    }
    const language = this.lang.toLowerCase();
    const words = translations?.[language] ?? translations?.[language.split("-")[0]];
    const tag = `notification-${id}`;
    const options = { tag, body: words?.body || body, data: at };
    this.#show(words?.title || title, options, url, id);
  }

  #show(title, options, url, id) {
    let shown;
    try {
      shown = new Notification(title, { ...options, lang: this.lang });
    } catch {
      return; // Chrome on Android has them for service workers alone.
    }
    if (id) this.#shown.set(id, shown);
    shown.onclose = () => this.#shown.delete(id);
    shown.onclick = () => {
      shown.close();
      window.focus();
      if (id) {
        const given = { bubbles: true, detail: { id } };
        this.dispatchEvent(new CustomEvent("notifications:opened", given));
      }
      if (url && /^https?:$/.test(new URL(url, document.baseURI).protocol)) {
        // Not in place of this page: somebody may have left a form half filled.
        const opened = window.open(url);
        if (opened) opened.opener = null;
      }
    };
  }

  /** Return the ids of what is shown and was announced up to *bound*, a cursor. */
  #shownUpTo(bound) {
    const [lastAt, lastId] = bound.split("-").map(Number);
    return [...this.#shown]
      .filter(([id, { data: at }]) => at < lastAt || (at === lastAt && id <= lastId))
      .map(([id]) => id);
  }

  /** Take back what was read, put away or recalled. */
  #withdraw(ids) {
    for (const id of ids) this.#shown.get(id)?.close();
  }
}

if (!customElements.get("notification-desktop")) {
  customElements.define("notification-desktop", NotificationDesktop);
}
