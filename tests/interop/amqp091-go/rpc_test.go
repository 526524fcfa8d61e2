package interop

// Questions and answers, and coming back after a restart, with amqp091-go.

import (
	"bytes"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

const directReplyTo = "amq.rabbitmq.reply-to"

// ask starts a server that answers in capitals, asks it, and checks the answer.
func ask(t *testing.T, connection *amqp.Connection, asking *amqp.Channel, replyTo string) {
	t.Helper()
	serving := openChannel(t, connection)
	queue := declareQueue(t, serving)
	questions, err := serving.Consume(queue, "", true, false, false, false, nil)
	check(t, err)
	go func() {
		for question := range questions {
			_ = serving.Publish("", question.ReplyTo, false, false, amqp.Publishing{
				CorrelationId: question.CorrelationId,
				Body:          bytes.ToUpper(question.Body),
			})
		}
	}()
	answers, err := asking.Consume(replyTo, "", true, false, false, false, nil)
	check(t, err)
	check(t, asking.Publish("", queue, false, false, amqp.Publishing{
		ReplyTo: replyTo, CorrelationId: "c1", Body: []byte("hello"),
	}))
	answer := receive(t, answers)
	expect(t, string(answer.Body), "HELLO")
	expect(t, answer.CorrelationId, "c1")
}

func TestAnAnswerComesToAQueueOfTheClient(t *testing.T) {
	connection, channel, queue := channelAndQueue(t)
	ask(t, connection, channel, queue)
}

func TestAnAnswerComesByDirectReplyTo(t *testing.T) {
	connection := connect(t)
	ask(t, connection, openChannel(t, connection), directReplyTo)
}

func TestAClientConnectsAgainAfterARestart(t *testing.T) {
	connection, _, _ := channelAndQueue(t)
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	restartBroker(t)
	expectClosed(t, closed, amqp.ConnectionForced, "CONNECTION_FORCED")
	_, channel, queue := channelAndQueue(t)
	send(t, channel, queue, "after")
	expectBody(t, channel, queue, "after")
}
