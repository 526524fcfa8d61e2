/* Declaring, binding, getting, consuming and settling with librabbitmq. */

#include "client.h"

static void a_declared_queue_is_found_passively(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(message_count(connection, queue) == 0);
  close_connection(connection);
}

static void the_broker_names_a_queue_without_a_name(void) {
  amqp_connection_state_t connection = open_connection();
  amqp_queue_declare_ok_t *declared =
      amqp_queue_declare(connection, CHANNEL, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
  EXPECT(declared);
  EXPECT(strncmp(text_of(declared->queue), "amq.gen-", 8) == 0);
  close_connection(connection);
}

static void a_topic_exchange_routes_by_its_key(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL), *exchange = new_name();
  EXPECT(amqp_exchange_declare(connection, CHANNEL, amqp_cstring_bytes(exchange),
                               amqp_cstring_bytes("topic"), 0, 0, 1, 0, amqp_empty_table));
  EXPECT(amqp_queue_bind(connection, CHANNEL, amqp_cstring_bytes(queue),
                         amqp_cstring_bytes(exchange), amqp_cstring_bytes("*.red.#"),
                         amqp_empty_table));
  publish(connection, exchange, "red.a", "miss", NULL, false);
  publish(connection, exchange, "a.red.b", "hit", NULL, false);
  EXPECT(strcmp(take(connection, queue, true).body, "hit") == 0);
  EXPECT(!take(connection, queue, true).body);
  EXPECT(amqp_queue_unbind(connection, CHANNEL, amqp_cstring_bytes(queue),
                           amqp_cstring_bytes(exchange), amqp_cstring_bytes("*.red.#"),
                           amqp_empty_table));
  close_connection(connection);
}

static void exchanges_bound_to_exchanges_pass_messages_on(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL), *exchange = new_name();
  amqp_bytes_t source = amqp_cstring_bytes(exchange), key = amqp_cstring_bytes("k");
  EXPECT(amqp_exchange_declare(connection, CHANNEL, source, amqp_cstring_bytes("direct"), 0, 0, 0,
                               0, amqp_empty_table));
  EXPECT(amqp_exchange_bind(connection, CHANNEL, amqp_cstring_bytes("amq.fanout"), source, key,
                            amqp_empty_table));
  EXPECT(amqp_queue_bind(connection, CHANNEL, amqp_cstring_bytes(queue),
                         amqp_cstring_bytes("amq.fanout"), amqp_empty_bytes, amqp_empty_table));
  publish(connection, exchange, "k", "through two", NULL, false);
  EXPECT(strcmp(take(connection, queue, true).body, "through two") == 0);
  EXPECT(amqp_exchange_unbind(connection, CHANNEL, amqp_cstring_bytes("amq.fanout"), source, key,
                              amqp_empty_table));
  EXPECT(amqp_exchange_delete(connection, CHANNEL, source, 0));
  close_connection(connection);
}

static void a_consumer_gets_messages_in_order_and_acks_them_at_once(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  char body[16];
  for (int number = 0; number < 100; number++) {
    snprintf(body, sizeof body, "%d", number);
    send_text(connection, queue, body);
  }
  const char *tag = consume(connection, CHANNEL, queue, false);
  for (int number = 0; number < 100; number++) {
    amqp_envelope_t envelope;
    EXPECT(receive(connection, &envelope, 5000));
    snprintf(body, sizeof body, "%d", number);
    EXPECT(strcmp(text_of(envelope.message.body), body) == 0);
    EXPECT(strcmp(text_of(envelope.consumer_tag), tag) == 0);
    EXPECT(envelope.delivery_tag == (uint64_t)number + 1);
  }
  EXPECT(!amqp_basic_ack(connection, CHANNEL, 100, 1));
  amqp_channel_close(connection, CHANNEL, AMQP_REPLY_SUCCESS);
  amqp_channel_open(connection, CHANNEL);
  EXPECT(!take(connection, queue, true).body);
  close_connection(connection);
}

