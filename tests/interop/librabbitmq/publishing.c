/* Confirms, returns, transactions and bodies with librabbitmq. */

#include "client.h"

static void publishes_are_confirmed(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(amqp_confirm_select(connection, CHANNEL));
  uint64_t confirmed = 0;
  for (int count = 0; count < 20; count++) send_text(connection, queue, "x");
  while (confirmed < 20) {
    amqp_basic_ack_t *ack = wait_for_method(connection, AMQP_BASIC_ACK_METHOD);
    EXPECT(ack->multiple ? ack->delivery_tag > confirmed : ack->delivery_tag == confirmed + 1);
    confirmed = ack->delivery_tag;
  }
  EXPECT(message_count(connection, queue) == 20);
  close_connection(connection);
}

static void an_unroutable_mandatory_message_comes_back_before_its_confirm(void) {
  amqp_connection_state_t connection = open_connection();
  const char *missing = new_name();
  EXPECT(amqp_confirm_select(connection, CHANNEL));
  publish(connection, "", missing, "back", NULL, true);
  amqp_basic_return_t *returned = wait_for_method(connection, AMQP_BASIC_RETURN_METHOD);
  EXPECT(returned->reply_code == 312);
  EXPECT(strcmp(text_of(returned->reply_text), "NO_ROUTE") == 0);
  EXPECT(strcmp(text_of(returned->routing_key), missing) == 0);
  amqp_message_t message;
  EXPECT(amqp_read_message(connection, CHANNEL, &message, 0).reply_type == AMQP_RESPONSE_NORMAL);
  EXPECT(strcmp(text_of(message.body), "back") == 0);
  amqp_basic_ack_t *ack = wait_for_method(connection, AMQP_BASIC_ACK_METHOD);
  EXPECT(ack->delivery_tag == 1);
  close_connection(connection);
}

static void a_transaction_publishes_on_commit_and_forgets_on_rollback(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(amqp_tx_select(connection, CHANNEL));
  send_text(connection, queue, "dropped");
  EXPECT(amqp_tx_rollback(connection, CHANNEL));
  send_text(connection, queue, "kept");
  EXPECT(!take(connection, queue, true).body);
  EXPECT(amqp_tx_commit(connection, CHANNEL));
  EXPECT(strcmp(take(connection, queue, true).body, "kept") == 0);
  EXPECT(!take(connection, queue, true).body);
  close_connection(connection);
}

static void a_large_body_comes_back_whole(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  size_t size = 3000000;
  char *body = malloc(size + 1);
  for (size_t at = 0; at < size; at++) body[at] = 'a' + at % 23;
  body[size] = 0;
  send_text(connection, queue, body);
  struct taken taken = take(connection, queue, true);
  EXPECT(taken.size == size && memcmp(taken.body, body, size) == 0);
  close_connection(connection);
}

static void an_empty_body_comes_back_empty(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  send_text(connection, queue, "");
  struct taken taken = take(connection, queue, true);
  EXPECT(taken.body && taken.size == 0);
  close_connection(connection);
}

#define TEST(name) {#name, name, false}

const struct test publishing_tests[] = {
    TEST(publishes_are_confirmed),
    TEST(an_unroutable_mandatory_message_comes_back_before_its_confirm),
    TEST(a_transaction_publishes_on_commit_and_forgets_on_rollback),
    TEST(a_large_body_comes_back_whole),
    TEST(an_empty_body_comes_back_empty),
    {NULL, NULL, false},
};
