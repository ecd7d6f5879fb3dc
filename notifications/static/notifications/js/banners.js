/**
 * <notification-banners data-most … lang>
 *
 * Keeps the banners on the page true: puts up what arrives, replaces what was
 * corrected, takes down what was recalled, has expired, or was put away on whichever
 * page. Clones of its <template>, filled with text only. Without this script they
 * are as rendered, and putting one away reloads the page.
 */

const parse = (cursor) => Number((cursor || "0").split("-")[0]);

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

class NotificationBanners extends HTMLElement {
  #listening;
  #putAway = new Map(); // id → banner, for who takes it back

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const hear = (name, react) => {
      const listen = ({ detail }) => react(detail);
      document.addEventListener(`notifications:${name}`, listen, { signal });
    };
    hear("received", (notification) => this.#receive(notification));
    hear("page", ({ notifications }) => {
      for (const notification of notifications) this.#receive(notification);
    });
    hear("state", ({ archived, unarchived = [] }) => {
      // One that may not be put away stays, whatever somebody did in the inbox.
      const isDown = ({ dataset }) => "dismissible" in dataset;
      this.#takeDown(archived, isDown);
      for (const id of unarchived) {
        const banner = this.#putAway.get(id);
        if (banner && !this.#banner(id)) this.#insert(banner);
      }
    });
    hear("removed", ({ ids }) => this.#takeDown(ids));
    hear("connection", ({ status }) => {
      if (status === "signed-out") this.#rows.replaceChildren();
      this.#settle();
    });
    // Before any listener on the form: htmx's, where it is boosted, would post too.
    const first = { signal, capture: true };
    this.addEventListener("submit", (event) => this.#close(event), first);
    this.addEventListener("click", (event) => this.#open(event), { signal });
    this.addEventListener("auxclick", (event) => this.#open(event), { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  get #rows() {
    return this.querySelector("[data-banners]");
  }

  #banner(id) {
    return this.#rows.querySelector(`[data-notification="${Number(id)}"]`);
  }

  #receive(notification) {
    const { id, at, placement } = notification;
    const old = this.#banner(id);
    if (placement !== "banner") return;
    if (old && (at ?? 0) <= parse(old.dataset.cursor)) return;
    const banner = this.#make(notification);
    if (!old) this.#insert(banner);
    else {
      const hadFocus = old.contains(document.activeElement);
      old.replaceWith(banner);
      if (hadFocus) this.#focusOn(banner);
    }
  }

  /** Put *banner* up, the newest first, and no more than there may be. */
  #insert(banner) {
    const moment = Date.parse(banner.dataset.publishAt);
    const next = [...this.#rows.children].find(
      ({ dataset }) => Date.parse(dataset.publishAt) <= moment,
    );
    this.#rows.insertBefore(banner, next ?? null);
    while (this.#rows.children.length > Number(this.dataset.most)) {
      this.#rows.lastElementChild.remove();
    }
    this.#settle();
  }

  #make(notification) {
    const { id, at, level, dismissible, translations } = notification;
    const template = this.querySelector("template").content.firstElementChild;
    const banner = document.importNode(template, true);
    banner.dataset.notification = id;
    banner.dataset.cursor = at ? `${at}-${id}` : "";
    banner.dataset.publishAt = notification.publish_at;
    banner.dataset.level = level;
    banner.toggleAttribute("data-dismissible", dismissible);
    const language = this.lang.toLowerCase();
    const words = translations?.[language] ?? translations?.[language.split("-")[0]];
    const label = this.getAttribute(`data-level-${notification.level_name}`);
    const texts = {
      level: label ? `${label}:` : "",
      title: words?.title || notification.title,
      body: words?.body || notification.body,
    };
    for (const [name, text] of Object.entries(texts)) {
      for (const slot of banner.querySelectorAll(`[data-slot="${name}"]`)) {
        slot.textContent = text;
        slot.hidden = !text;
      }
    }
    const url = safeUrl(notification.url);
    const link = banner.querySelector("[data-link]");
    if (url) link?.setAttribute("href", url);
    else link?.removeAttribute("href");
    for (const input of banner.querySelectorAll("[name=id]")) input.value = id;
    const form = banner.querySelector("form");
    if (form) form.hidden = !dismissible;
    return banner;
  }

  #takeDown(ids, isMeant = () => true) {
    for (const id of ids) {
      const banner = this.#banner(id);
      if (!banner || !isMeant(banner)) continue;
      this.#putAway.set(id, banner);
      this.#remove(banner);
    }
    this.#settle();
  }

  #remove(banner) {
    const hadFocus = banner.contains(document.activeElement);
    const next = banner.nextElementSibling ?? banner.previousElementSibling;
    banner.remove();
    this.#settle();
    if (hadFocus) this.#focusOn(next);
  }

  /** Where there is no other banner, the bell is what comes next. */
  #focusOn(banner) {
    const own = banner?.querySelector("a[href], form:not([hidden]) button");
    const bell = document.querySelector("notification-bell [data-toggle]");
    (own ?? bell)?.focus({ preventScroll: true });
  }

  #settle() {
    this.#rows.hidden = this.#rows.children.length === 0;
  }

  #open(event) {
    const banner = event.target.closest("a[href]")?.closest("[data-notification]");
    if (!banner || event.button > 1) return;
    const detail = { id: Number(banner.dataset.notification) };
    const options = { bubbles: true, detail };
    this.dispatchEvent(new CustomEvent("notifications:opened", options));
  }

  /** Take it down at once, ask the server, and put it up again if that fails. */
  async #close(event) {
    event.preventDefault();
    event.stopPropagation();
    const form = event.target;
    const banner = form.closest("[data-notification]");
    const id = Number(banner.dataset.notification);
    const data = new URLSearchParams(new FormData(form));
    const problem = this.querySelector("[data-problem]");
    this.#putAway.set(id, banner);
    this.#remove(banner);
    problem.textContent = "";
    try {
      const response = await fetch(form.action, {
        method: "POST",
        body: data,
        headers: {
          Accept: "application/json",
          "X-CSRFToken": data.get("csrfmiddlewaretoken"),
        },
        keepalive: true, // a click on a link leaves the page
      });
      // The token is perhaps from before a login: the newest page has another.
      if (response.status === 403) {
        this.dispatchEvent(new CustomEvent("notifications:refetch", { bubbles: true }));
      }
      if (!response.ok || response.redirected) throw new Error(String(response.status));
      const options = { bubbles: true, detail: await response.json() };
      this.dispatchEvent(new CustomEvent("notifications:state", options));
    } catch {
      if (!this.#banner(id)) this.#insert(banner);
      problem.textContent = this.dataset.failed;
    }
  }
}

if (!customElements.get("notification-banners")) {
  customElements.define("notification-banners", NotificationBanners);
}
