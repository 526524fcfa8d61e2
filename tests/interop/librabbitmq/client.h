/* What the tests of librabbitmq share: a way to state what is expected, connections that fail
 * instead of waiting for ever, and the few calls that every test makes. */

#ifndef LEVERET_INTEROP_CLIENT_H
#define LEVERET_INTEROP_CLIENT_H

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL 1
#define SECONDS_OF_A_TEST 15

/* Ends the test, which runs in a process of its own. */
#define EXPECT(condition)                                              \
  do {                                                                 \
    if (!(condition)) fail(__FILE__, __LINE__, "not so: " #condition); \
  } while (0)

_Noreturn void fail(const char *file, int line, const char *why);

struct test {
  const char *name;
  void (*run)(void);
  bool needs_restart;
};

extern const struct test delivery_tests[];
extern const struct test publishing_tests[];
extern const struct test header_tests[];
extern const struct test error_tests[];
extern const struct test rpc_tests[];

/* A name that no other test uses; it stays valid. */
const char *new_name(void);
const char *text_of(amqp_bytes_t bytes);

/* A connection with CHANNEL open on it. */
amqp_connection_state_t open_connection(void);
/* The same with a user, a password and a virtual host: what the login was answered with. */
amqp_rpc_reply_t try_to_log_in(const char *password, const char *virtual_host);
void close_connection(amqp_connection_state_t connection);
void restart_broker(void);

const char *declare_queue(amqp_connection_state_t connection, amqp_channel_t channel);
uint32_t message_count(amqp_connection_state_t connection, const char *queue);
void publish(amqp_connection_state_t connection, const char *exchange, const char *key,
             const char *body, const amqp_basic_properties_t *properties, bool mandatory);
void send_text(amqp_connection_state_t connection, const char *queue, const char *body);

/* A message taken with basic.get; `body` is NULL when the queue is empty. */
struct taken {
  const char *body;
  size_t size;
  uint64_t delivery_tag;
  bool redelivered;
  amqp_basic_properties_t properties;
};
struct taken take(amqp_connection_state_t connection, const char *queue, bool no_ack);

const char *consume(amqp_connection_state_t connection, amqp_channel_t channel, const char *queue,
                    bool no_ack);
/* The next delivery, or false when none comes within the milliseconds. */
bool receive(amqp_connection_state_t connection, amqp_envelope_t *envelope, int milliseconds);
/* The next method on any channel; the test fails when it is another or none comes. */
void *wait_for_method(amqp_connection_state_t connection, amqp_method_number_t method);

/* What the last call was refused with: the reply code, and its text in `text`. */
int refusal(amqp_rpc_reply_t reply, const char **text);

#endif
