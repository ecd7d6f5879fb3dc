/**
 * <form data-stay data-done="Sent.">
 *
 * Is sent without leaving the page, so that one can watch what comes of it. The
 * server need not know: it redirects back to this page once it has taken the form.
 */

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-stay]")) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  const address = await answered(form);
  button.disabled = false;
  if (!address) {
    // Not taken: the browser asks again, and shows what the answer is.
    form.submit();
  } else if (address.pathname === location.pathname) {
    tell(form);
  } else {
    location.assign(address);
  }
});

/** Return where the server redirects to, or null. */
async function answered(form) {
  const body = new FormData(form);
  try {
    const response = await fetch(form.action, { method: "POST", body });
    return response.redirected ? new URL(response.url) : null;
  } catch {
    return null; // no connection, for which the browser has a page
  }
}

function tell(form) {
  const status = form.querySelector("[data-status]");
  if (!status) return;
  status.textContent = form.dataset.done;
  setTimeout(() => {
    status.textContent = "";
  }, 3000);
}
