"""What the broker refuses, as aio-pika's exceptions."""

import asyncio

import aio_pika
import pytest
from aio_pika.exceptions import (
    AMQPConnectionError,
    ChannelClosed,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
)
from aiormq.exceptions import ChannelAccessRefused, ChannelLockedResource


async def test_a_missing_queue_is_not_found(connect, name):
    async with connect() as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelNotFoundEntity, match=f"no queue '{name}' in vhost '/'"):
            await channel.declare_queue(name, passive=True)
        assert channel.is_closed


async def test_a_publish_to_a_missing_exchange_closes_the_channel(connect, name):
    async with connect() as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(name, ensure=False)
        with pytest.raises(ChannelClosed, match=f"no exchange '{name}' in vhost '/'"):
            await exchange.publish(aio_pika.Message(b"lost"), "key")


async def test_anothers_exclusive_queue_is_locked(connect, open_queue):
    async with open_queue() as (_, queue), connect() as other:
        channel = await other.channel()
        with pytest.raises(ChannelLockedResource, match="cannot obtain exclusive access"):
            await channel.declare_queue(queue.name, passive=True)


async def test_another_argument_is_a_failed_precondition(open_queue):
    async with open_queue() as (channel, queue):
        with pytest.raises(ChannelPreconditionFailed, match="inequivalent arg 'auto_delete'"):
            await channel.declare_queue(queue.name, exclusive=True, auto_delete=True)


async def test_the_default_exchange_cannot_be_deleted(connect):
    async with connect() as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused, match="operation not permitted on the default"):
            await channel.exchange_delete("")


async def test_an_error_closes_its_channel_and_no_other(connect, name):
    async with connect() as connection:
        broken, healthy = await connection.channel(), await connection.channel()
        with pytest.raises(ChannelNotFoundEntity):
            await broken.declare_queue(name, passive=True)
        queue = await healthy.declare_queue(name, exclusive=True)
        await healthy.default_exchange.publish(aio_pika.Message(b"still here"), name)
        assert (await queue.get(no_ack=True)).body == b"still here"


async def test_a_wrong_password_is_refused(host, port):
    with pytest.raises((AMQPConnectionError, asyncio.TimeoutError)) as raised:
        await aio_pika.connect(f"amqp://guest:wrong@{host}:{port}/", timeout=8)
    assert "ACCESS_REFUSED" in str(raised.value)
