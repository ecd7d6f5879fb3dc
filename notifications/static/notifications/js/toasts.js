/**
 * <notification-toasts data-cursor data-inbox data-more data-arrived … lang>
 *
 * Shows what arrives for a while in a corner of the tab in front, and no more of it
 * than can be read: three at a time, the rest as one toast that counts them. Not
 * what is old, nor what the open panel shows already. Toasts are clones of its
 * <template>; each is a <notification-toast>, which knows its own time. No live
 * region: announcer.js tells assistive technology.
 */

const MOST = 3;
const BURST_MS = 2_000;
const FRESH_MS = 60_000;
// What comes in one go is told in one go.
const COLLECT_MS = 200;
const FRONT = "notifications:front";

/**
 * Which tab is in front: of the visible ones the one that has the focus, or had it
 * last. Two windows side by side are both visible, and while somebody works in
 * another program neither has the focus. So the tab that gets it leaves its name in
 * localStorage: that is there on plain HTTP, where locks are not, and wakes no page
 * in the back/forward cache, as a message on a BroadcastChannel would. Where storage
 * is forbidden, every visible tab takes itself to be in front.
 */
class Front {
  #name = `${Date.now()}-${Math.random()}`;

  /** Look who is in front; where nobody is, this tab is from now on. */
  look() {
    if (document.visibilityState === "hidden") this.leave();
    else if (document.hasFocus() || !this.#holder) this.#holder = this.#name;
  }

  leave() {
    if (this.#holder === this.#name) this.#holder = null;
  }

  get isHere() {
    const isVisible = document.visibilityState === "visible";
    return isVisible && (this.#holder ?? this.#name) === this.#name;
  }

  get #holder() {
    try {
      return localStorage.getItem(FRONT);
    } catch {
      return null;
    }
  }

  set #holder(name) {
    try {
      if (name) localStorage.setItem(FRONT, name);
      else localStorage.removeItem(FRONT);
    } catch {
      // Forbidden, or full.
    }
  }
}

/** Return *forms*, a JSON object by the names of Intl.PluralRules, for *count*. */
function plural(forms, count, language) {
  const { [new Intl.PluralRules(language).select(count)]: form, other } =
    JSON.parse(forms);
  return (form ?? other).replace("{count}", String(count));
}

class NotificationToasts extends HTMLElement {
  #listening;
  #region;
  #leaving;
  #front = new Front();
  #waiting = []; // arrived, not yet shown
  #collecting;
  #recent = []; // {shownAt, toast?} of the last two seconds
  #summary = null;
  #summed = []; // the levels of what the summary stands for
  #before = null; // where the focus was before it came here
  #isPointedAt = false;
  #hasFocus = false;

