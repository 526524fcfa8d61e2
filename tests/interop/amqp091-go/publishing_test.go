package interop

// Confirms, returns, transactions and all that a message carries, with amqp091-go.

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestPublishesAreConfirmed(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	check(t, channel.Confirm(false))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, 20))
	for count := 0; count < 20; count++ {
		send(t, channel, queue, "x")
	}
	for count := 1; count <= 20; count++ {
		select {
		case confirm := <-confirms:
			expect(t, confirm, amqp.Confirmation{DeliveryTag: uint64(count), Ack: true})
		case <-time.After(patience):
			t.Fatal("no confirm came")
		}
	}
}

func TestAnUnroutableMandatoryMessageComesBackBeforeItsConfirm(t *testing.T) {
	channel := openChannel(t, connect(t))
	check(t, channel.Confirm(false))
	// Without buffers, the client waits until an event is taken: they come in their order.
	returns := channel.NotifyReturn(make(chan amqp.Return))
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation))
	missing := newName()
	message := amqp.Publishing{Body: []byte("back"), MessageId: "m1"}
	check(t, channel.Publish("", missing, true, false, message))
	select {
	case returned := <-returns:
		expect(t, returned.ReplyCode, uint16(312))
		expect(t, returned.ReplyText, "NO_ROUTE")
		expect(t, returned.RoutingKey, missing)
		expect(t, returned.MessageId, "m1")
		expect(t, string(returned.Body), "back")
	case <-confirms:
		t.Fatal("the confirm came first")
	case <-time.After(patience):
		t.Fatal("nothing came back")
	}
	select {
	case confirm := <-confirms:
		expect(t, confirm.Ack, true)
	case <-time.After(patience):
		t.Fatal("no confirm came")
	}
}

func TestATransactionPublishesOnCommitAndForgetsOnRollback(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	other := openChannel(t, connection)
	check(t, channel.Tx())
	send(t, channel, queue, "dropped")
	check(t, channel.TxRollback())
	send(t, channel, queue, "kept")
	expectEmpty(t, other, queue)
	check(t, channel.TxCommit())
	expectBody(t, other, queue, "kept")
	expectEmpty(t, other, queue)
}

func TestHeadersOfEveryTypeComeBackAsTheyWent(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	headers := amqp.Table{
		"bool":    true,
		"byte":    byte(255),
		"int8":    int8(-128),
		"int16":   int16(-32768),
		"int32":   int32(math.MinInt32),
		"int64":   int64(math.MinInt64),
		"float32": float32(0.25),
		"float64": 0.1,
		"decimal": amqp.Decimal{Scale: 2, Value: 12345},
		"text":    "Grüße",
		"bytes":   []byte{0, 255},
		"time":    time.Unix(1700000000, 0),
		"nothing": nil,
		"array":   []interface{}{int32(1), "two", nil, amqp.Table{"deep": true}},
		"table":   amqp.Table{"inner": amqp.Table{"innermost": int64(1)}, "empty": amqp.Table{}},
	}
	check(t, channel.Publish("", queue, false, false, amqp.Publishing{Headers: headers}))
	delivery, _ := take(t, channel, queue)
	if !reflect.DeepEqual(delivery.Headers, headers) {
		t.Fatalf("got %#v, want %#v", delivery.Headers, headers)
	}
}

func TestAllPropertiesComeBackAsTheyWent(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	check(t, channel.Publish("", queue, false, false, amqp.Publishing{
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
		Priority: 7, CorrelationId: "correlation", ReplyTo: "reply", Expiration: "60000",
		MessageId: "message", Timestamp: time.Unix(1700000000, 0), Type: "kind", UserId: "guest",
		AppId: "app",
	}))
	got, _ := take(t, channel, queue)
	expect(t, []string{got.ContentType, got.ContentEncoding, got.CorrelationId, got.ReplyTo,
		got.Expiration, got.MessageId, got.Type, got.UserId, got.AppId},
		[]string{"text/plain", "utf-8", "correlation", "reply", "60000", "message", "kind",
			"guest", "app"})
	expect(t, []uint8{got.DeliveryMode, got.Priority}, []uint8{2, 7})
	expect(t, got.Timestamp.Unix(), int64(1700000000))
}

func TestABodyOfAnySizeComesBackWhole(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	for _, size := range []int{0, 1, 131064, 131065, 3000000} {
		body := bytes.Repeat([]byte{'x'}, size)
		check(t, channel.Publish("", queue, false, false, amqp.Publishing{Body: body}))
		delivery, found := take(t, channel, queue)
		expect(t, found && bytes.Equal(delivery.Body, body), true)
	}
}
