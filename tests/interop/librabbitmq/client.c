/* The calls that the tests share. Memory is not given back: each test is a short process. */

#include "client.h"

#include <sys/time.h>
#include <time.h>
#include <unistd.h>

_Noreturn void fail(const char *file, int line, const char *why) {
  printf("# %s:%d: %s\n", file, line, why);
  fflush(stdout);
  _exit(1);
}

const char *new_name(void) {
  static int count;
  char *name = malloc(64);
  snprintf(name, 64, "leveret-interop-%lx-%d-%d", (long)time(NULL), (int)getpid(), ++count);
  return name;
}

const char *text_of(amqp_bytes_t bytes) {
  char *text = malloc(bytes.len + 1);
  memcpy(text, bytes.bytes, bytes.len);
  text[bytes.len] = 0;
  return text;
}

static struct timeval *seconds(int count) {
  static struct timeval time;
  time = (struct timeval){.tv_sec = count};
  return &time;
}

static amqp_connection_state_t open_socket(void) {
  const char *host = getenv("LEVERET_TEST_HOST"), *port = getenv("LEVERET_TEST_PORT");
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  EXPECT(port && socket);
  amqp_set_handshake_timeout(connection, seconds(8));
  amqp_set_rpc_timeout(connection, seconds(5));
  EXPECT(!amqp_socket_open_noblock(socket, host ? host : "127.0.0.1", atoi(port), seconds(5)));
  return connection;
}

static amqp_rpc_reply_t log_in(amqp_connection_state_t connection, const char *password,
                               const char *virtual_host) {
  /* The library says by itself what else it can do; cancels are left to the program. */
  amqp_table_entry_t can = {
      .key = amqp_cstring_bytes("consumer_cancel_notify"),
      .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1},
  };
  amqp_table_entry_t capabilities = {
      .key = amqp_cstring_bytes("capabilities"),
      .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {.num_entries = 1, .entries = &can}},
  };
  amqp_table_t properties = {.num_entries = 1, .entries = &capabilities};
  return amqp_login_with_properties(connection, virtual_host, 0, 131072, 30, &properties,
                                    AMQP_SASL_METHOD_PLAIN, "guest", password);
}

amqp_connection_state_t open_connection(void) {
  amqp_connection_state_t connection = open_socket();
  EXPECT(log_in(connection, "guest", "/").reply_type == AMQP_RESPONSE_NORMAL);
  EXPECT(amqp_channel_open(connection, CHANNEL));
  return connection;
}

amqp_rpc_reply_t try_to_log_in(const char *password, const char *virtual_host) {
  return log_in(open_socket(), password, virtual_host);
}

void close_connection(amqp_connection_state_t connection) {
  EXPECT(amqp_connection_close(connection, AMQP_REPLY_SUCCESS).reply_type == AMQP_RESPONSE_NORMAL);
  EXPECT(amqp_destroy_connection(connection) == AMQP_STATUS_OK);
}

void restart_broker(void) { EXPECT(system(getenv("LEVERET_TEST_RESTART")) == 0); }

const char *declare_queue(amqp_connection_state_t connection, amqp_channel_t channel) {
  const char *name = new_name();
  EXPECT(amqp_queue_declare(connection, channel, amqp_cstring_bytes(name), 0, 0, 1, 0,
                            amqp_empty_table));
  return name;
}

uint32_t message_count(amqp_connection_state_t connection, const char *queue) {
  amqp_queue_declare_ok_t *declared = amqp_queue_declare(
      connection, CHANNEL, amqp_cstring_bytes(queue), 1, 0, 0, 0, amqp_empty_table);
  EXPECT(declared);
  return declared->message_count;
}

void publish(amqp_connection_state_t connection, const char *exchange, const char *key,
             const char *body, const amqp_basic_properties_t *properties, bool mandatory) {
  EXPECT(!amqp_basic_publish(connection, CHANNEL, amqp_cstring_bytes(exchange),
                             amqp_cstring_bytes(key), mandatory, 0, properties,
                             amqp_cstring_bytes(body)));
}

void send_text(amqp_connection_state_t connection, const char *queue, const char *body) {
  publish(connection, "", queue, body, NULL, false);
}

struct taken take(amqp_connection_state_t connection, const char *queue, bool no_ack) {
  amqp_rpc_reply_t reply =
      amqp_basic_get(connection, CHANNEL, amqp_cstring_bytes(queue), no_ack);
  EXPECT(reply.reply_type == AMQP_RESPONSE_NORMAL);
  if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return (struct taken){.body = NULL};
  EXPECT(reply.reply.id == AMQP_BASIC_GET_OK_METHOD);
  amqp_basic_get_ok_t *answer = reply.reply.decoded;
  amqp_message_t message;
  EXPECT(amqp_read_message(connection, CHANNEL, &message, 0).reply_type == AMQP_RESPONSE_NORMAL);
  return (struct taken){
      .body = text_of(message.body),
      .size = message.body.len,
      .delivery_tag = answer->delivery_tag,
      .redelivered = answer->redelivered,
      .properties = message.properties,
  };
}

const char *consume(amqp_connection_state_t connection, amqp_channel_t channel, const char *queue,
                    bool no_ack) {
  amqp_basic_consume_ok_t *consumer =
      amqp_basic_consume(connection, channel, amqp_cstring_bytes(queue), amqp_empty_bytes, 0,
                         no_ack, 0, amqp_empty_table);
  EXPECT(consumer);
  return text_of(consumer->consumer_tag);
}

bool receive(amqp_connection_state_t connection, amqp_envelope_t *envelope, int milliseconds) {
  struct timeval time = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
  amqp_rpc_reply_t reply = amqp_consume_message(connection, envelope, &time, 0);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    EXPECT(reply.library_error == AMQP_STATUS_TIMEOUT);
    return false;
  }
  EXPECT(reply.reply_type == AMQP_RESPONSE_NORMAL);
  return true;
}

void *wait_for_method(amqp_connection_state_t connection, amqp_method_number_t method) {
  amqp_frame_t frame;
  EXPECT(amqp_simple_wait_frame_noblock(connection, &frame, seconds(5)) == AMQP_STATUS_OK);
  EXPECT(frame.frame_type == AMQP_FRAME_METHOD);
  EXPECT(frame.payload.method.id == method);
  return frame.payload.method.decoded;
}

int refusal(amqp_rpc_reply_t reply, const char **text) {
  EXPECT(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION);
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    amqp_channel_close_t *close = reply.reply.decoded;
    *text = text_of(close->reply_text);
    return close->reply_code;
  }
  EXPECT(reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD);
  amqp_connection_close_t *close = reply.reply.decoded;
  *text = text_of(close->reply_text);
  return close->reply_code;
}
