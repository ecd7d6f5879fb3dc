/**
 * Shows in each [data-preview] what is being written in the admin's form.
 *
 * The server has filled them with what is stored; this follows the fields, as text.
 */

const field = (name) => document.querySelector(`#id_${name}`);

function fill(preview, name, text) {
  for (const slot of preview.querySelectorAll(`[data-slot="${name}"]`)) {
    slot.textContent = text;
    slot.hidden = !text;
  }
}

function show() {
  const level = field("level");
  for (const preview of document.querySelectorAll("[data-preview]")) {
    for (const name of ["title", "body"]) {
      const input = field(name);
      if (input) fill(preview, name, input.value);
    }
    if (level) {
      for (const each of preview.querySelectorAll("[data-level]")) {
        each.dataset.level = level.value;
      }
      const isPlain = level.value === level.options[0].value;
      fill(preview, "level", isPlain ? "" : `${level.selectedOptions[0].text}:`);
    }
    const placement = field("placement");
    if (placement) preview.dataset.placement = placement.value;
    const dismissible = field("dismissible");
    for (const form of preview.querySelectorAll(".notification-banner-close")) {
      if (dismissible) form.hidden = !dismissible.checked;
    }
  }
}

for (const name of ["input", "change"]) document.addEventListener(name, show);
show();
