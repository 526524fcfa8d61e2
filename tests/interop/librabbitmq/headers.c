/* Headers of every type that librabbitmq knows, which are all there are, and all properties. */

#include "client.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static amqp_table_entry_t entry(const char *key, uint8_t kind) {
  return (amqp_table_entry_t){.key = amqp_cstring_bytes(key), .value.kind = kind};
}

static bool same_bytes(amqp_bytes_t left, amqp_bytes_t right) {
  return left.len == right.len && memcmp(left.bytes, right.bytes, left.len) == 0;
}

static bool same_table(amqp_table_t left, amqp_table_t right);

static bool same_value(amqp_field_value_t left, amqp_field_value_t right) {
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case AMQP_FIELD_KIND_BOOLEAN: return !left.value.boolean == !right.value.boolean;
    case AMQP_FIELD_KIND_I8: return left.value.i8 == right.value.i8;
    case AMQP_FIELD_KIND_U8: return left.value.u8 == right.value.u8;
    case AMQP_FIELD_KIND_I16: return left.value.i16 == right.value.i16;
    case AMQP_FIELD_KIND_U16: return left.value.u16 == right.value.u16;
    case AMQP_FIELD_KIND_I32: return left.value.i32 == right.value.i32;
    case AMQP_FIELD_KIND_U32: return left.value.u32 == right.value.u32;
    case AMQP_FIELD_KIND_I64: return left.value.i64 == right.value.i64;
    case AMQP_FIELD_KIND_TIMESTAMP:
    case AMQP_FIELD_KIND_U64: return left.value.u64 == right.value.u64;
    case AMQP_FIELD_KIND_F32: return left.value.f32 == right.value.f32;
    case AMQP_FIELD_KIND_F64: return left.value.f64 == right.value.f64;
    case AMQP_FIELD_KIND_DECIMAL:
      return left.value.decimal.decimals == right.value.decimal.decimals &&
             left.value.decimal.value == right.value.decimal.value;
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES: return same_bytes(left.value.bytes, right.value.bytes);
    case AMQP_FIELD_KIND_VOID: return true;
    case AMQP_FIELD_KIND_TABLE: return same_table(left.value.table, right.value.table);
    case AMQP_FIELD_KIND_ARRAY:
      if (left.value.array.num_entries != right.value.array.num_entries) return false;
      for (int at = 0; at < left.value.array.num_entries; at++)
        if (!same_value(left.value.array.entries[at], right.value.array.entries[at])) return false;
      return true;
    default: return false;
  }
}

static bool same_table(amqp_table_t left, amqp_table_t right) {
  if (left.num_entries != right.num_entries) return false;
  for (int at = 0; at < left.num_entries; at++) {
    if (!same_bytes(left.entries[at].key, right.entries[at].key) ||
        !same_value(left.entries[at].value, right.entries[at].value)) {
      printf("# %s came back otherwise\n", text_of(left.entries[at].key));
      return false;
    }
  }
  return true;
}

/* Sends the table and looks at what comes back, in the same order. */
static void round_trip(amqp_table_entry_t *entries, int count) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  amqp_basic_properties_t properties = {
      ._flags = AMQP_BASIC_HEADERS_FLAG,
      .headers = {.num_entries = count, .entries = entries},
  };
  publish(connection, "", queue, "x", &properties, false);
  EXPECT(same_table(properties.headers, take(connection, queue, true).properties.headers));
  close_connection(connection);
}

static void numbers_of_every_type_come_back_as_they_went(void) {
  amqp_table_entry_t entries[] = {
      entry("i8", AMQP_FIELD_KIND_I8),      entry("u8", AMQP_FIELD_KIND_U8),
      entry("i16", AMQP_FIELD_KIND_I16),    entry("u16", AMQP_FIELD_KIND_U16),
      entry("i32", AMQP_FIELD_KIND_I32),    entry("u32", AMQP_FIELD_KIND_U32),
      entry("i64", AMQP_FIELD_KIND_I64),    entry("u64", AMQP_FIELD_KIND_U64),
      entry("float", AMQP_FIELD_KIND_F32),  entry("double", AMQP_FIELD_KIND_F64),
      entry("time", AMQP_FIELD_KIND_TIMESTAMP), entry("decimal", AMQP_FIELD_KIND_DECIMAL),
  };
  entries[0].value.value.i8 = INT8_MIN;
  entries[1].value.value.u8 = UINT8_MAX;
  entries[2].value.value.i16 = INT16_MIN;
  entries[3].value.value.u16 = UINT16_MAX;
  entries[4].value.value.i32 = INT32_MIN;
  entries[5].value.value.u32 = UINT32_MAX;
  entries[6].value.value.i64 = INT64_MIN;
  entries[7].value.value.u64 = INT64_MAX;
  entries[8].value.value.f32 = 0.25F;
  entries[9].value.value.f64 = 0.1;
  entries[10].value.value.u64 = 1700000000;
  entries[11].value.value.decimal = (amqp_decimal_t){.decimals = 2, .value = 12345};
  round_trip(entries, COUNT(entries));
}

