"""Declaring, getting, consuming and settling with aio-pika."""

import asyncio

import aio_pika
import pytest
from aio_pika.exceptions import QueueEmpty


async def publish(channel, queue, *bodies):
    for body in bodies:
        await channel.default_exchange.publish(aio_pika.Message(body), queue.name)


async def collect(queue, count, seconds=5):
    """The first COUNT messages that a consumer gets, not acked, and the consumer's tag."""
    received, complete = [], asyncio.Event()

    def on_message(message):
        received.append(message)
        if len(received) >= count:
            complete.set()

    tag = await queue.consume(on_message)
    try:
        await asyncio.wait_for(complete.wait(), seconds)
    except asyncio.TimeoutError:
        pass
    return received, tag


async def test_a_declared_queue_is_found_passively(open_queue):
    async with open_queue() as (channel, queue):
        found = await channel.declare_queue(queue.name, passive=True)
        assert found.name == queue.name


async def test_the_broker_names_a_queue_without_a_name(connect):
    async with connect() as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        assert queue.name.startswith("amq")


@pytest.mark.parametrize(
    ("kind", "binding", "hit", "miss"),
    [("direct", "red", "red", "green"), ("topic", "#.red", "big.red", "red.big")],
)
async def test_an_exchange_routes_by_its_type(open_queue, kind, binding, hit, miss):
    async with open_queue() as (channel, queue):
        exchange = await channel.declare_exchange(f"{queue.name}-x", kind, auto_delete=True)
        await queue.bind(exchange, binding)
        for key in (miss, hit):
            await exchange.publish(aio_pika.Message(key.encode()), key, mandatory=False)
        assert (await queue.get(no_ack=True)).body == hit.encode()
        assert await queue.get(fail=False) is None
        await queue.unbind(exchange, binding)


async def test_exchanges_bound_to_exchanges_pass_messages_on(open_queue):
    async with open_queue() as (channel, queue):
        source = await channel.declare_exchange(f"{queue.name}-a", "topic", auto_delete=True)
        target = await channel.declare_exchange(f"{queue.name}-b", "fanout", auto_delete=True)
        await target.bind(source, "a.*")
        await queue.bind(target)
        await source.publish(aio_pika.Message(b"through two"), "a.b")
        assert (await queue.get(no_ack=True)).body == b"through two"


async def test_get_says_when_a_queue_is_empty(open_queue):
    async with open_queue() as (channel, queue):
        await publish(channel, queue, b"one")
        message = await queue.get()
        assert (message.body, message.redelivered) == (b"one", False)
        await message.ack()
        with pytest.raises(QueueEmpty):
            await queue.get()


async def test_a_consumer_gets_messages_in_order_and_acks_them_at_once(connect, name):
    async with connect() as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, exclusive=True)
        bodies = [str(number).encode() for number in range(50)]
        await publish(channel, queue, *bodies)
        received, _ = await collect(queue, 50)
        assert [message.body for message in received] == bodies
        await received[-1].ack(multiple=True)
        await channel.close()
        again = await (await connection.channel()).get_queue(name)
        assert await again.get(fail=False) is None


async def test_nack_with_requeue_keeps_the_original_position(open_queue):
    async with open_queue() as (channel, queue):
        await publish(channel, queue, b"1", b"2")
        first = await queue.get()
        await first.nack(requeue=True)
        got = [await queue.get(no_ack=True) for _ in range(2)]
        assert [(m.body, m.redelivered) for m in got] == [(b"1", True), (b"2", False)]


async def test_reject_without_requeue_drops_the_message(open_queue):
    async with open_queue() as (channel, queue):
        await publish(channel, queue, b"1", b"2")
        await (await queue.get()).reject(requeue=False)
        assert (await queue.get(no_ack=True)).body == b"2"
        assert await queue.get(fail=False) is None


async def test_prefetch_limits_what_a_consumer_holds(open_queue):
    async with open_queue() as (channel, queue):
        await channel.set_qos(prefetch_count=2)
        await publish(channel, queue, b"1", b"2", b"3")
        received, _ = await collect(queue, 3, seconds=0.5)
        assert [message.body for message in received] == [b"1", b"2"]
        await received[0].ack()
        await asyncio.sleep(0.5)
        assert [message.body for message in received] == [b"1", b"2", b"3"]


async def test_a_cancelled_consumer_gets_nothing_more(open_queue):
    async with open_queue() as (channel, queue):
        received, tag = await collect(queue, 1, seconds=0.1)
        await queue.cancel(tag)
        await publish(channel, queue, b"late")
        assert (await queue.get(no_ack=True)).body == b"late"
        assert received == []


async def test_an_iterator_acks_what_its_blocks_process(open_queue):
    async with open_queue() as (channel, queue):
        await publish(channel, queue, b"1", b"2", b"3")
        bodies = []
        async with queue.iterator() as messages:
            async for message in messages:
                async with message.process():
                    bodies.append(message.body)
                if len(bodies) == 3:
                    break
        assert bodies == [b"1", b"2", b"3"]
        assert await queue.get(fail=False) is None


async def test_deleting_the_queue_cancels_its_consumer(open_queue):
    async with open_queue() as (channel, queue):
        underlay = await channel.get_underlay_channel()
        tag = await queue.consume(lambda _: None)
        assert tag in underlay.consumers
        await queue.delete(if_unused=False)
        for _ in range(100):
            if tag not in underlay.consumers:
                break
            await asyncio.sleep(0.05)
        assert tag not in underlay.consumers
        assert not channel.is_closed
