import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorAt, microsecondsAt, tab, worker } from "./fakes.js";

/** Return a worker with one page, and its stream after hello. */
function openWorker(cursor = cursorAt(0)) {
  const world = worker();
  const page = world.page().join({ cursor });
  world.stream.hello({ cursor });
  return { world, page, stream: world.stream };
}

/** Return what a page hears that joins now, besides the status and hello. */
function heardBy(world, cursor) {
  const page = world.page().join({ cursor });
  return page.names.filter((name) => name !== "hello");
}

// One for all

test("one stream serves every page that joins", () => {
  const { world, stream } = openWorker();
  const pages = [world.page().join(), world.page().join()];

  stream.notify(1, 5);

  assert.equal(world.streams.length, 1);
  for (const page of pages) assert.equal(page.names.at(-1), "notification 1");
});

test("nothing is opened before a page joins", () => {
  const world = worker();

  world.page();

  assert.equal(world.streams.length, 0);
});

test("the stream is asked for from the page's cursor, with the user's key", () => {
  const world = worker();

  world.page().join({ cursor: "41-7", user: "abc" });

  assert.equal(world.stream.url.pathname, "/notifications/stream/");
  assert.deepEqual(Object.fromEntries(world.stream.url.searchParams), {
    cursor: "41-7",
    user: "abc",
  });
});

test("an event reaches pages with its name, its data, its cursor and its time", () => {
  const { world, page, stream } = openWorker();

  stream.notify(3, 5);

  assert.deepEqual(page.events.at(-1), {
    type: "event",
    name: "notification",
    data: { id: 3, at: microsecondsAt(5), title: "No. 3" },
    cursor: cursorAt(5, 3),
    heardAt: world.clock.now,
  });
});

test("a page that joins late is told when an event was heard", async () => {
  const { world, stream } = openWorker();
  const heardAt = world.clock.now;
  stream.notify(3, 5);
  await world.clock.pass(7_000);

  const page = world.page().join();

  assert.equal(page.events.at(-1).heardAt, heardAt);
});

test("every event of the app reaches pages, but ping and bye", () => {
  const { page, stream } = openWorker();

  stream.notify(1, 5);
  for (const name of [
    "state",
    "removed",
    "refresh",
    "numbers",
    "reset",
    "ping",
    "bye",
  ]) {
    stream.send(name);
  }

  assert.deepEqual(page.names, [
    "hello",
    "notification 1",
    "state",
    "removed",
    "refresh",
    "numbers",
    "reset",
  ]);
});

test("a page hears nothing any more once it has left", () => {
  const { world, page, stream } = openWorker();
  world.page().join();
  page.forget();

  page.leave();
  stream.notify(1, 5);

  assert.deepEqual(page.heard, []);
});

// Joining an open stream

test("a page that joins an open stream is told so, and hears its hello", () => {
  const { world } = openWorker(cursorAt(0, 9));

  const late = world.page().join({ cursor: cursorAt(30) });

  assert.deepEqual(late.statuses, ["open"]);
  assert.deepEqual(late.names, ["hello"]);
  assert.equal(late.events[0].data.audiences, "a1");
  assert.equal(late.events[0].cursor, cursorAt(0, 9));
});

test("a page that joins before the hello hears it once", () => {
  const world = worker();
  world.page().join();
  const second = world.page().join();

  world.stream.hello();

  assert.deepEqual(second.names, ["hello"]);
});

test("the hello of a connection that broke off is not told again", () => {
  const { world, stream } = openWorker();
  stream.breakOff();

  assert.deepEqual(heardBy(world, cursorAt(30)), []);
  assert.deepEqual(world.page().join({ cursor: cursorAt(30) }).names, []);
});

test("a late page hears the notifications that came after it was made", () => {
  const { world, stream } = openWorker();
  stream.notify(1, 100);
  stream.notify(2, 300);
  stream.notify(3, 301);

  assert.deepEqual(heardBy(world, cursorAt(200)), ["notification 2", "notification 3"]);
});

test("a late page hears notifications stamped less than a minute before it", () => {
  const { world, stream } = openWorker();
  stream.notify(1, 140);
  stream.notify(2, 140.000001);
  stream.notify(3, 199);

  assert.deepEqual(heardBy(world, cursorAt(200)), ["notification 2", "notification 3"]);
});

