/**
 * <notification-time><time datetime="…" title="…">…</time></notification-time>
 *
 * Says how long ago that was, in the page's language, and goes on saying it.
 * Without JavaScript the time stays as rendered.
 */

const MINUTE_MS = 60_000;

const elements = new Set();

function relative(moment, language) {
  const seconds = (moment - Date.now()) / 1000;
  const words = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const away = Math.abs(seconds);
  if (away < 45) return words.format(0, "second");
  if (away < 45 * 60) return words.format(Math.round(seconds / 60), "minute");
  if (away < 22 * 3600) return words.format(Math.round(seconds / 3600), "hour");
  if (away < 6.5 * 86400) return words.format(Math.round(seconds / 86400), "day");
  return new Intl.DateTimeFormat(language, { dateStyle: "medium" }).format(moment);
}

class NotificationTime extends HTMLElement {
  connectedCallback() {
    elements.add(this);
    this.update();
  }

  disconnectedCallback() {
    elements.delete(this);
  }

  update() {
    const time = this.querySelector("time");
    const moment = Date.parse(time?.dateTime);
    if (Number.isNaN(moment)) return;
    const language = this.closest("[lang]")?.lang || undefined;
    const text = relative(moment, language);
    if (time.textContent !== text) time.textContent = text;
    time.title ||= new Intl.DateTimeFormat(language, {
      dateStyle: "long",
      timeStyle: "short",
    }).format(moment);
  }
}

function updateAll() {
  if (document.visibilityState !== "visible") return;
  for (const element of elements) element.update();
}

if (!customElements.get("notification-time")) {
  customElements.define("notification-time", NotificationTime);
  setInterval(updateAll, MINUTE_MS);
  document.addEventListener("visibilitychange", updateAll);
}