static void other_values_of_every_type_come_back_as_they_went(void) {
  amqp_table_entry_t inner[] = {entry("none", AMQP_FIELD_KIND_VOID)};
  amqp_field_value_t items[] = {
      {.kind = AMQP_FIELD_KIND_I32, .value.i32 = -1},
      {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("item")},
      {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {.num_entries = 1, .entries = inner}},
      {.kind = AMQP_FIELD_KIND_ARRAY, .value.array = {.num_entries = 0}},
  };
  amqp_table_entry_t entries[] = {
      entry("yes", AMQP_FIELD_KIND_BOOLEAN), entry("no", AMQP_FIELD_KIND_BOOLEAN),
      entry("text", AMQP_FIELD_KIND_UTF8),   entry("bytes", AMQP_FIELD_KIND_BYTES),
      entry("array", AMQP_FIELD_KIND_ARRAY), entry("table", AMQP_FIELD_KIND_TABLE),
      entry("empty", AMQP_FIELD_KIND_TABLE), entry("nothing", AMQP_FIELD_KIND_VOID),
  };
  entries[0].value.value.boolean = 1;
  entries[1].value.value.boolean = 0;
  entries[2].value.value.bytes = amqp_cstring_bytes("Gr\xc3\xbc\xc3\x9f" "e");
  entries[3].value.value.bytes = (amqp_bytes_t){.len = 3, .bytes = "\x00\xff\x80"};
  entries[4].value.value.array = (amqp_array_t){.num_entries = COUNT(items), .entries = items};
  entries[5].value.value.table = (amqp_table_t){.num_entries = 1, .entries = inner};
  entries[6].value.value.table = amqp_empty_table;
  round_trip(entries, COUNT(entries));
}

static void all_properties_come_back_as_they_went(void) {
  amqp_connection_state_t connection = open_connection();
  const char *queue = declare_queue(connection, CHANNEL);
  amqp_basic_properties_t sent = {
      ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG |
                AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG |
                AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG |
                AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_CLUSTER_ID_FLAG,
      .content_type = amqp_cstring_bytes("text/plain"),
      .content_encoding = amqp_cstring_bytes("utf-8"),
      .delivery_mode = 2,
      .priority = 7,
      .correlation_id = amqp_cstring_bytes("correlation"),
      .reply_to = amqp_cstring_bytes("reply"),
      .expiration = amqp_cstring_bytes("60000"),
      .message_id = amqp_cstring_bytes("message"),
      .timestamp = 1700000000,
      .type = amqp_cstring_bytes("kind"),
      .user_id = amqp_cstring_bytes("guest"),
      .app_id = amqp_cstring_bytes("app"),
      .cluster_id = amqp_cstring_bytes("cluster"),
  };
  publish(connection, "", queue, "x", &sent, false);
  amqp_basic_properties_t got = take(connection, queue, true).properties;
  EXPECT(got._flags == sent._flags);
  EXPECT(same_bytes(got.content_type, sent.content_type));
  EXPECT(same_bytes(got.content_encoding, sent.content_encoding));
  EXPECT(got.delivery_mode == 2 && got.priority == 7 && got.timestamp == 1700000000);
  EXPECT(same_bytes(got.correlation_id, sent.correlation_id));
  EXPECT(same_bytes(got.reply_to, sent.reply_to));
  EXPECT(same_bytes(got.expiration, sent.expiration));
  EXPECT(same_bytes(got.message_id, sent.message_id));
  EXPECT(same_bytes(got.type, sent.type));
  EXPECT(same_bytes(got.user_id, sent.user_id));
  EXPECT(same_bytes(got.app_id, sent.app_id));
  EXPECT(same_bytes(got.cluster_id, sent.cluster_id));
  close_connection(connection);
}

#define TEST(name) {#name, name, false}

const struct test header_tests[] = {
    TEST(numbers_of_every_type_come_back_as_they_went),
    TEST(other_values_of_every_type_come_back_as_they_went),
    TEST(all_properties_come_back_as_they_went),
    {NULL, NULL, false},
};
