import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorAt, tab, worker } from "./fakes.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** Return a worker with one page that has joined, and its stream before hello. */
function joinWorker() {
  const world = worker();
  const page = world.page().join();
  return { world, page, stream: world.stream };
}

/** Return a worker with one page, and its stream after hello. */
function openWorker(hello) {
  const { world, page, stream } = joinWorker();
  stream.hello(hello);
  return { world, page, stream };
}

/** Let *ms* pass, with a sign of life of the stream every 15 seconds. */
async function stayOpen(world, ms) {
  for (let passed = 0; passed < ms; passed += 15_000) {
    world.stream.send("ping");
    await world.clock.pass(Math.min(15_000, ms - passed));
  }
}

// Refused: the browser gives up, so we come back

test("a refused stream is opened again from the last event seen", async () => {
  const { world, stream } = openWorker();
  stream.notify(1, 5);
  stream.notify(2, 6);

  await world.refuse(1);

  assert.equal(world.streams.length, 2);
  assert.deepEqual(world.openStreams, [world.stream]);
  assert.equal(world.stream.url.searchParams.get("cursor"), cursorAt(6, 2));
});

test("a refused stream is opened again with the user's key", async () => {
  const { world } = joinWorker();

  await world.refuse(1);

  assert.equal(world.stream.url.searchParams.get("user"), "5eaf00d5eaf00d00");
});

test("pages hear that it reconnects, and when it is open again", async () => {
  const { world, page, stream } = openWorker();
  page.forget();

  stream.refuse();
  await world.clock.pass(1_000);
  world.stream.hello();

  assert.deepEqual(page.statuses, ["reconnecting", "open"]);
});

