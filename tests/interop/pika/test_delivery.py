"""Getting, consuming and settling messages with pika."""


def publish(channel, queue, *bodies):
    for body in bodies:
        channel.basic_publish("", queue, body)


def test_get_answers_with_the_message_and_how_many_are_left(channel, queue):
    publish(channel, queue, b"one", b"two")
    method, _, body = channel.basic_get(queue)
    assert (body, method.message_count, method.redelivered) == (b"one", 1, False)
    channel.basic_ack(method.delivery_tag)
    assert channel.basic_get(queue, auto_ack=True)[2] == b"two"
    assert channel.basic_get(queue) == (None, None, None)


def test_a_consumer_gets_messages_in_order(channel, queue, take):
    bodies = [str(number).encode() for number in range(100)]
    publish(channel, queue, *bodies)
    tag, received = take(channel, queue, 100)
    assert [body for _, _, body in received] == bodies
    assert [method.delivery_tag for method, _, _ in received] == list(range(1, 101))
    assert {method.consumer_tag for method, _, _ in received} == {tag}


def test_ack_with_multiple_settles_all_before(channel, queue, take, until):
    publish(channel, queue, b"1", b"2", b"3")
    _, received = take(channel, queue, 3)
    channel.basic_ack(received[1][0].delivery_tag, multiple=True)
    channel.basic_recover(requeue=True)
    assert [body for _, _, body in received[:3]] == [b"1", b"2", b"3"]
    until(lambda: len(received) > 4, 0.7)
    assert [(body, method.redelivered) for method, _, body in received[3:]] == [(b"3", True)]


def test_nack_with_requeue_keeps_the_original_position(channel, queue):
    publish(channel, queue, b"1", b"2", b"3")
    first = channel.basic_get(queue)[0]
    second = channel.basic_get(queue)[0]
    channel.basic_nack(second.delivery_tag, requeue=True)
    channel.basic_nack(first.delivery_tag, requeue=True)
    got = [channel.basic_get(queue, auto_ack=True) for _ in range(3)]
    assert [(body, method.redelivered) for method, _, body in got] == [
        (b"1", True),
        (b"2", True),
        (b"3", False),
    ]


def test_reject_without_requeue_drops_the_message(channel, queue):
    publish(channel, queue, b"1", b"2")
    channel.basic_reject(channel.basic_get(queue)[0].delivery_tag, requeue=False)
    assert channel.basic_get(queue, auto_ack=True)[2] == b"2"
    assert channel.basic_get(queue) == (None, None, None)


def test_messages_of_a_closed_channel_come_back(connection, channel, queue):
    publish(channel, queue, b"1")
    other = connection.channel()
    assert other.basic_get(queue)[2] == b"1"
    other.close()
    method, _, body = channel.basic_get(queue, auto_ack=True)
    assert (body, method.redelivered) == (b"1", True)


def test_prefetch_limits_what_a_consumer_holds(channel, queue, take, until):
    publish(channel, queue, b"1", b"2", b"3", b"4")
    channel.basic_qos(prefetch_count=2)
    _, received = take(channel, queue, 3, seconds=0.7)
    assert [body for _, _, body in received] == [b"1", b"2"]
    channel.basic_ack(received[0][0].delivery_tag)
    until(lambda: len(received) > 3, 0.7)
    assert [body for _, _, body in received] == [b"1", b"2", b"3"]


def test_global_prefetch_is_shared_by_the_channel(channel, queue, take):
    publish(channel, queue, *[b"x"] * 6)
    channel.basic_qos(prefetch_count=3, global_qos=True)
    _, first = take(channel, queue, 3, seconds=1)
    _, second = take(channel, queue, 1, seconds=0.7)
    assert (len(first), len(second)) == (3, 0)


def test_a_cancelled_consumer_gets_nothing_more(channel, queue, take, until):
    tag, received = take(channel, queue, 0)
    channel.basic_cancel(tag)
    publish(channel, queue, b"late")
    assert not until(lambda: received, 0.5)
    assert channel.basic_get(queue, auto_ack=True)[2] == b"late"


def test_deleting_the_queue_cancels_its_consumer(connection, channel, queue, until):
    cancelled = []
    channel.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    tag = channel.basic_consume(queue, lambda *_: None)
    connection.channel().queue_delete(queue)
    assert until(lambda: cancelled) == [tag]


def test_consumers_of_one_queue_take_turns(channel, queue, take, until):
    _, first = take(channel, queue, 0)
    _, second = take(channel, queue, 0)
    publish(channel, queue, *[b"x"] * 10)
    until(lambda: len(first) + len(second) == 10)
    assert (len(first), len(second)) == (5, 5)
