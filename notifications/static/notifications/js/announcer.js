/**
 * <notification-announcer data-as-of data-arrived … lang>
 *
 * Tells assistive technology what arrived, by a text in one of two regions that the
 * server rendered empty: an alert for errors, a status for the rest. Once for what
 * comes in a burst, and never more often than every three seconds. Each tag brings
 * one along; the first on the page speaks.
 */

// A burst is over when nothing came for so long, or has lasted for a pause.
const QUIET_MS = 1_000;
const PAUSE_MS = 3_000;
const ERROR = 40;
const FRESH_MS = 60_000;

/** Return *forms*, a JSON object by the names of Intl.PluralRules, for *count*. */
function plural(forms, count, language) {
  const { [new Intl.PluralRules(language).select(count)]: form, other } =
    JSON.parse(forms);
  return (form ?? other).replace("{count}", String(count));
}

class NotificationAnnouncer extends HTMLElement {
  #listening;
  #waiting = [];
  #waitingSince;
  #timer;
  #spokeAt = -Infinity;

  connectedCallback() {
    this.#listening = new AbortController();
    document.addEventListener(
      "notifications:received",
      ({ detail }) => this.#receive(detail),
      { signal: this.#listening.signal },
    );
    document.addEventListener(
      "notifications:connection",
      ({ detail: { status } }) => {
        if (status !== "signed-out") return;
        this.#waiting = [];
        clearTimeout(this.#timer);
        for (const region of this.children) region.textContent = "";
      },
      { signal: this.#listening.signal },
    );
  }

  disconnectedCallback() {
    this.#listening.abort();
    clearTimeout(this.#timer);
  }

  #receive(notification) {
    const { at, read, publish_at: publishAt } = notification;
    // Announced again, long after it was published; the page may not list it.
    const isCorrection = at / 1000 - Date.parse(publishAt) > FRESH_MS;
    const replaces = notification.replaces || isCorrection;
    // What was there when the page was made is replayed, and is no news.
    if (replaces || read || !at || at <= Number(this.dataset.asOf)) return;
    const now = Date.now();
    if (!this.#waiting.length) this.#waitingSince = now;
    this.#waiting.push(notification);
    const isOverAt = Math.min(now + QUIET_MS, this.#waitingSince + PAUSE_MS);
    const dueAt = Math.max(isOverAt, this.#spokeAt + PAUSE_MS);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#speak(), dueAt - now);
  }

  #speak() {
    const arrived = this.#waiting.splice(0);
    if (document.querySelector("notification-announcer") !== this) return;
    this.#spokeAt = Date.now();
    const text =
      arrived.length === 1
        ? this.#title(arrived[0])
        : plural(this.dataset.arrived, arrived.length, this.lang);
    const isUrgent = arrived.some(({ level }) => level >= ERROR);
    this.querySelector(isUrgent ? "[data-alert]" : "[data-announce]").textContent =
      text;
  }

  #title({ title, translations, level_name: levelName }) {
    const language = this.lang.toLowerCase();
    const words = translations?.[language] ?? translations?.[language.split("-")[0]];
    const label = this.getAttribute(`data-level-${levelName}`);
    return (label ? `${label}: ` : "") + (words?.title || title);
  }
}

if (!customElements.get("notification-announcer")) {
  customElements.define("notification-announcer", NotificationAnnouncer);
}