  connectedCallback() {
    this.#listening = new AbortController();
    this.#region = this.querySelector("[data-toasts]");
    // Put back by a library, with toasts that were shown when it was taken away.
    this.#region.replaceChildren();
    this.#region.hidden = true;
    const hear = (target, name, react) =>
      target.addEventListener(name, react, { signal: this.#listening.signal });
    hear(document, "notifications:received", ({ detail }) => this.#receive(detail));
    hear(document, "notifications:state", ({ detail }) => this.#follow(detail));
    hear(document, "notifications:removed", ({ detail: { ids } }) =>
      this.#follow({ archived: ids }),
    );
    hear(document, "notifications:connection", ({ detail: { status } }) => {
      if (status === "signed-out") this.#clear();
    });
    hear(window, "focus", () => this.#front.look());
    hear(document, "visibilitychange", () => {
      this.#front.look();
      this.#pace();
    });
    // Coming back is not arriving: what was left behind is in the inbox.
    hear(window, "pagehide", () => {
      this.#clear();
      this.#front.leave();
    });
    hear(this.#region, "pointerenter", () => this.#pace({ isPointedAt: true }));
    hear(this.#region, "pointerleave", () => this.#pace({ isPointedAt: false }));
    hear(this.#region, "focusin", ({ relatedTarget }) => {
      if (!this.#region.contains(relatedTarget)) this.#before = relatedTarget;
      this.#pace({ hasFocus: true });
    });
    hear(this.#region, "focusout", () => this.#pace({ hasFocus: false }));
    hear(this.#region, "keydown", (event) => this.#press(event));
    hear(this.#region, "click", (event) => this.#open(event));
    hear(this.#region, "auxclick", (event) => this.#open(event));
    this.#leaving = new MutationObserver(() => this.#settle());
    this.#leaving.observe(this.#region, { childList: true });
    this.#front.look();
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#leaving.disconnect();
    this.#clear();
    this.#front.leave();
  }

  get #toasts() {
    return [...this.#region.children].filter((toast) => !toast.isLeaving);
  }

  get #singles() {
    return this.#toasts.filter((toast) => toast !== this.#summary);
  }

  // What arrives

  #receive(notification) {
    const { at, age_ms: ageMs, placement, read, replaces } = notification;
    const [since] = this.dataset.cursor.split("-").map(Number);
    // Replayed to be sure that nothing is lost, or after a long time away.
    const isBacklog = at <= since || ageMs > FRESH_MS;
    if (isBacklog || read || replaces || placement !== "toast") return;
    this.#front.look();
    // Whichever tab is in front shows it; this one is not to when it is there later.
    if (!this.#front.isHere || notification.was_missed) return;
    this.#waiting.push(notification);
    this.#collecting ??= setTimeout(() => this.#showAll(), COLLECT_MS);
  }

  #showAll() {
    const fresh = this.#waiting.splice(0);
    this.#collecting = undefined;
    const isOnlyOne = document.querySelector("notification-toasts") === this;
    const panel = document.querySelector("notification-bell [aria-expanded=true]");
    if (!isOnlyOne || panel || !this.#front.isHere) return;
    const now = Date.now();
    this.#recent = this.#recent.filter(({ shownAt }) => now - shownAt < BURST_MS);
    if (this.#recent.length + fresh.length > MOST) {
      this.#recent.push(...fresh.map(() => ({ shownAt: now })));
      this.#collapse(this.#recent.map(({ toast }) => toast));
      this.#sum(fresh.map(({ level }) => level));
    } else {
      for (const each of fresh) {
        this.#recent.push({ shownAt: now, toast: this.#show(each) });
      }
    }
    this.#pace();
  }

  /** Return the toast of *notification*; nothing if it is only counted. */
  #show(notification) {
    const singles = this.#singles;
    if (singles.length >= MOST) {
      const oldest = singles.find((toast) => !toast.isLasting && !toast.isInUse);
      this.#collapse([oldest]);
      if (!oldest) {
        this.#sum([notification.level]);
        return undefined;
      }
    }
    const label = this.getAttribute(`data-level-${notification.level_name}`);
    const toast = this.#make();
    toast.show(notification, { language: this.lang, label });
    this.#region.append(toast);
    this.#reveal();
    return toast;
  }

  /** Close *toasts*, and have the summary stand for them. */
  #collapse(toasts) {
    const collapsing = this.#singles.filter(
      (toast) => toasts.includes(toast) && !toast.isInUse,
    );
    for (const toast of collapsing) toast.close();
    this.#sum(collapsing.map((toast) => Number(toast.dataset.level)));
  }

  /** Count *levels* of so many notifications in the summary. */
  #sum(levels) {
    if (!levels.length) return;
    if (!this.#summary) {
      this.#summary = this.#make();
      this.#summary.addEventListener("close", () => {
        this.#summary = null;
        this.#summed = [];
      });
      this.#region.prepend(this.#summary);
      this.#reveal();
    }
    this.#summed.push(...levels);
    const { arrived, more, inbox } = this.dataset;
    const forms = this.#singles.length ? more : arrived;
    this.#summary.fill({
      level: Math.max(...this.#summed),
      url: inbox,
      texts: { title: plural(forms, this.#summed.length, this.lang) },
    });
  }

  #make() {
    const template = this.querySelector("template").content.firstElementChild;
    const toast = document.importNode(template, true);
    toast.addEventListener("close", () => this.#giveFocusBack(toast));
    return toast;
  }

  /** Close what was read, put away or recalled elsewhere. */
  #follow({ read = [], archived = [], upto }) {
    const done = new Set([...read, ...archived]);
    const [last, lastId] = (upto ?? "0-0").split("-").map(Number);
    for (const toast of this.#singles) {
      const [at, id] = toast.dataset.cursor.split("-").map(Number);
      const isCovered = at < last || (at === last && id <= lastId);
      if (isCovered || done.has(id)) toast.close();
    }
  }

  #clear() {
    clearTimeout(this.#collecting);
    this.#collecting = undefined;
    this.#waiting = [];
    this.#recent = [];
    for (const toast of this.#toasts) toast.close();
    this.#region.replaceChildren();
  }

  // What the user does

  #press(event) {
    if (event.key !== "Escape") return;
    event.preventDefault(); // it is for the toast, not for what lies below
    event.target.closest("notification-toast").close();
  }

  #open(event) {
    const link = event.target.closest("a[href]");
    const toast = link?.closest("notification-toast");
    if (!toast || event.button > 1) return;
    const id = Number(toast.dataset.notification);
    if (id) {
      const options = { bubbles: true, detail: { id } };
      this.dispatchEvent(new CustomEvent("notifications:opened", options));
    }
    // After the browser has followed the link.
    setTimeout(() => toast.close());
  }

  #giveFocusBack(toast) {
    if (!toast.contains(document.activeElement)) return;
    const toasts = this.#toasts;
    const place = toasts.indexOf(toast);
    const next = toasts[place + 1] ?? toasts[place - 1];
    const before = this.#before?.isConnected ? this.#before : null;
    const bell = document.querySelector("notification-bell [data-toggle]");
    const target = next ? next.querySelector("[data-close]") : (before ?? bell);
    target?.focus({ preventScroll: true });
  }

  // What it looks like

  #reveal() {
    this.#region.hidden = false;
    // Above whatever else floats on the page, without a number to outbid it.
    if (this.#region.showPopover && !this.#region.matches(":popover-open")) {
      this.#region.showPopover();
    }
  }

  #settle() {
    if (this.#region.children.length === 0) {
      this.#region.hidePopover?.();
      this.#region.hidden = true;
      this.#isPointedAt = false;
    }
    this.#pace();
  }

  /** Time stands still while somebody is reading, and while nobody is looking. */
  #pace({ isPointedAt = this.#isPointedAt, hasFocus = this.#hasFocus } = {}) {
    this.#isPointedAt = isPointedAt;
    this.#hasFocus = hasFocus;
    const isHidden = document.visibilityState === "hidden";
    for (const toast of this.#toasts) {
      if (isPointedAt || hasFocus || isHidden) toast.hold();
      else toast.run();
    }
  }
}

if (!customElements.get("notification-toasts")) {
  customElements.define("notification-toasts", NotificationToasts);
}