test("a late page hears the states after it, and none from before", () => {
  const { world, stream } = openWorker();
  stream.tellState(199, 1);
  stream.tellState(200, 2);
  stream.tellState(201, 3);

  const late = world.page().join({ cursor: cursorAt(200) });

  const counts = late.events.filter(({ name }) => name === "state");
  assert.deepEqual(
    counts.map(({ data }) => data.unread),
    [3],
  );
});

test("a late page hears whatever was removed", () => {
  const { world, stream } = openWorker();
  stream.send("removed", { ids: [4] });
  stream.notify(5, 300);

  assert.deepEqual(heardBy(world, cursorAt(900)), ["removed"]);
});

test("what was put away or recalled does not come back with a late page", () => {
  const { world, stream } = openWorker();
  for (const id of [1, 2, 3]) stream.notify(id, id);
  stream.send("state", { as_of: 4_000_000, archived: [1] });
  stream.send("removed", { ids: [3] });

  const late = world.page().join({ cursor: cursorAt(5) });

  assert.deepEqual(late.names, ["hello", "notification 2", "removed"]);
});

test("a late page hears things in the order in which they came", () => {
  const { world, stream } = openWorker();
  stream.notify(1, 300);
  stream.send("removed", { ids: [2] });
  stream.tellState(301);

  assert.deepEqual(heardBy(world, cursorAt(250)), [
    "notification 1",
    "removed",
    "state",
  ]);
});

test("a late page does not hear a project's own events again", () => {
  const { world, stream } = openWorker();
  stream.send("progress", { value: 0.5 });

  assert.deepEqual(heardBy(world, cursorAt(0)), []);
});

test("what a late page hears is not told to the others again", () => {
  const { world, page, stream } = openWorker();
  stream.notify(1, 300);
  page.forget();

  world.page().join({ cursor: cursorAt(250) });

  assert.deepEqual(page.heard, []);
});

// Pages older than what is kept

test("a page made before the stream is reset, to where the stream is", () => {
  const { world, stream } = openWorker(cursorAt(100));
  stream.notify(1, 300);

  const old = world.page().join({ cursor: cursorAt(99.999999) });

  assert.deepEqual(old.names, ["hello", "reset"]);
  const { data, cursor } = old.events.at(-1);
  assert.deepEqual(
    { data, cursor },
    {
      data: { reason: "joined-late" },
      cursor: cursorAt(300, 1),
    },
  );
});

test("a page as old as the stream is not reset", () => {
  const { world, stream } = openWorker(cursorAt(100));
  stream.notify(1, 300);

  assert.deepEqual(heardBy(world, cursorAt(100)), ["notification 1"]);
});

test("200 events are kept", () => {
  const { world, stream } = openWorker();
  for (let id = 1; id <= 200; id += 1) stream.notify(id, 1_000 + id);

  assert.equal(heardBy(world, cursorAt(0)).length, 200);
});

test("a page that may have missed one of more than 200 events is reset", () => {
  const { world, stream } = openWorker();
  for (let id = 1; id <= 201; id += 1) stream.notify(id, 1_000 + id);

  assert.deepEqual(heardBy(world, cursorAt(1_060.999999)), ["reset"]);
  assert.equal(heardBy(world, cursorAt(1_061)).length, 200);
});

test("what is kept does not reach further back for what is forgotten later", () => {
  const { world, stream } = openWorker();
  stream.notify(1, 2_000);
  for (let id = 2; id <= 202; id += 1) stream.notify(id, 1_000);

  assert.deepEqual(heardBy(world, cursorAt(2_059)), ["reset"]);
});

test("a page that may have missed a removal among more than 200 is reset", () => {
  const { world, stream } = openWorker();
  stream.send("removed", { ids: [4] });
  for (let id = 1; id <= 200; id += 1) stream.notify(id, 1_000 + id);

  assert.deepEqual(heardBy(world, cursorAt(1_060)), ["reset"]);
  assert.equal(heardBy(world, cursorAt(1_061)).includes("removed"), false);
});

test("a page is reset where only removals are kept, and not all of them", () => {
  const { world, stream } = openWorker();
  for (let id = 1; id <= 201; id += 1) stream.send("removed", { ids: [id] });

  assert.deepEqual(heardBy(world, cursorAt(9_000)), ["reset"]);
});

