/**
 * Tells the server what somebody saw, and what they opened.
 *
 * Seen is what was in view of somebody who looked, in any <notification-list>; told
 * a moment later, and not what came since they looked away.
 * Read is what was opened elsewhere than in a list: notifications:opened {id}. The
 * page follows the state that is answered; if that fails there is nothing to take
 * back.
 */

const SEEN_DELAY_MS = 250;

const inView = new Set(); // lists
let seeing;

async function post(url, data, token) {
  try {
    const response = await fetch(url, {
      method: "POST",
      body: data,
      headers: { Accept: "application/json", "X-CSRFToken": token },
      keepalive: true, // a click on a link leaves the page
    });
    // The token is perhaps from before a login: the newest page comes with another.
    if (response.status === 403) {
      document.body.dispatchEvent(
        new CustomEvent("notifications:refetch", { bubbles: true }),
      );
    }
    if (!response.ok || response.redirected) return;
    const detail = await response.json();
    document.body.dispatchEvent(
      new CustomEvent("notifications:state", { bubbles: true, detail }),
    );
  } catch {
    // No network: it stays as it was.
  }
}

async function markRead(id) {
  const stream = document.querySelector("notification-stream[data-read]");
  if (!stream) return;
  const { read, token } = stream.dataset;
  await post(read, new URLSearchParams({ id }), token);
}

function markSeen(list, upto) {
  if (!Number(list.dataset.unseen)) return;
  const data = new URLSearchParams(new FormData(list.querySelector("form")));
  data.set("upto", upto);
  post(list.dataset.seen, data, data.get("csrfmiddlewaretoken"));
}

function see() {
  if (document.visibilityState !== "visible" || !inView.size) return;
  const seen = [...inView].map((list) => [
    list,
    list.querySelector("[name=upto]").value,
  ]);
  clearTimeout(seeing);
  seeing = setTimeout(() => {
    for (const [list, upto] of seen) markSeen(list, upto);
  }, SEEN_DELAY_MS);
}

const view = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    if (isIntersecting) inView.add(target);
    else inView.delete(target);
  }
  see();
});

document.addEventListener("notifications:listed", ({ target }) => {
  view.observe(target);
  see();
});
document.addEventListener("notifications:received", see);
document.addEventListener("visibilitychange", see);
document.addEventListener("notifications:opened", ({ detail }) => markRead(detail.id));
