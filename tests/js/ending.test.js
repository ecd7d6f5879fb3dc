import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorAt, worker } from "./fakes.js";

const HOUR_MS = 3_600_000;

/** Return a worker whose page and stream have just been told bye. */
function sayBye(reason) {
  const world = worker();
  const page = world.page().join();
  const { stream } = world;
  stream.hello();
  stream.notify(7, 5);
  page.forget();
  stream.send("bye", { reason });
  return { world, page, stream };
}

for (const reason of ["expired", "limit", "overflow"]) {
  test(`after bye for ${reason}, the next stream is opened at once`, () => {
    const { world, page, stream } = sayBye(reason);

    assert.equal(stream.isClosed, true);
    assert.equal(world.streams.length, 2);
    assert.equal(world.stream.url.searchParams.get("cursor"), cursorAt(5, 7));

    world.stream.hello();
    assert.deepEqual(page.statuses, ["connecting", "open"]);
  });

  test(`bye for ${reason} is no failure`, async () => {
    const { world } = sayBye(reason);

    await world.clock.pass(9_000);

    assert.deepEqual(world.requests, []);
    assert.equal(world.streams.length, 2);
  });
}

for (const reason of ["clock", "revoked", "unheard-of"]) {
  test(`after bye for ${reason}, the browser connects by itself`, () => {
    const { world, page, stream } = sayBye(reason);

    stream.breakOff();

    assert.deepEqual(world.openStreams, [stream]);
    assert.deepEqual(page.statuses, ["reconnecting"]);
  });
}

test("a stream that was replaced is not fought for: its pages poll", async () => {
  const { world, page } = sayBye("replaced");

  await world.clock.pass(HOUR_MS);

  assert.deepEqual(page.statuses, ["polling"]);
  assert.equal(world.streams.length, 1);
  assert.deepEqual(world.openStreams, []);
  assert.deepEqual(world.requests, []);
});

test("a stream that was replaced is opened again for who looks at a page", () => {
  const { world, page } = sayBye("replaced");

  page.wake();
  world.stream.hello();

  assert.equal(world.streams.length, 2);
  assert.equal(page.status, "open");
});

test("a stream that was replaced is opened again for a page that comes", () => {
  const { world } = sayBye("replaced");

  world.page().join({ cursor: cursorAt(60) });

  assert.equal(world.streams.length, 2);
  assert.equal(world.stream.url.searchParams.get("cursor"), cursorAt(5, 7));
});

test("after a logout, nothing is asked any more", async () => {
  const { world, page } = sayBye("logout");

  await world.clock.pass(HOUR_MS);
  page.wake();
  await world.clock.pass(HOUR_MS);

  assert.deepEqual(page.statuses, ["signed-out"]);
  assert.equal(world.streams.length, 1);
  assert.deepEqual(world.openStreams, []);
  assert.deepEqual(world.requests, []);
});

test("after a logout, the page of who signs in again opens the stream", () => {
  const { world, page } = sayBye("logout");

  world.page().join();
  world.stream.hello();

  assert.equal(world.streams.length, 2);
  assert.equal(page.status, "open");
});