test("after a reset by the server, nothing from before it is told", () => {
  const { world, page, stream } = openWorker();
  stream.notify(1, 300);
  stream.send("reset", { reason: "gap" }, cursorAt(400));
  stream.notify(2, 401);

  assert.deepEqual(page.events.at(-2).data, { reason: "gap" });
  assert.deepEqual(heardBy(world, cursorAt(350)), ["reset"]);
  assert.deepEqual(heardBy(world, cursorAt(400)), ["notification 2"]);
});

// A project's own events

test("a project's events of the usual names arrive without being named", () => {
  const { page, stream } = openWorker();

  for (const name of ["progress", "status", "complete", "failed", "log", "token"]) {
    stream.send(name);
  }

  assert.deepEqual(page.names.slice(1), [
    "progress",
    "status",
    "complete",
    "failed",
    "log",
    "token",
  ]);
});

test("a project's event arrives if the page names it", () => {
  const world = worker();
  const page = world.page().join({ events: ["chart.updated"] });
  world.stream.hello();

  world.stream.send("chart.updated", { rows: 3 });

  assert.deepEqual(page.events.at(-1).data, { rows: 3 });
});

for (const data of [{ ids: [17] }, { archived: [17] }, { ids: { length: 1 } }, null]) {
  test(`a project's event with ${JSON.stringify(data)} has nothing forgotten`, () => {
    const { world, page, stream } = openWorker();
    stream.notify(17, 5);

    stream.send("progress", data);

    assert.deepEqual(page.events.at(-1).data, data);
    assert.deepEqual(heardBy(world, cursorAt(0)), ["notification 17"]);
  });
}

for (const name of ["constructor", "__defineGetter__"]) {
  test(`a project's event may be called ${name}, as what every object has`, () => {
    const { page, stream } = openWorker();
    page.expect(name);

    stream.send(name, { rows: 3 });

    assert.deepEqual(page.events.at(-1).data, { rows: 3 });
  });
}

test("a page adds the names of its events to a stream that is open", () => {
  const { world, page, stream } = openWorker();
  stream.send("chart.updated");

  world.page().join({ events: ["chart.updated"] });
  stream.send("chart.updated");

  assert.deepEqual(page.names, ["hello", "chart.updated"]);
});

test("a page may name more of its events after it has joined", () => {
  const { page, stream } = openWorker();

  page.expect("chart.updated", "progress");
  stream.send("chart.updated");
  stream.send("progress");

  assert.deepEqual(page.names, ["hello", "chart.updated", "progress"]);
});

test("an event that two pages name arrives once", () => {
  const { world, page, stream } = openWorker();
  world.page().join({ events: ["chart.updated", "progress"] });
  world.page().join({ events: ["chart.updated", "progress"] });

  stream.send("chart.updated");
  stream.send("progress");

  assert.deepEqual(page.names, ["hello", "chart.updated", "progress"]);
});

test("the names that pages gave hold for the next stream too", () => {
  const { world, page, stream } = openWorker();
  world
    .page()
    .join({ events: ["chart.updated"] })
    .leave();

  stream.send("bye", { reason: "expired" });
  world.stream.send("chart.updated");

  assert.equal(page.names.at(-1), "chart.updated");
});

// Leaving

test("the stream stays open while there is a page", async () => {
  const { world, page, stream } = openWorker();
  world.page().join();

  page.leave();
  await world.clock.pass(10_000);

  assert.equal(stream.isClosed, false);
});

test("the stream is closed two seconds after the last page has left", async () => {
  const { world, page, stream } = openWorker();

  page.leave();
  await world.clock.pass(1_999);
  assert.equal(stream.isClosed, false);

  await world.clock.pass(1);
  assert.equal(stream.isClosed, true);
});

test("nothing is opened any more once the last page has left", async () => {
  const { world, page } = openWorker();

  page.leave();
  await world.clock.pass(3_600_000);

  assert.equal(world.streams.length, 1);
  assert.deepEqual(world.requests, []);
});

test("a worker without pages stops trying to connect", async () => {
  const { world, page } = openWorker();
  world.random = 0.999;
  await world.refuse(3);

  page.leave();
  await world.clock.pass(2_000);
  const opened = world.streams.length;
  await world.clock.pass(3_600_000);

  assert.equal(world.streams.length, opened);
  assert.deepEqual(world.openStreams, []);
});

