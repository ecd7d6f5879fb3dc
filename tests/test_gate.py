import asyncio
from contextlib import AsyncExitStack

import pytest

from notifications import gate


async def test_sixteen_pass_at_once_and_the_next_one_waits_its_turn():
    inside, release = [], asyncio.Event()

    async def one(number):
        async with gate.passage():
            inside.append(number)
            await release.wait()

    tasks = [asyncio.create_task(one(number)) for number in range(gate.WIDTH + 4)]
    for _ in range(10):
        await asyncio.sleep(0)
    waiting = len(inside)
    release.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)

    assert waiting == gate.WIDTH
    assert len(inside) == gate.WIDTH + 4


async def test_who_does_not_get_through_in_time_is_told(monkeypatch):
    monkeypatch.setattr(gate, "QUEUE_SECONDS", 0.01)
    async with asyncio.timeout(5):
        async with AsyncExitStack() as stack:
            for _ in range(gate.WIDTH):
                await stack.enter_async_context(gate.passage())
            with pytest.raises(gate.Crowded):
                await stack.enter_async_context(gate.passage())
        async with gate.passage():
            pass


@pytest.mark.django_db(transaction=True)
async def test_a_crowded_stream_view_says_when_to_come_back(
    ada, open_stream, monkeypatch
):
    monkeypatch.setattr(gate, "QUEUE_SECONDS", 0.01)
    async with asyncio.timeout(10), AsyncExitStack() as stack:
        for _ in range(gate.WIDTH):
            await stack.enter_async_context(gate.passage())

        async with open_stream(ada) as stream:
            assert stream.status == 503
            assert int(stream.headers["retry-after"]) > 0