test("the longest wait doubles from two seconds, up to a minute", async () => {
  const { world, stream } = joinWorker();
  world.random = 0.999;
  const longest = [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
  stream.refuse();

  for (const [index, ms] of longest.entries()) {
    await world.clock.pass(0.999 * ms - 1);
    assert.equal(world.streams.length, index + 1);
    await world.clock.pass(1);
    assert.equal(world.streams.length, index + 2);
    world.stream.refuse();
  }
});

test("the wait is a part of the longest that chance decides", async () => {
  const { world } = joinWorker();
  world.random = 0.25;
  await world.refuse(3);

  world.stream.refuse();
  await world.clock.pass(0.25 * 16_000 - 1);
  assert.equal(world.streams.length, 4);

  await world.clock.pass(1);
  assert.equal(world.streams.length, 5);
});

test("the shortest wait is none, however often it failed", async () => {
  const { world } = joinWorker();
  world.random = 0;

  await world.refuse(9);

  assert.equal(world.streams.length, 10);
});

test("waits begin at two seconds again after a minute without a failure", async () => {
  const { world, page } = joinWorker();
  await world.refuse(7);
  world.stream.hello();
  await stayOpen(world, MINUTE_MS + 1);
  page.forget();
  world.random = 0.999;

  world.stream.refuse();
  await world.clock.pass(1_998);

  assert.equal(page.statuses[0], "reconnecting");
  assert.equal(world.streams.length, 9);

  world.stream.refuse();
  await world.clock.pass(3_995);
  assert.equal(world.streams.length, 9);
});

test("a stream that fails within a minute does not shorten the waits", async () => {
  const { world, page } = joinWorker();
  await world.refuse(7);
  world.stream.hello();
  await stayOpen(world, MINUTE_MS);
  page.forget();
  world.random = 0.999;

  world.stream.refuse();
  await world.clock.pass(0.999 * MINUTE_MS - 1);
  assert.equal(page.statuses[0], "polling");
  assert.equal(world.streams.length, 8);

  await world.clock.pass(1);
  assert.equal(world.streams.length, 9);
});

test("three failures in a row are polling", async () => {
  const { world, page } = joinWorker();

  await world.refuse(2);
  assert.equal(page.status, "reconnecting");

  await world.refuse(1);
  assert.equal(page.status, "polling");
});

test("while pages poll, the stream is tried on, and found", async () => {
  const { world, page } = joinWorker();
  await world.refuse(12);
  assert.equal(world.streams.length, 13);
  assert.equal(page.status, "polling");

  world.stream.hello();

  assert.equal(page.status, "open");
});

test("while it tries, there is never more than one stream", async () => {
  const { world } = joinWorker();

  for (let time = 0; time < 12; time += 1) {
    await world.refuse(1);
    assert.ok(world.openStreams.length <= 1);
  }
});

// The one question after a failure

test("a refusal is followed by one question to the server", async () => {
  const { world, stream } = openWorker();

  stream.refuse();
  await world.clock.pass(0);

  assert.equal(world.requests.length, 1);
  const [{ url, options }] = world.requests;
  assert.equal(url.pathname, "/notifications/api/state/");
  assert.equal(url.searchParams.get("user"), "5eaf00d5eaf00d00");
  assert.equal(options.headers.Accept, "application/json");
  assert.equal(options.cache, "no-store");
  assert.deepEqual(options.signal, { ms: 10_000 });
});

test("each failure is asked about once, also while pages poll", async () => {
  const { world } = joinWorker();

  await world.refuse(3);
  assert.equal(world.requests.length, 3);

  await world.refuse(5);
  assert.equal(world.requests.length, 8);
});

for (const status of [401, 403, 204]) {
  test(`an answer of ${status} is signed out, and nothing is asked again`, async () => {
    const { world, page, stream } = openWorker();
    world.answer = status;
    page.forget();

    stream.refuse();
    await world.clock.pass(HOUR_MS);
    page.wake();
    await world.clock.pass(HOUR_MS);

    assert.deepEqual(page.statuses, ["reconnecting", "signed-out"]);
    assert.equal(world.requests.length, 1);
    assert.deepEqual(world.openStreams, []);
    assert.equal(world.streams.length, 1);
  });
}

for (const status of [200, 400, 404, 500, 503, null]) {
  test(`an answer of ${status ?? "nothing"} is not signed out`, async () => {
    const { world, page, stream } = openWorker();
    world.answer = status;

    stream.refuse();
    await world.clock.pass(1_000);

    assert.equal(page.status, "reconnecting");
    assert.equal(world.openStreams.length, 1);
  });
}

test("nothing is tried again before the site has answered", async () => {
  for (const [status, streams] of [
    [200, 2],
    [401, 1],
  ]) {
    const { world, stream } = openWorker();
    const { promise, resolve } = withResolvers();
    world.answer = promise;
    stream.refuse();
    await world.clock.pass(MINUTE_MS);
    assert.equal(world.streams.length, 1);

    resolve(status);
    await world.clock.pass(0);

    assert.equal(world.streams.length, streams);
  }
});

test("signed out closes a stream that was tried while the answer came", async () => {
  const { world, page, stream } = openWorker();
  const { promise, resolve } = withResolvers();
  world.answer = promise;
  stream.refuse();
  await world.clock.pass(1_000);
  page.wake();

  resolve(401);
  await world.clock.pass(HOUR_MS);

  assert.equal(page.status, "signed-out");
  assert.equal(world.streams.length, 2);
  assert.deepEqual(world.openStreams, []);
});

test("somebody who signed in again is served", async () => {
  const { world, page, stream } = openWorker();
  world.answer = 401;
  stream.refuse();
  await world.clock.pass(1_000);

  world.page().join();
  world.stream.hello();

  assert.equal(world.openStreams.length, 1);
  assert.equal(page.status, "open");
});

// Broken off: the browser comes back by itself

test("a connection that breaks off is left to the browser", async () => {
  const { world, page, stream } = openWorker();

  stream.breakOff();
  await world.clock.pass(30_000);

  assert.equal(page.status, "reconnecting");
  assert.deepEqual(world.openStreams, [stream]);
  assert.deepEqual(world.requests, []);
});

test("a connection that the browser mended is open", async () => {
  const { world, page, stream } = openWorker();
  stream.breakOff();

  stream.hello();
  await stayOpen(world, HOUR_MS);

  assert.equal(page.status, "open");
  assert.equal(world.streams.length, 1);
});

test("a connection that breaks off before the hello still connects", () => {
  const { page, stream } = joinWorker();

  stream.breakOff();

  assert.equal(page.status, "connecting");
});

test("a browser that does not come back is helped", async () => {
  const { world, page, stream } = openWorker({ heartbeatMs: 20_000 });
  await world.clock.pass(40_000);
  stream.breakOff();

  await world.clock.pass(49_999);
  assert.equal(stream.isClosed, false);

  await world.clock.pass(2_000);
  assert.equal(stream.isClosed, true);
  assert.equal(world.openStreams.length, 1);
  assert.equal(page.status, "reconnecting");
});

test("a connection that is refused when the browser comes back is retried", async () => {
  const { world, stream } = openWorker();
  stream.breakOff();

  await world.refuse(1);

  assert.equal(world.openStreams.length, 1);
  assert.equal(world.requests.length, 1);
});

// Held up on the way

test("a stream without a hello in ten seconds is polling", async () => {
  const { world, page, stream } = joinWorker();

  await world.clock.pass(9_999);
  assert.equal(page.status, "connecting");
  assert.equal(stream.isClosed, false);

  await world.clock.pass(1);
  assert.equal(page.status, "polling");
  assert.equal(stream.isClosed, true);
});

test("pages are told that a stream is held up, and when no longer", async () => {
  const { world, page } = joinWorker();

  await world.clock.pass(10_000);
  assert.equal(page.heard.at(-1).isHeldUp, true);

  await world.clock.pass(225_000);
  world.stream.hello();
  const { status, isHeldUp } = page.heard.findLast(({ type }) => type === "status");
  assert.deepEqual([status, isHeldUp], ["open", false]);
});

test("silence of a network that is gone is no stream that is held up", async () => {
  const { world, page } = joinWorker();
  world.answer = null;

  await world.clock.pass(10_000);
  assert.equal(page.status, "reconnecting");

  await world.clock.pass(4_000);
  assert.equal(world.streams.length, 2);
  assert.equal(page.heard.at(-1).isHeldUp, false);
});

for (const [random, ms] of [
  [0, 150_000],
  [0.5, 225_000],
  [0.999, 299_850],
]) {
  test(`a stream that is held up is tried again after ${ms / 1_000} s`, async () => {
    const { world, page } = joinWorker();
    world.random = random;
    await world.clock.pass(10_000);

    await world.clock.pass(ms - 1);
    assert.equal(world.streams.length, 1);

    await world.clock.pass(1);
    assert.equal(world.streams.length, 2);
    assert.equal(page.status, "polling");
  });
}

test("a stream that is no longer held up is open", async () => {
  const { world, page } = joinWorker();
  await world.clock.pass(10_000 + 225_000);

  world.stream.hello();

  assert.equal(page.status, "open");
});

test("a hello in time is no reason to worry", async () => {
  const { world, page, stream } = joinWorker();
  await world.clock.pass(9_999);

  stream.hello();
  await world.clock.pass(20_000);

  assert.equal(page.status, "open");
});

// Silence

test("two and a half heartbeats of silence are a failure", async () => {
  const { world, page, stream } = openWorker({ heartbeatMs: 20_000 });

  await world.clock.pass(49_999);
  assert.equal(stream.isClosed, false);

  await world.clock.pass(1);
  assert.equal(stream.isClosed, true);
  assert.equal(page.status, "reconnecting");
  assert.equal(world.requests.length, 1);
});

for (const name of ["ping", "state", "progress"]) {
  test(`a ${name} breaks the silence`, async () => {
    const { world, stream } = openWorker({ heartbeatMs: 20_000 });
    await world.clock.pass(49_999);

    stream.send(name);
    await world.clock.pass(49_999);
    assert.equal(stream.isClosed, false);

    await world.clock.pass(1);
    assert.equal(stream.isClosed, true);
  });
}

// Waking

test("a page that is looked at ends the wait for the next attempt", async () => {
  const { world, page } = joinWorker();
  world.random = 0.999;
  await world.refuse(1);
  world.stream.refuse();

  page.wake();
  assert.equal(world.streams.length, 3);

  await world.clock.pass(5_000);
  assert.equal(world.streams.length, 3);
});

test("a page that is looked at ends polling, if it can", async () => {
  const { world, page } = joinWorker();
  await world.clock.pass(10_000);

  page.wake();
  world.stream.hello();
  await stayOpen(world, 10 * MINUTE_MS);

  assert.equal(world.streams.length, 2);
  assert.equal(page.status, "open");
});

test("a page that is looked at does not disturb a stream that is open", () => {
  const { world, page } = openWorker();

  page.wake();

  assert.equal(world.streams.length, 1);
});

test("a page that is looked at does not disturb a browser that comes back", () => {
  const { world, page, stream } = openWorker();
  stream.breakOff();

  page.wake();

  assert.equal(world.streams.length, 1);
  assert.equal(stream.isClosed, false);
});

test("a page that comes ends the wait for the next attempt", async () => {
  const { world, stream } = joinWorker();
  stream.refuse();

  world.page().join();
  await world.clock.pass(1_000);

  assert.equal(world.streams.length, 2);
});

function withResolvers() {
  let resolve;
  const promise = new Promise((given) => {
    resolve = given;
  });
  return { promise, resolve };
}

test("a stream that was stable reconnects, whatever was before", async () => {
  const world = worker();
  const page = world.page().join();
  await world.refuse(3);
  world.stream.hello();
  await stayOpen(world, HOUR_MS);

  world.stream.breakOff();

  assert.equal(page.status, "reconnecting");
});

test("a stream that never comes back though the site answers is polling", async () => {
  const world = worker();
  const page = world.page().join();

  for (let time = 0; time < 60; time += 1) {
    world.stream?.breakOff();
    await world.clock.pass(3_000);
  }

  assert.equal(page.status, "polling");
});

test("a site that is away is left to the browser, which is the first to notice", async () => {
  const world = worker();
  world.answer = null; // no network
  const page = world.page().join();
  world.stream.hello();

  for (let time = 0; time < 60; time += 1) {
    world.stream.breakOff();
    await world.clock.pass(3_000);
  }

  assert.equal(page.status, "reconnecting");
  assert.equal(world.streams.length, 1);
});

test("pages do not poll a site that does not answer either", async () => {
  const world = worker();
  world.answer = 502;
  const page = world.page().join();

  await world.refuse(5);

  assert.equal(page.status, "reconnecting");
});

test("an answer that comes late does not end a stream that is open since", async () => {
  const world = worker();
  const page = world.page().join();
  world.stream.hello();
  let answer;
  world.answer = new Promise((resolve) => {
    answer = resolve;
  });
  world.stream.refuse();
  page.wake();
  world.stream.hello();

  answer(401);
  await world.clock.pass(0);

  assert.equal(page.status, "open");
});

test("an answer about one user does not sign out the next", async () => {
  const world = tab();
  const page = world.page().join({ user: "ada" });
  world.stream.hello();
  let answer;
  world.answer = new Promise((resolve) => {
    answer = resolve;
  });
  world.stream.refuse();
  await world.clock.pass(0);
  page.leave();
  const next = world.page().join({ user: "bob" });

  answer(401);
  await world.clock.pass(0);

  assert.equal(next.status, "connecting");
  assert.equal(world.openStreams.length, 1);
});

test("a page that is looked at does not disturb an attempt under way", async () => {
  const world = worker();
  const page = world.page().join();
  await world.clock.pass(10_000);

  page.wake();
  page.wake();

  assert.equal(world.streams.length, 2);
});