test("a page that follows within two seconds finds the stream open", async () => {
  const { world, page, stream } = openWorker();
  stream.notify(1, 5);

  page.leave();
  await world.clock.pass(1_999);
  stream.notify(2, 6);
  const next = world.page().join({ cursor: cursorAt(4) });
  await world.clock.pass(10_000);

  assert.deepEqual(world.openStreams, [stream]);
  assert.deepEqual(next.names, ["hello", "notification 1", "notification 2"]);
});

test("a page that crashed counts as one that left", async () => {
  const { world, page, stream } = openWorker();

  page.crash();
  await world.clock.pass(2_000);

  assert.equal(stream.isClosed, true);
});

test("a page that ends after it left does not take the stream from the next", async () => {
  const { world, page, stream } = openWorker();
  page.leave();
  page.crash();

  world.page().join();
  page.crash();
  await world.clock.pass(10_000);

  assert.equal(stream.isClosed, false);
});

test("a worker without pages begins anew where the next one is", async () => {
  const { world, page, stream } = openWorker();
  stream.notify(1, 300);
  page.leave();
  await world.clock.pass(2_000);

  const next = world.page().join({ cursor: cursorAt(250) });

  assert.equal(world.stream.url.searchParams.get("cursor"), cursorAt(250));
  assert.equal(next.status, "connecting");
  assert.deepEqual(next.names, []);
});

test("what a worker without pages once kept resets nobody", async () => {
  const { world, page } = openWorker(cursorAt(1_000));
  page.leave();
  await world.clock.pass(2_000);
  world.page().join({ cursor: cursorAt(500) });

  assert.deepEqual(heardBy(world, cursorAt(600)), []);
  assert.deepEqual(heardBy(world, cursorAt(499)), ["reset"]);
});

test("a worker without pages forgets that it failed", async () => {
  const { world, page } = openWorker();
  await world.refuse(5);
  page.leave();
  await world.clock.pass(2_000);

  const next = world.page().join();

  assert.equal(next.status, "connecting");
});

test("a worker that waits goes on from the cursor of the only page there is", async () => {
  const { world, page } = openWorker();
  page.leave();
  world.stream.refuse();
  world.page().join({ cursor: cursorAt(700) });

  assert.equal(world.stream.url.searchParams.get("cursor"), cursorAt(700));
});

// Statuses

test("each status is told once", async () => {
  const world = worker();
  const page = world.page().join();
  const { stream } = world;
  page.forget();

  stream.hello();
  stream.hello();
  stream.breakOff();
  stream.breakOff();
  stream.hello();
  await world.refuse(1);

  assert.deepEqual(page.statuses, ["open", "reconnecting", "open", "reconnecting"]);
});

test("a page that hails is told the status, and nobody else is", () => {
  const { world, page } = openWorker();
  const other = world.page().join();
  page.forget();
  other.forget();

  page.hail();

  assert.deepEqual(page.heard, [{ type: "status", status: "open", isHeldUp: false }]);
  assert.deepEqual(other.heard, []);
});

// In a page

test("in a page, the source serves who asks by an event", () => {
  const world = tab();
  const page = world.page().join({ cursor: "41-7" });

  world.stream.hello();
  world.stream.notify(1, 5);

  assert.equal(page.status, "open");
  assert.deepEqual(page.names, ["hello", "notification 1"]);
});

test("in a page, the stream is closed at once", () => {
  const world = tab();
  const page = world.page().join();

  page.leave();

  assert.equal(world.stream.isClosed, true);
});

for (const name of ["pagehide", "freeze"]) {
  test(`in a page, ${name} closes the stream before any message is read`, () => {
    const world = tab();
    world.page().join();

    world.dispatch(name);

    assert.equal(world.stream.isClosed, true);
  });
}

test("in a page, it begins anew with each port, and has one stream at a time", () => {
  const world = tab();
  world.page().join({ cursor: "41-7" }).leave();

  const again = world.page().join({ cursor: "43-8" });

  assert.equal(world.openStreams.length, 1);
  assert.equal(world.stream.url.searchParams.get("cursor"), "43-8");
  assert.deepEqual(again.names, []);
});

test("in a page, whoever asks shares the stream", () => {
  const world = tab();
  world.page().join();
  world.page().join();

  assert.equal(world.streams.length, 1);
});
