/**
 * Says whom the broadcast in the admin's form would reach, as soon as that is chosen.
 *
 * <span data-reach="…"> holds the answer and the address to ask. Without this
 * script it is as of the last save.
 */

const AUDIENCE = "#id_audience";
const USERS = "#id_users";
const DELAY_MS = 200;

let waiting;
let asked = 0;

function chosen() {
  const users = document.querySelector(USERS);
  if (!users) return [];
  // A list to choose from, or a text field with ids.
  return users.selectedOptions
    ? [...users.selectedOptions].map((option) => option.value)
    : [users.value];
}

async function ask(place) {
  const url = new URL(place.dataset.reach, location.href);
  url.searchParams.set("audience", document.querySelector(AUDIENCE).value);
  for (const user of chosen()) url.searchParams.append("users", user);
  const mine = ++asked;
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) return;
    const { text } = await response.json();
    if (mine === asked) place.textContent = text;
  } catch {
    // No network: saving says it.
  }
}

function follow({ target }) {
  if (!target.matches(`${AUDIENCE}, ${USERS}`)) return;
  const place = document.querySelector("[data-reach]");
  if (!place) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => ask(place), DELAY_MS);
}

document.addEventListener("change", follow);
// The admin's autocomplete tells jQuery alone of what is chosen.
window.django?.jQuery?.(document).on("change", USERS, follow);
