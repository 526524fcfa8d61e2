"""Runs tests that are coroutines, each in a loop of its own and within a time limit."""

import asyncio
import contextlib
import inspect

import aio_pika
import pytest

SECONDS = 15


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    seconds = 110 if pyfuncitem.get_closest_marker("timeout") else SECONDS
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), seconds))
    return True


@pytest.fixture
def connect(url):
    """`async with connect() as connection:`"""

    @contextlib.asynccontextmanager
    async def connection_to_the_broker():
        connection = await aio_pika.connect(url, timeout=5)
        try:
            yield connection
        finally:
            if not connection.is_closed:
                await connection.close()

    return connection_to_the_broker


@pytest.fixture
def open_queue(connect, name):
    """`async with open_queue() as (channel, queue):`, the queue being exclusive."""

    @contextlib.asynccontextmanager
    async def channel_and_queue(**options):
        async with connect() as connection:
            channel = await connection.channel(**options)
            yield channel, await channel.declare_queue(name, exclusive=True)

    return channel_and_queue
