/**
 * Marks read what was opened elsewhere than in a list: notifications:opened {id}.
 *
 * As a row's own link does it, except that there is nothing to take back if it
 * fails. The page follows the state that is answered.
 */

async function markRead(id) {
  const stream = document.querySelector("notification-stream[data-read]");
  if (!stream) return;
  const { read, token } = stream.dataset;
  try {
    const response = await fetch(read, {
      method: "POST",
      body: new URLSearchParams({ id }),
      headers: { Accept: "application/json", "X-CSRFToken": token },
      keepalive: true, // a click on a link leaves the page
    });
    if (!response.ok || response.redirected) return;
    const detail = await response.json();
    document.body.dispatchEvent(
      new CustomEvent("notifications:state", { bubbles: true, detail }),
    );
  } catch {
    // No network: it stays unread.
  }
}

document.addEventListener("notifications:opened", ({ detail }) => markRead(detail.id));
