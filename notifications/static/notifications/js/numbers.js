/**
 * <notification-numbers data-url>
 *
 * What became of a broadcast, while somebody watches. The stream says that there are
 * new numbers (notifications:numbers), and this asks which, as it does now and then
 * where nothing streams. Not while nobody looks.
 */

const QUIET_MS = 10_000;
const PAUSE_MS = 500;

class NotificationNumbers extends HTMLElement {
  #listening;
  #timer;
  #isAsking = false;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const soon = () => this.#wait(PAUSE_MS);
    document.addEventListener("notifications:numbers", soon, { signal });
    document.addEventListener("visibilitychange", soon, { signal });
    this.#wait(QUIET_MS);
  }

  disconnectedCallback() {
    this.#listening.abort();
    clearTimeout(this.#timer);
  }

  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ms);
  }

  async #ask() {
    if (document.visibilityState !== "visible" || this.#isAsking) return;
    this.#isAsking = true;
    try {
      const response = await fetch(this.dataset.url, {
        headers: { Accept: "application/json" },
      });
      if (response.ok && !response.redirected) this.#show(await response.json());
    } catch {
      // No network: the numbers stay as they were.
    } finally {
      this.#isAsking = false;
      this.#wait(QUIET_MS);
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
