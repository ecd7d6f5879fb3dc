/**
 * Boxes that are ticked in a <notification-list>, and what is done with them.
 *
 * Without this script the boxes and buttons are a form like any other. With it the
 * buttons appear once something is ticked, and one box ticks all.
 */

function refresh(list) {
  const all = list.querySelector("[data-tick-all]");
  const bulk = list.querySelector("[data-bulk]");
  if (!all || !bulk) return;
  const boxes = [...list.querySelectorAll("[data-tick]")];
  const ticked = boxes.filter((box) => box.checked).length;
  all.hidden = boxes.length === 0;
  const box = all.querySelector("input");
  box.checked = ticked > 0 && ticked === boxes.length;
  box.indeterminate = ticked > 0 && ticked < boxes.length;
  list.querySelector("[data-ticked]").textContent = ticked ? String(ticked) : "";
  for (const button of bulk.querySelectorAll("button")) {
    if (!ticked && button === document.activeElement) {
      list.querySelector("[data-rows]").focus({ preventScroll: true });
    }
    button.hidden = ticked === 0;
  }
}

document.addEventListener("change", ({ target }) => {
  const list = target.closest("notification-list");
  if (!list) return;
  if (target.closest("[data-tick-all]")) {
    for (const box of list.querySelectorAll("[data-tick]"))
      box.checked = target.checked;
  }
  refresh(list);
});
document.addEventListener("notifications:listed", ({ target }) => refresh(target));
