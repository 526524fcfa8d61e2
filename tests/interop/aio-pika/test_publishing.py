"""Confirms, returns, transactions and all that a message carries, with aio-pika."""

import asyncio
import datetime
import decimal

import aio_pika
import pytest
from aio_pika.exceptions import DeliveryError


async def test_publishes_are_confirmed(open_queue):
    async with open_queue() as (channel, queue):
        confirmations = await asyncio.gather(
            *[
                channel.default_exchange.publish(aio_pika.Message(b"x"), queue.name)
                for _ in range(50)
            ]
        )
        assert {type(confirmation).__name__ for confirmation in confirmations} == {"Ack"}


async def test_an_unroutable_mandatory_message_comes_back_before_the_confirm(open_queue):
    async with open_queue(on_return_raises=True) as (channel, queue):
        with pytest.raises(DeliveryError) as raised:
            await channel.default_exchange.publish(
                aio_pika.Message(b"back"), f"{queue.name}-missing", mandatory=True
            )
        returned = raised.value.message
        assert (returned.delivery.reply_code, returned.body) == (312, b"back")


async def test_an_unroutable_mandatory_message_comes_to_the_callback(open_queue):
    """With confirms: without them, the client does not know which message came back."""
    async with open_queue() as (channel, queue):
        returned = asyncio.get_running_loop().create_future()
        channel.return_callbacks.add(lambda _, message: returned.set_result(message))
        await channel.default_exchange.publish(
            aio_pika.Message(b"back"), f"{queue.name}-missing", mandatory=True
        )
        assert (await asyncio.wait_for(returned, 5)).body == b"back"


async def test_a_transaction_publishes_on_commit_and_forgets_on_rollback(open_queue):
    async with open_queue(publisher_confirms=False) as (channel, queue):
        for body, keep in ((b"dropped", False), (b"kept", True)):
            transaction = channel.transaction()
            await transaction.select()
            await channel.default_exchange.publish(aio_pika.Message(body), queue.name)
            assert await queue.get(fail=False, no_ack=True) is None
            await (transaction.commit() if keep else transaction.rollback())
        assert (await queue.get(no_ack=True)).body == b"kept"
        assert await queue.get(fail=False, no_ack=True) is None


async def test_headers_of_every_type_come_back_as_they_went(open_queue):
    headers = {
        "boolean": True,
        "tiny": 3,
        "integer": -70000,
        "long": 2**40,
        "float": 0.5,
        "decimal": decimal.Decimal("1.25"),
        "text": "Grüße",
        "bytes": bytearray(b"\x00\xff"),
        "time": datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc),
        "nothing": None,
        "array": [1, "two", {"deep": True}],
        "table": {"inner": {"innermost": [1, 2]}, "empty": {}},
    }
    async with open_queue() as (channel, queue):
        message = aio_pika.Message(b"", headers=headers)
        await channel.default_exchange.publish(message, queue.name)
        assert (await queue.get(no_ack=True)).headers == headers


async def test_all_properties_come_back_as_they_went(open_queue):
    properties = {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "priority": 7,
        "correlation_id": "correlation",
        "reply_to": "reply",
        "message_id": "message",
        "type": "kind",
        "user_id": "guest",
        "app_id": "app",
    }
    async with open_queue() as (channel, queue):
        message = aio_pika.Message(
            b"body", delivery_mode=aio_pika.DeliveryMode.PERSISTENT, expiration=60, **properties
        )
        await channel.default_exchange.publish(message, queue.name)
        received = await queue.get(no_ack=True)
        assert {key: getattr(received, key) for key in properties} == properties
        assert received.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert received.expiration == 60


async def test_a_large_body_comes_back_whole(open_queue):
    async with open_queue() as (channel, queue):
        body = b"0123456789abcdef" * 200_000
        await channel.default_exchange.publish(aio_pika.Message(body), queue.name)
        assert (await queue.get(no_ack=True)).body == body
