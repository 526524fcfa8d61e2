package interop

// Declaring, binding, getting, consuming and settling with amqp091-go.

import (
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestADeclaredQueueIsFoundPassively(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	found, err := channel.QueueDeclarePassive(queue, false, false, true, false, nil)
	check(t, err)
	expect(t, found, amqp.Queue{Name: queue})
}

func TestTheBrokerNamesAQueueWithoutAName(t *testing.T) {
	channel := openChannel(t, connect(t))
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	check(t, err)
	expect(t, queue.Name[:8], "amq.gen-")
}

func TestAnExchangeRoutesByItsType(t *testing.T) {
	for kind, keys := range map[string][3]string{
		"direct": {"red", "red", "green"},
		"topic":  {"*.red.#", "a.red.b", "red.a"},
	} {
		t.Run(kind, func(t *testing.T) {
			_, channel, queue := channelAndQueue(t)
			exchange := newName()
			check(t, channel.ExchangeDeclare(exchange, kind, false, true, false, false, nil))
			check(t, channel.QueueBind(queue, keys[0], exchange, false, nil))
			for _, key := range []string{keys[2], keys[1]} {
				message := amqp.Publishing{Body: []byte(key)}
				check(t, channel.Publish(exchange, key, false, false, message))
			}
			expectBody(t, channel, queue, keys[1])
			expectEmpty(t, channel, queue)
			check(t, channel.QueueUnbind(queue, keys[0], exchange, nil))
		})
	}
}

func TestExchangesBoundToExchangesPassMessagesOn(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	source, target := newName(), newName()
	check(t, channel.ExchangeDeclare(source, "topic", false, true, false, false, nil))
	check(t, channel.ExchangeDeclare(target, "fanout", false, true, true, false, nil))
	check(t, channel.ExchangeBind(target, "a.#", source, false, nil))
	check(t, channel.QueueBind(queue, "", target, false, nil))
	message := amqp.Publishing{Body: []byte("through two")}
	check(t, channel.Publish(source, "a.b", false, false, message))
	expectBody(t, channel, queue, "through two")
	check(t, channel.ExchangeUnbind(target, "a.#", source, false, nil))
}

func TestAConsumerGetsMessagesInOrder(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	for number := 0; number < 100; number++ {
		send(t, channel, queue, strconv.Itoa(number))
	}
	deliveries, err := channel.Consume(queue, "reader", false, false, false, false, nil)
	check(t, err)
	for number := 0; number < 100; number++ {
		delivery := receive(t, deliveries)
		expect(t, string(delivery.Body), strconv.Itoa(number))
		expect(t, delivery.DeliveryTag, uint64(number+1))
		expect(t, delivery.ConsumerTag, "reader")
	}
	check(t, channel.Ack(100, true))
	check(t, channel.Close())
	expectEmpty(t, openChannel(t, connection), queue)
}

func TestNackWithRequeueKeepsTheOriginalPosition(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "1", "2", "3")
	first, _, err := channel.Get(queue, false)
	check(t, err)
	second, _, err := channel.Get(queue, false)
	check(t, err)
	check(t, second.Nack(false, true))
	check(t, first.Nack(false, true))
	for number, redelivered := range []bool{true, true, false} {
		delivery, _ := take(t, channel, queue)
		expect(t, string(delivery.Body), strconv.Itoa(number+1))
		expect(t, delivery.Redelivered, redelivered)
	}
}

func TestRejectWithoutRequeueDropsTheMessage(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "1", "2")
	delivery, _, err := channel.Get(queue, false)
	check(t, err)
	check(t, delivery.Reject(false))
	expectBody(t, channel, queue, "2")
	expectEmpty(t, channel, queue)
}

func TestMessagesOfAClosedChannelComeBack(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "x")
	other := openChannel(t, connection)
	deliveries, err := other.Consume(queue, "", false, false, false, false, nil)
	check(t, err)
	receive(t, deliveries)
	check(t, other.Close())
	delivery, found := take(t, channel, queue)
	expect(t, found && delivery.Redelivered, true)
}

func TestRecoverBringsUnsettledMessagesBack(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "x")
	_, _, err := channel.Get(queue, false)
	check(t, err)
	check(t, channel.Recover(true))
	delivery, _ := take(t, channel, queue)
	expect(t, delivery.Redelivered, true)
}

func TestPrefetchLimitsWhatAConsumerHolds(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "1", "2", "3", "4")
	check(t, channel.Qos(2, 0, false))
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	check(t, err)
	first := receive(t, deliveries)
	receive(t, deliveries)
	expectNone(t, deliveries)
	check(t, first.Ack(false))
	expect(t, string(receive(t, deliveries).Body), "3")
	expectNone(t, deliveries)
}

func TestACancelledConsumerGetsNothingMore(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	deliveries, err := channel.Consume(queue, "reader", true, false, false, false, nil)
	check(t, err)
	check(t, channel.Cancel("reader", false))
	send(t, channel, queue, "late")
	expectBody(t, channel, queue, "late")
	if delivery, open := <-deliveries; open {
		t.Fatalf("got %q", delivery.Body)
	}
}

func TestDeletingTheQueueCancelsItsConsumer(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	cancelled := channel.NotifyCancel(make(chan string, 1))
	deliveries, err := channel.Consume(queue, "reader", true, false, false, false, nil)
	check(t, err)
	_, err = openChannel(t, connection).QueueDelete(queue, false, false, false)
	check(t, err)
	select {
	case tag := <-cancelled:
		expect(t, tag, "reader")
	case <-time.After(patience):
		t.Fatal("no cancel came")
	}
	if _, open := <-deliveries; open {
		t.Fatal("the consumer goes on")
	}
}

func TestPurgeAndDeleteSayHowManyMessagesWent(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "1", "2")
	purged, err := channel.QueuePurge(queue, false)
	check(t, err)
	expect(t, purged, 2)
	send(t, channel, queue, "3")
	deleted, err := channel.QueueDelete(queue, false, false, false)
	check(t, err)
	expect(t, deleted, 1)
}
