"""Questions and answers, and robust connections over a restart, with aio-pika."""

import asyncio

import aio_pika
import pytest
from aio_pika.patterns import RPC, Master

DIRECT_REPLY_TO = "amq.rabbitmq.reply-to"


async def shout(*, text):
    return text.upper()


async def fail(*, text):
    raise ValueError(text)


async def test_rpc_calls_methods_and_hands_errors_on(connect, name):
    async with connect() as server, connect() as client:
        serving = await RPC.create(await server.channel())
        asking = await RPC.create(await client.channel())
        await serving.register(f"{name}-shout", shout, auto_delete=True)
        await serving.register(f"{name}-fail", fail, auto_delete=True)
        assert await asking.call(f"{name}-shout", kwargs={"text": "hello"}) == "HELLO"
        with pytest.raises(ValueError, match="hello"):
            await asking.call(f"{name}-fail", kwargs={"text": "hello"})
        await serving.close()
        await asking.close()


async def test_a_master_hands_work_to_a_worker(connect, name):
    done = asyncio.get_running_loop().create_future()

    async def work(*, task):
        done.set_result(task)

    async with connect() as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        master = Master(channel)
        worker = await master.create_worker(name, work, auto_delete=True)
        await master.create_task(name, {"task": 7})
        assert await asyncio.wait_for(done, 5) == 7
        await worker.close()


async def test_an_answer_comes_by_direct_reply_to(connect, open_queue):
    async with open_queue() as (channel, queue), connect() as client:
        async def answer(message):
            reply = aio_pika.Message(message.body.upper(), correlation_id=message.correlation_id)
            await channel.default_exchange.publish(reply, message.reply_to)

        await queue.consume(answer, no_ack=True)
        asking = await client.channel()
        replies = await asking.get_queue(DIRECT_REPLY_TO, ensure=False)
        received = asyncio.get_running_loop().create_future()
        await replies.consume(received.set_result, no_ack=True)
        question = aio_pika.Message(b"hello", correlation_id="c1", reply_to=DIRECT_REPLY_TO)
        await asking.default_exchange.publish(question, queue.name)
        answered = await asyncio.wait_for(received, 5)
        assert (answered.body, answered.correlation_id) == (b"HELLO", "c1")


@pytest.mark.timeout(120)
async def test_a_robust_connection_comes_back_with_its_consumers(url, name, restart):
    connection = await aio_pika.connect_robust(url, reconnect_interval=0.5, timeout=5)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=10)
        exchange = await channel.declare_exchange(f"{name}-x", "topic", auto_delete=True)
        queue = await channel.declare_queue(name, exclusive=True)
        await queue.bind(exchange, "#")
        received = asyncio.Queue()
        await queue.consume(received.put, no_ack=True)
        returned = asyncio.Event()
        connection.reconnect_callbacks.add(lambda *_: returned.set())

        await asyncio.get_running_loop().run_in_executor(None, restart)
        await asyncio.wait_for(returned.wait(), 30)
        await exchange.publish(aio_pika.Message(b"after"), "any.key")
        assert (await asyncio.wait_for(received.get(), 10)).body == b"after"
