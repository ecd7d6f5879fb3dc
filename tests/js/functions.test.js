import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "./fakes.js";

const NOW = Date.UTC(2026, 0, 5, 9);
const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

// Enough of a page to load a script whose element is defined already.
const page = {
  HTMLElement: class {},
  customElements: { get: () => true },
};

const { relative } = run("time.js", { ...page, Date: { now: () => NOW } });
const { isUpTo, safeUrl } = run("list.js", {
  ...page,
  URL,
  document: { baseURI: "https://site.example/inbox/" },
  location: { origin: "https://site.example" },
});
const { cursorOf } = run("loading.js", { document: { addEventListener() {} } });
const { pieces } = run("actions.js", {
  URLSearchParams,
  document: { addEventListener() {} },
});

for (const [seconds, words] of [
  [0, "now"],
  [44, "now"],
  [45, "1 minute ago"],
  [2 * MINUTE, "2 minutes ago"],
  [44 * MINUTE, "44 minutes ago"],
  [45 * MINUTE, "1 hour ago"],
  [21.9 * HOUR, "22 hours ago"],
  [22 * HOUR, "yesterday"],
  [6.4 * DAY, "6 days ago"],
  [6.5 * DAY, "Dec 29, 2025"],
  [-2 * HOUR, "in 2 hours"],
]) {
  test(`what happened ${seconds} s ago was “${words}”`, () => {
    assert.equal(relative(NOW - seconds * 1_000, "en"), words);
  });
}

test("times are told in the page's language", () => {
  assert.equal(relative(NOW - 2 * HOUR * 1_000, "de"), "vor 2 Stunden");
  assert.equal(relative(NOW - DAY * 1_000, "fr"), "hier");
});

for (const url of [
  "/orders/7/",
  "/orders/7/?tab=log#latest",
  "https://other.example/orders",
  "HTTP://other.example/",
]) {
  test(`a notification may lead to ${url}`, () => {
    assert.equal(safeUrl(url), url);
  });
}

for (const url of [
  "",
  "orders/7/",
  "//other.example/",
  "/\\other.example/",
  "/\t/other.example/",
  "javascript:alert(1)",
  "java\nscript:alert(1)",
  " https://other.example/",
  "data:text/html,hello",
  "mailto:ada@site.example",
  "https://",
  "/\\",
]) {
  test(`a notification leads nowhere for ${JSON.stringify(url)}`, () => {
    assert.equal(safeUrl(url), null);
  });
}

for (const [cursor, bound, isIt] of [
  ["100-5", "100-5", true],
  ["100-5", "100-6", true],
  ["100-10", "100-9", false],
  ["99-10", "100-9", true],
  ["101-1", "100-9", false],
  ["9-1", "10-1", true],
]) {
  test(`${cursor} is ${isIt ? "" : "not "}covered by “read up to ${bound}”`, () => {
    assert.equal(isUpTo(cursor, bound), isIt);
  });
}

for (const [publishAt, cursor] of [
  ["2026-01-05T09:00:00.123456+00:00", "1767603600123456-7"],
  ["2026-01-05T10:00:00.000007+01:00", "1767603600000007-7"],
  ["2026-01-05T09:00:00.5Z", "1767603600500000-7"],
  ["2026-01-05T09:00:00+00:00", "1767603600000000-7"],
]) {
  test(`the inbox goes on from ${cursor} below what is of ${publishAt}`, () => {
    assert.equal(cursorOf({ dataset: { publishAt, notification: "7" } }), cursor);
  });
}

test("what is ticked is posted in pieces that the API takes, in their order", () => {
  const ids = Array.from({ length: 1_001 }, (_, id) => String(id));
  const data = new URLSearchParams(ids.map((id) => ["id", id]));
  data.set("csrfmiddlewaretoken", "token");

  const all = [...pieces(data)];

  const taken = all.map((piece) => piece.getAll("id"));
  assert.deepEqual(
    taken.map(({ length }) => length),
    [500, 500, 1],
  );
  assert.deepEqual(taken.flat(), ids);
  for (const piece of all) assert.equal(piece.get("csrfmiddlewaretoken"), "token");
});

for (const name of ["only", "all"]) {
  test(`what ${name} says is posted without what is ticked beside it`, () => {
    const data = new URLSearchParams([
      ["id", "1"],
      ["id", "2"],
      [name, "1"],
    ]);
    assert.equal(String(pieces(data)), `${name}=1`);
  });
}