static void nack_with_requeue_keeps_the_original_position(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  send_text(connection, queue, "1");
  send_text(connection, queue, "2");
  EXPECT(!amqp_basic_nack(connection, CHANNEL, take(connection, queue, false).delivery_tag, 0, 1));
  struct taken first = take(connection, queue, true), second = take(connection, queue, true);
  EXPECT(strcmp(first.body, "1") == 0 && first.redelivered);
  EXPECT(strcmp(second.body, "2") == 0 && !second.redelivered);
  close_connection(connection);
}

static void reject_without_requeue_drops_the_message(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  send_text(connection, queue, "1");
  send_text(connection, queue, "2");
  EXPECT(!amqp_basic_reject(connection, CHANNEL, take(connection, queue, false).delivery_tag, 0));
  EXPECT(strcmp(take(connection, queue, true).body, "2") == 0);
  EXPECT(!take(connection, queue, true).body);
  close_connection(connection);
}

static void prefetch_limits_what_a_consumer_holds(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  for (int count = 0; count < 4; count++) send_text(connection, queue, "x");
  EXPECT(amqp_basic_qos(connection, CHANNEL, 0, 2, 0));
  consume(connection, CHANNEL, queue, false);
  amqp_envelope_t envelope;
  EXPECT(receive(connection, &envelope, 5000));
  EXPECT(receive(connection, &envelope, 5000));
  EXPECT(!receive(connection, &envelope, 500));
  EXPECT(!amqp_basic_ack(connection, CHANNEL, 1, 0));
  EXPECT(receive(connection, &envelope, 5000));
  EXPECT(!receive(connection, &envelope, 500));
  close_connection(connection);
}

static void recover_brings_unsettled_messages_back(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  send_text(connection, queue, "x");
  EXPECT(take(connection, queue, false).body);
  EXPECT(amqp_basic_recover(connection, CHANNEL, 1));
  EXPECT(take(connection, queue, true).redelivered);
  close_connection(connection);
}

static void a_cancelled_consumer_gets_nothing_more(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  const char *tag = consume(connection, CHANNEL, queue, false);
  EXPECT(amqp_basic_cancel(connection, CHANNEL, amqp_cstring_bytes(tag)));
  send_text(connection, queue, "late");
  amqp_envelope_t envelope;
  EXPECT(!receive(connection, &envelope, 300));
  EXPECT(strcmp(take(connection, queue, true).body, "late") == 0);
  close_connection(connection);
}

static void deleting_the_queue_cancels_its_consumer(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  const char *tag = consume(connection, CHANNEL, queue, false);
  EXPECT(amqp_channel_open(connection, CHANNEL + 1));
  EXPECT(amqp_queue_delete(connection, CHANNEL + 1, amqp_cstring_bytes(queue), 0, 0));
  amqp_basic_cancel_t *cancelled = wait_for_method(connection, AMQP_BASIC_CANCEL_METHOD);
  EXPECT(strcmp(text_of(cancelled->consumer_tag), tag) == 0);
  close_connection(connection);
}

static void purge_and_delete_say_how_many_messages_went(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  send_text(connection, queue, "1");
  send_text(connection, queue, "2");
  amqp_bytes_t name = amqp_cstring_bytes(queue);
  EXPECT(amqp_queue_purge(connection, CHANNEL, name)->message_count == 2);
  send_text(connection, queue, "3");
  EXPECT(amqp_queue_delete(connection, CHANNEL, name, 0, 0)->message_count == 1);
  close_connection(connection);
}

#define TEST(name) {#name, name, false}

const struct test delivery_tests[] = {
    TEST(a_declared_queue_is_found_passively),
    TEST(the_broker_names_a_queue_without_a_name),
    TEST(a_topic_exchange_routes_by_its_key),
    TEST(exchanges_bound_to_exchanges_pass_messages_on),
    TEST(a_consumer_gets_messages_in_order_and_acks_them_at_once),
    TEST(nack_with_requeue_keeps_the_original_position),
    TEST(reject_without_requeue_drops_the_message),
    TEST(prefetch_limits_what_a_consumer_holds),
    TEST(recover_brings_unsettled_messages_back),
    TEST(a_cancelled_consumer_gets_nothing_more),
    TEST(deleting_the_queue_cancels_its_consumer),
    TEST(purge_and_delete_say_how_many_messages_went),
    {NULL, NULL, false},
};
