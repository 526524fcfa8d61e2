/* What the broker refuses, as librabbitmq's replies. */

#include "client.h"

static void expect_refusal(amqp_connection_state_t connection, int code, const char *text) {
  const char *given;
  EXPECT(refusal(amqp_get_rpc_reply(connection), &given) == code);
  if (!strstr(given, text)) printf("# said: %s\n", given);
  EXPECT(strstr(given, text));
}

static void a_missing_queue_is_404(void) {
  amqp_connection_state_t connection = open_connection();
  EXPECT(!amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(new_name()), 1, 0, 0, 0,
                             amqp_empty_table));
  expect_refusal(connection, 404, "NOT_FOUND - no queue 'leveret-interop-");
}

static void a_missing_exchange_is_404(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(!amqp_queue_bind(connection, CHANNEL, amqp_cstring_bytes(queue),
                          amqp_cstring_bytes(new_name()), amqp_empty_bytes, amqp_empty_table));
  expect_refusal(connection, 404, "NOT_FOUND - no exchange 'leveret-interop-");
}

static void anothers_exclusive_queue_is_405(void) {
  amqp_connection_state_t owner = open_connection(), other = open_connection();
  const char *queue = declare_queue(owner, CHANNEL);
  EXPECT(!amqp_queue_declare(other, CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0,
                             amqp_empty_table));
  expect_refusal(other, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue");
  close_connection(owner);
}

static void another_argument_is_406(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(!amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(queue), 0, 0, 1, 1,
                             amqp_empty_table));
  expect_refusal(connection, 406, "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue");
}

static void an_unknown_delivery_tag_is_406(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(!amqp_basic_ack(connection, CHANNEL, 99, 0));
  EXPECT(!amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0,
                             amqp_empty_table));
  expect_refusal(connection, 406, "PRECONDITION_FAILED - unknown delivery tag 99");
}

static void an_error_closes_its_channel_and_no_other(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  EXPECT(amqp_channel_open(connection, CHANNEL + 1));
  EXPECT(!amqp_queue_declare(connection, CHANNEL + 1, amqp_cstring_bytes(new_name()), 1, 0, 0, 0,
                             amqp_empty_table));
  expect_refusal(connection, 404, "NOT_FOUND");
  amqp_channel_close_ok_t close_ok = {0};
  EXPECT(!amqp_send_method(connection, CHANNEL + 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
  EXPECT(amqp_channel_open(connection, CHANNEL + 1));
  send_text(connection, queue, "still here");
  EXPECT(strcmp(take(connection, queue, true).body, "still here") == 0);
  close_connection(connection);
}

static void a_consumer_tag_used_twice_closes_the_connection(void) {
  amqp_connection_state_t connection = open_connection();
  amqp_bytes_t queue = amqp_cstring_bytes(declare_queue(connection, CHANNEL));
  amqp_bytes_t tag = amqp_cstring_bytes("twice");
  EXPECT(amqp_basic_consume(connection, CHANNEL, queue, tag, 0, 1, 0, amqp_empty_table));
  EXPECT(!amqp_basic_consume(connection, CHANNEL, queue, tag, 0, 1, 0, amqp_empty_table));
  expect_refusal(connection, 530, "attempt to reuse consumer tag 'twice'");
}

static void a_wrong_password_is_refused(void) {
  const char *text;
  EXPECT(refusal(try_to_log_in("wrong", "/"), &text) == 403);
  EXPECT(strstr(text, "ACCESS_REFUSED - Login was refused"));
}

static void a_virtual_host_that_is_not_there_is_refused(void) {
  const char *text;
  EXPECT(refusal(try_to_log_in("guest", "nowhere-here"), &text) == 530);
  EXPECT(strstr(text, "vhost nowhere-here not found"));
}

#define TEST(name) {#name, name, false}

const struct test error_tests[] = {
    TEST(a_missing_queue_is_404),
    TEST(a_missing_exchange_is_404),
    TEST(anothers_exclusive_queue_is_405),
    TEST(another_argument_is_406),
    TEST(an_unknown_delivery_tag_is_406),
    TEST(an_error_closes_its_channel_and_no_other),
    TEST(a_consumer_tag_used_twice_closes_the_connection),
    TEST(a_wrong_password_is_refused),
    TEST(a_virtual_host_that_is_not_there_is_refused),
    {NULL, NULL, false},
};
