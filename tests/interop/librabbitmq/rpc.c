/* Questions and answers, and coming back after a restart, with librabbitmq. */

#include "client.h"

/* Asks on CHANNEL, answers with what was asked on the channel after it, and reads the answer. */
static void ask_and_answer(amqp_connection_state_t connection, const char *reply_to) {
  EXPECT(amqp_channel_open(connection, CHANNEL + 1));
  const char *queue = declare_queue(connection, CHANNEL + 1);
  consume(connection, CHANNEL, reply_to, true);
  amqp_basic_properties_t question = {
      ._flags = AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG,
      .reply_to = amqp_cstring_bytes(reply_to),
      .correlation_id = amqp_cstring_bytes("c1"),
  };
  publish(connection, "", queue, "hello", &question, false);
  consume(connection, CHANNEL + 1, queue, true);
  amqp_envelope_t asked, answered;
  EXPECT(receive(connection, &asked, 5000));
  EXPECT(asked.channel == CHANNEL + 1);
  amqp_basic_properties_t answer = {
      ._flags = AMQP_BASIC_CORRELATION_ID_FLAG,
      .correlation_id = asked.message.properties.correlation_id,
  };
  EXPECT(!amqp_basic_publish(connection, CHANNEL + 1, amqp_empty_bytes,
                             asked.message.properties.reply_to, 0, 0, &answer,
                             asked.message.body));
  EXPECT(receive(connection, &answered, 5000));
  EXPECT(answered.channel == CHANNEL);
  EXPECT(strcmp(text_of(answered.message.body), "hello") == 0);
  EXPECT(strcmp(text_of(answered.message.properties.correlation_id), "c1") == 0);
}

static void an_answer_comes_to_a_queue_of_the_client(void) {
  amqp_connection_state_t connection = open_connection();
  ask_and_answer(connection, declare_queue(connection, CHANNEL));
  close_connection(connection);
}

static void an_answer_comes_by_direct_reply_to(void) {
  amqp_connection_state_t connection = open_connection();
  ask_and_answer(connection, "amq.rabbitmq.reply-to");
  close_connection(connection);
}

static void a_client_connects_again_after_a_restart(void) {
  amqp_connection_state_t before = open_connection();
  declare_queue(before, CHANNEL);
  restart_broker();
  EXPECT(!amqp_queue_declare(before, CHANNEL, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table));
  EXPECT(amqp_get_rpc_reply(before).reply_type != AMQP_RESPONSE_NORMAL);
  amqp_connection_state_t after = open_connection();
  const char *queue = declare_queue(after, CHANNEL);
  send_text(after, queue, "after");
  EXPECT(strcmp(take(after, queue, true).body, "after") == 0);
  close_connection(after);
}

const struct test rpc_tests[] = {
    {"an_answer_comes_to_a_queue_of_the_client", an_answer_comes_to_a_queue_of_the_client, false},
    {"an_answer_comes_by_direct_reply_to", an_answer_comes_by_direct_reply_to, false},
    {"a_client_connects_again_after_a_restart", a_client_connects_again_after_a_restart, true},
    {NULL, NULL, false},
};
