// Package interop holds the tests of amqp091-go. This file has what they share: connections that
// are closed after each test, names of one's own, and answers that come within a time limit.
package interop

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const patience = 5 * time.Second

func address(password, virtualHost string) string {
	host := os.Getenv("LEVERET_TEST_HOST")
	if host == "" {
		host = "127.0.0.1"
	}
	where := net.JoinHostPort(host, os.Getenv("LEVERET_TEST_PORT"))
	return fmt.Sprintf("amqp://guest:%s@%s/%s", password, where, url.PathEscape(virtualHost))
}

func dial(password, virtualHost string) (*amqp.Connection, error) {
	return amqp.DialConfig(address(password, virtualHost), amqp.Config{
		Heartbeat: 30 * time.Second,
		Locale:    "en_US",
		Dial:      amqp.DefaultDial(8 * time.Second),
	})
}

func connect(t *testing.T) *amqp.Connection {
	t.Helper()
	connection, err := dial("guest", "/")
	check(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

func openChannel(t *testing.T, connection *amqp.Connection) *amqp.Channel {
	t.Helper()
	channel, err := connection.Channel()
	check(t, err)
	return channel
}

// channelAndQueue opens a connection and a channel with an exclusive queue.
func channelAndQueue(t *testing.T) (*amqp.Connection, *amqp.Channel, string) {
	t.Helper()
	connection := connect(t)
	channel := openChannel(t, connection)
	return connection, channel, declareQueue(t, channel)
}

func declareQueue(t *testing.T, channel *amqp.Channel) string {
	t.Helper()
	queue, err := channel.QueueDeclare(newName(), false, false, true, false, nil)
	check(t, err)
	return queue.Name
}

func newName() string {
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	return fmt.Sprintf("leveret-interop-%x", random)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, got, want interface{}) {
	t.Helper()
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Fatalf("got %#v, want %#v", got, want)
	}
}

// refused checks that an error is the broker's, with this code and this in its text.
func refused(t *testing.T, err error, code int, text string) {
	t.Helper()
	var refusal *amqp.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want the broker's %d", err, code)
	}
	if refusal.Code != code || !strings.Contains(refusal.Reason, text) {
		t.Fatalf("got %v, want %d with %q", refusal, code, text)
	}
}

// expectClosed waits until a channel or connection is closed by the broker, for this reason.
func expectClosed(t *testing.T, closed <-chan *amqp.Error, code int, text string) {
	t.Helper()
	select {
	case err := <-closed:
		refused(t, err, code, text)
	case <-time.After(patience):
		t.Fatal("it stays open")
	}
}

func send(t *testing.T, channel *amqp.Channel, queue string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		check(t, channel.Publish("", queue, false, false, amqp.Publishing{Body: []byte(body)}))
	}
}

// take gets one message without an ack; it is empty, and false, when there is none.
func take(t *testing.T, channel *amqp.Channel, queue string) (amqp.Delivery, bool) {
	t.Helper()
	delivery, found, err := channel.Get(queue, true)
	check(t, err)
	return delivery, found
}

func expectBody(t *testing.T, channel *amqp.Channel, queue, body string) {
	t.Helper()
	delivery, found := take(t, channel, queue)
	expect(t, found, true)
	expect(t, string(delivery.Body), body)
}

func expectEmpty(t *testing.T, channel *amqp.Channel, queue string) {
	t.Helper()
	if _, found := take(t, channel, queue); found {
		t.Fatal("the queue is not empty")
	}
}

// receive waits for the next delivery of a consumer.
func receive(t *testing.T, deliveries <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case delivery, open := <-deliveries:
		if !open {
			t.Fatal("the consumer has ended")
		}
		return delivery
	case <-time.After(patience):
		t.Fatal("no delivery came")
	}
	return amqp.Delivery{}
}

func expectNone(t *testing.T, deliveries <-chan amqp.Delivery) {
	t.Helper()
	select {
	case delivery := <-deliveries:
		t.Fatalf("got %q, want nothing", delivery.Body)
	case <-time.After(400 * time.Millisecond):
	}
}

func restartBroker(t *testing.T) {
	t.Helper()
	command := os.Getenv("LEVERET_TEST_RESTART")
	if command == "" {
		t.Skip("LEVERET_TEST_RESTART names no command that restarts the broker")
	}
	check(t, exec.Command(command).Run())
}
