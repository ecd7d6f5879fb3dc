/**
 * <notification-time><time datetime="…" title="…">…</time></notification-time>
 *
 * Says how long ago that was, in the page's language, and goes on saying it. In a
 * <notification-list> the first row of each day names the day, in this browser's
 * time zone. Without JavaScript both stay as rendered.
 */

const MINUTE_MS = 60_000;

const elements = new Set();
const formats = new Map(); // by language: to make one takes longer than to use it

function formatsOf(language) {
  if (!formats.has(language)) {
    formats.set(language, {
      ago: new Intl.RelativeTimeFormat(language, { numeric: "auto" }),
      date: new Intl.DateTimeFormat(language, { dateStyle: "medium" }),
      day: new Intl.DateTimeFormat(language, { dateStyle: "long" }),
      full: new Intl.DateTimeFormat(language, {
        dateStyle: "long",
        timeStyle: "short",
      }),
    });
  }
  return formats.get(language);
}

function relative(moment, language) {
  const seconds = (moment - Date.now()) / 1000;
  const { ago, date } = formatsOf(language);
  const away = Math.abs(seconds);
  if (away < 45) return ago.format(0, "second");
  if (away < 45 * 60) return ago.format(Math.round(seconds / 60), "minute");
  if (away < 22 * 3600) return ago.format(Math.round(seconds / 3600), "hour");
  if (away < 6.5 * 86400) return ago.format(Math.round(seconds / 86400), "day");
  return date.format(moment);
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
    time.title ||= formatsOf(language).full.format(moment);
  }
}

const aboveOf = new WeakMap(); // row → the one above it, when its day was named

/** Return the day of *moment* in this browser's time zone, to compare. */
const dayOf = (moment) => new Date(moment).toDateString();

function nameOf(moment, { dataset, lang }) {
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(moment) === dayOf(Date.now())) return dataset.today;
  if (dayOf(moment) === dayOf(yesterday)) return dataset.yesterday;
  return formatsOf(lang).day.format(new Date(moment));
}

/** Let *row* name its day if that is not the day of the row above. */
function nameDay(row, list) {
  const heading = row.querySelector('[data-slot="day"]');
  if (!heading) return;
  const { publishAt } = row.dataset;
  const above = row.previousElementSibling?.dataset.publishAt;
  const isFirst = !above || dayOf(above) !== dayOf(publishAt);
  const text = isFirst ? nameOf(publishAt, list) : "";
  heading.hidden = !text;
  if (heading.textContent !== text) heading.textContent = text;
}

function nameDays(list, { isAnotherDay = false } = {}) {
  for (const row of list.rows) {
    const above = row.previousElementSibling;
    if (!isAnotherDay && aboveOf.get(row) === above) continue;
    aboveOf.set(row, above);
    nameDay(row, list);
  }
}

function updateAll() {
  if (document.visibilityState !== "visible") return;
  for (const element of elements) element.update();
  for (const list of document.querySelectorAll("notification-list")) {
    nameDays(list, { isAnotherDay: true }); // perhaps
  }
}

if (!customElements.get("notification-time")) {
  customElements.define("notification-time", NotificationTime);
  setInterval(updateAll, MINUTE_MS);
  document.addEventListener("visibilitychange", updateAll);
  document.addEventListener("notifications:listed", ({ target }) => nameDays(target));
}
