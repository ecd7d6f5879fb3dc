/**
 * <notification-toast role="group">
 *
 * One toast: filled with text only, and closed by its button, or by itself when its
 * time is up. Dispatches close, which does not bubble, before it leaves.
 */

const SHORT_MS = 8_000;
const LONG_MS = 12_000;
// Left to somebody who has just let go of it.
const LEAST_MS = 2_000;
const WARNING = 30;
const ERROR = 40;

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

class NotificationToast extends HTMLElement {
  #leftMs = Infinity;
  #startedAt;
  #timer = null;

  connectedCallback() {
    this.addEventListener("click", this);
  }

  disconnectedCallback() {
    this.removeEventListener("click", this);
    clearTimeout(this.#timer);
  }

  handleEvent({ target }) {
    if (target.closest("[data-close]")) this.close();
  }

  /** Whether it stays until somebody closes it. */
  get isLasting() {
    const { level } = this.dataset;
    return Number(level) >= ERROR || this.querySelector("[data-action]") !== null;
  }

  /** Whether somebody is pointing at it, or has the focus in it. */
  get isInUse() {
    return this.matches(":hover") || this.contains(document.activeElement);
  }

  get isLeaving() {
    return "leaving" in this.dataset;
  }

  /** Show *notification* in *language*, if it has that; *label* says its level. */
  show(notification, { language, label }) {
    const { id, at, level, category, url, title, body, actor, target } = notification;
    const code = language.toLowerCase();
    const { translations = {} } = notification;
    const words = translations[code] ?? translations[code.split("-")[0]];
    Object.assign(this.dataset, { notification: id, cursor: `${at}-${id}`, category });
    this.fill({
      level,
      url,
      texts: {
        title: words?.title || title,
        body: words?.body || body,
        level: label ? `${label}:` : "",
        actor,
        target,
      },
    });
  }

  /** Show *texts* by the names of their slots; begin its time anew. */
  fill({ level, url, texts }) {
    this.hold();
    this.dataset.level = level;
    this.setAttribute("aria-label", texts.title);
    for (const slot of this.querySelectorAll("[data-slot]")) {
      const text = texts[slot.dataset.slot] ?? "";
      slot.textContent = text;
      slot.hidden = !text;
    }
    const href = safeUrl(url);
    if (href) this.querySelector("[data-link]")?.setAttribute("href", href);
    if (this.isLasting) this.#leftMs = Infinity;
    else this.#leftMs = level >= WARNING ? LONG_MS : SHORT_MS;
  }

  /** Let its time go by. */
  run() {
    if (this.#timer !== null || this.isLeaving || this.#leftMs === Infinity) return;
    this.#startedAt = Date.now();
    this.#timer = setTimeout(() => this.close(), this.#leftMs);
  }

  /** Stop its time. */
  hold() {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    const ranMs = Date.now() - this.#startedAt;
    this.#leftMs = Math.max(this.#leftMs - ranMs, LEAST_MS);
  }

  async close() {
    if (this.isLeaving) return;
    this.hold();
    this.dispatchEvent(new Event("close"));
    this.dataset.leaving = "";
    this.inert = true;
    // There is none where people want less motion.
    const transitions = this.getAnimations();
    await Promise.allSettled(transitions.map(({ finished }) => finished));
    this.remove();
  }
}

if (!customElements.get("notification-toast")) {
  customElements.define("notification-toast", NotificationToast);
}
