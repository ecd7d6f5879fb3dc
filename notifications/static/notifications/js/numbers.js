/**
 * <notification-numbers data-url>
 *
 * What became of a broadcast, while somebody watches. The stream says that there are
 * new numbers (notifications:numbers), and this asks which, as it does now and then
 * where nothing streams. Not while nobody looks, and the less often the longer the
 * server has to count: of a million users it is asked for a fifth of the time at most.
 */

const QUIET_MS = 10_000;
const PAUSE_MS = 500;
const PAUSE_FACTOR = 4;

class NotificationNumbers extends HTMLElement {
  #listening;
  #timer;
  #dueAt = Infinity;
  #isAsking = false;
  #isStale = false; // there was news while it asked
  #pauseMs = PAUSE_MS;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const soon = () => {
      this.#isStale = true;
      if (!this.#isAsking) this.#wait(this.#pauseMs);
    };
    document.addEventListener("notifications:numbers", soon, { signal });
    document.addEventListener("visibilitychange", soon, { signal });
    this.#wait(QUIET_MS);
  }

  disconnectedCallback() {
    this.#listening.abort();
    clearTimeout(this.#timer);
  }

  /** Ask in *ms*, or when it was going to if that is earlier: news may not delay it. */
  #wait(ms) {
    const dueAt = Date.now() + ms;
    if (dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    this.#dueAt = Infinity;
    if (document.visibilityState !== "visible") return;
    this.#isAsking = true;
    this.#isStale = false;
    const askedAt = Date.now();
    try {
      const response = await fetch(this.dataset.url, {
        headers: { Accept: "application/json" },
      });
      if (response.ok && !response.redirected) this.#show(await response.json());
    } catch {
      // No network: the numbers stay as they were.
    } finally {
      this.#isAsking = false;
      this.#pauseMs = Math.max(PAUSE_MS, PAUSE_FACTOR * (Date.now() - askedAt));
      const quietMs = Math.max(QUIET_MS, this.#pauseMs);
      if (this.isConnected) this.#wait(this.#isStale ? this.#pauseMs : quietMs);
    }
  }

  #show(numbers) {
    for (const place of this.querySelectorAll("[data-number]")) {
      const text = numbers[place.dataset.number] ?? "—";
      if (place.textContent !== text) place.textContent = text;
    }
  }
}

if (!customElements.get("notification-numbers")) {
  customElements.define("notification-numbers", NotificationNumbers);
}
