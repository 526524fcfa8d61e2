"""pika's asynchronous connection, the one under its other adapters."""

import pika


class RoundTrip:
    """Opens, declares, publishes with a confirm, consumes, acks and closes, by callbacks only."""

    def __init__(self, parameters, queue):
        self.queue, self.seen = queue, []
        self.connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda c: c.channel(on_open_callback=self.opened),
            on_open_error_callback=self.failed,
            on_close_callback=lambda c, _: c.ioloop.stop(),
        )
        self.connection.ioloop.call_later(10, self.connection.ioloop.stop)

    def failed(self, connection, error):
        self.seen.append(error)
        connection.ioloop.stop()

    def opened(self, channel):
        self.channel = channel
        channel.queue_declare(self.queue, exclusive=True, callback=self.declared)

    def declared(self, _frame):
        self.channel.confirm_delivery(self.confirmed, callback=self.publish)

    def publish(self, _frame):
        self.channel.basic_consume(self.queue, self.received)
        self.channel.basic_publish("", self.queue, b"round")

    def confirmed(self, frame):
        self.seen.append(type(frame.method).__name__)
        self.close_when_complete()

    def received(self, channel, method, _properties, body):
        channel.basic_ack(method.delivery_tag)
        self.seen.append(body)
        self.close_when_complete()

    def close_when_complete(self):
        if len(self.seen) == 2:
            self.connection.close()


def test_a_round_trip_by_callbacks(parameters, name):
    trip = RoundTrip(parameters, name)
    trip.connection.ioloop.start()
    assert trip.connection.is_closed
    assert sorted(map(str, trip.seen)) == ["Ack", "b'round'"]
