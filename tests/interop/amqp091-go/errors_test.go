package interop

// What the broker refuses, as amqp091-go's errors.

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestAMissingQueueIs404(t *testing.T) {
	channel, queue := openChannel(t, connect(t)), newName()
	_, err := channel.QueueDeclarePassive(queue, false, false, false, false, nil)
	refused(t, err, amqp.NotFound, fmt.Sprintf("NOT_FOUND - no queue '%s' in vhost '/'", queue))
}

func TestAPublishToAMissingExchangeIs404(t *testing.T) {
	channel := openChannel(t, connect(t))
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	check(t, channel.Publish(newName(), "key", false, false, amqp.Publishing{}))
	expectClosed(t, closed, amqp.NotFound, "NOT_FOUND - no exchange 'leveret-interop-")
}

func TestAnothersExclusiveQueueIs405(t *testing.T) {
	_, _, queue := channelAndQueue(t)
	other := openChannel(t, connect(t))
	_, err := other.QueueDeclarePassive(queue, false, false, false, false, nil)
	refused(t, err, amqp.ResourceLocked, "cannot obtain exclusive access to locked queue")
}

func TestAnotherArgumentIs406(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	_, err := channel.QueueDeclare(queue, false, true, true, false, nil)
	refused(t, err, amqp.PreconditionFailed, "inequivalent arg 'auto_delete' for queue")
}

func TestAnUnknownDeliveryTagIs406(t *testing.T) {
	channel := openChannel(t, connect(t))
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	check(t, channel.Ack(99, false))
	expectClosed(t, closed, amqp.PreconditionFailed, "unknown delivery tag 99")
}

func TestAQueueInUseIsNotDeletedIfUnused(t *testing.T) {
	_, channel, queue := channelAndQueue(t)
	_, err := channel.Consume(queue, "", true, false, false, false, nil)
	check(t, err)
	_, err = channel.QueueDelete(queue, true, false, false)
	refused(t, err, amqp.PreconditionFailed, fmt.Sprintf("queue '%s' in vhost '/' in use", queue))
}

func TestAnErrorClosesItsChannelAndNoOther(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	broken := openChannel(t, connection)
	_, err := broken.QueueDeclarePassive(newName(), false, false, false, false, nil)
	refused(t, err, amqp.NotFound, "NOT_FOUND")
	send(t, channel, queue, "still here")
	expectBody(t, channel, queue, "still here")
}

func TestAConsumerTagUsedTwiceClosesTheConnection(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	_, err := channel.Consume(queue, "twice", true, false, false, false, nil)
	check(t, err)
	if _, err = channel.Consume(queue, "twice", true, false, false, false, nil); err == nil {
		t.Fatal("the broker took the tag twice")
	}
	expectClosed(t, closed, amqp.NotAllowed, "attempt to reuse consumer tag 'twice'")
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	_, err := dial("wrong", "/")
	refused(t, err, amqp.AccessRefused, "username or password not allowed")
}

func TestAVirtualHostThatIsNotThereIsRefused(t *testing.T) {
	if connection, err := dial("guest", "nowhere-here"); err == nil {
		_ = connection.Close()
		t.Fatal("the broker let the client in")
	}
}
