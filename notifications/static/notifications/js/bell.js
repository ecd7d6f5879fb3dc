/**
 * <notification-bell data-unread data-unseen data-as-of data-badge-counts …>
 *
 * Turns the link to the inbox into a button that opens the panel, and keeps badge
 * and label up to date. Without JavaScript both stay as rendered. Knows nothing
 * of the connection: it hears DOM events, whoever sends them. Dispatches
 * notifications:count {count, text}, what its badge says; and on the document, when it
 * leaves the page, notifications:uncounted.
 */

const TROUBLE_MS = 5_000;

let panels = 0;

/** Return *forms*, a JSON object by the names of Intl.PluralRules, for *count*. */
function plural(forms, count, language) {
  const { [new Intl.PluralRules(language).select(count)]: form, other } =
    JSON.parse(forms);
  return (form ?? other).replace("{count}", String(count));
}

class NotificationBell extends HTMLElement {
  #listening;
  #trouble;
  #added = new Map(); // id → what came, and is counted, since the server last did

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const hear = (name, react) => {
      const listen = ({ detail }) => react(detail);
      document.addEventListener(`notifications:${name}`, listen, { signal });
    };
    hear("received", (notification) => this.#receive(notification));
    hear("state", (state) => this.#count(state));
    hear("removed", ({ ids }) => this.#remove(ids));
    hear("connection", ({ status }) => this.#tellConnection(status));
    if ("popover" in HTMLElement.prototype) this.#upgrade();
    this.#show();
  }

  disconnectedCallback() {
    this.#listening.abort();
    clearTimeout(this.#trouble);
    document.dispatchEvent(new CustomEvent("notifications:uncounted"));
  }

  get #toggle() {
    return this.querySelector("[data-toggle]");
  }

  #upgrade() {
    const panel = this.querySelector("[data-panel]");
    panel.id ||= `notification-panel-${++panels}`;
    panel.hidden = false; // from here on the popover attribute hides it
    let button = this.#toggle;
    if (button.localName !== "button") {
      button = document.createElement("button");
      button.type = "button";
      for (const { name, value } of this.#toggle.attributes) {
        if (name !== "href") button.setAttribute(name, value);
      }
      button.append(...this.#toggle.childNodes);
      this.#toggle.replaceWith(button);
    }
    button.popoverTargetElement = panel;
    button.setAttribute("aria-haspopup", "dialog");
    button.setAttribute("aria-controls", panel.id);
    button.setAttribute("aria-expanded", String(panel.matches(":popover-open")));
    panel.addEventListener(
      "toggle",
      ({ newState }) => {
        button.setAttribute("aria-expanded", String(newState === "open"));
        if (newState === "open") panel.focus({ preventScroll: true });
      },
      { signal: this.#listening.signal },
    );
  }

  #receive(notification) {
    if (!notification.replaces && notification.at) this.#add(notification);
    this.#show();
  }

  /** Count *notification*, unless the server has. */
  #add(notification) {
    const { id, at, publish_at: publishAt } = notification;
    const asOf = Number(this.dataset.asOf);
    if (at <= asOf) return;
    if (Date.parse(publishAt) * 1000 <= asOf) {
      // Published before it counted, announced after: perhaps it has. It knows.
      this.dispatchEvent(new CustomEvent("notifications:refetch", { bubbles: true }));
      return;
    }
    this.#added.set(id, notification);
    this.#change(1);
  }

  #count(state) {
    if (state.as_of < Number(this.dataset.asOf)) return;
    this.dataset.asOf = state.as_of;
    this.dataset.unread = state.unread;
    this.dataset.unseen = state.unseen;
    // Some of it may have overtaken the answer.
    const added = [...this.#added.values()];
    this.#added.clear();
    for (const notification of added) this.#add(notification);
    this.#show();
  }

  #remove(ids) {
    // Only what was certainly counted; the server's next count has the rest.
    for (const id of ids) if (this.#added.delete(id)) this.#change(-1);
    this.#show();
  }

  #change(by) {
    for (const name of ["unread", "unseen"]) {
      this.dataset[name] = Math.max(0, Number(this.dataset[name]) + by);
    }
  }

  #show() {
    const { unread, limit, label, labelNone, labelMany } = this.dataset;
    const counted = Number(this.dataset[this.dataset.badgeCounts]);
    const most = Number(this.dataset.badgeLimit) - 1;
    const text = counted > most ? `${most}+` : String(counted);
    const badge = this.querySelector("[data-badge]");
    if (badge) {
      if (badge.textContent !== text) badge.textContent = text;
      badge.hidden = counted === 0;
    }
    let name = plural(label, Number(unread), this.lang);
    if (Number(unread) === 0) name = labelNone;
    else if (Number(unread) >= Number(limit)) name = labelMany;
    this.#toggle.setAttribute("aria-label", name);
    const detail = { count: counted, text };
    this.dispatchEvent(
      new CustomEvent("notifications:count", { bubbles: true, detail }),
    );
  }

  #tellConnection(status) {
    clearTimeout(this.#trouble);
    const line = this.querySelector("[data-connection]");
    if (status === "signed-out") {
      this.dataset.unread = 0;
      this.dataset.unseen = 0;
      this.#show();
    }
    if (status === "reconnecting") {
      this.#trouble = setTimeout(() => {
        line.textContent = this.dataset.reconnecting;
      }, TROUBLE_MS);
    } else if (status !== "connecting") {
      line.textContent = "";
    }
  }
}

if (!customElements.get("notification-bell")) {
  customElements.define("notification-bell", NotificationBell);
}
