//! Bounds of the doors for people and their tools: the HTTP API, metrics and `leveret ctl`.

/// Connections of scrapers at a time: a Prometheus has one. More would take descriptors from AMQP.
pub const METRICS_CONNECTIONS_MAX: usize = 32;

/// Connections to the HTTP API from one other address at a time: a quarter of the door.
pub const MANAGEMENT_CONNECTIONS_PER_PEER_MAX: usize = 16;

/// Bytes of a request's head that are kept, and of an answer that the socket does not take yet.
pub const METRICS_BUFFER_SIZE_MAX: usize = 16 * 1024;

/// How long a scraper may be silent: longer than Prometheus' default interval of a minute.
pub const METRICS_IDLE_PATIENCE_MS: u64 = 90_000;

/// How long scrapes are content with the last walk over all queues, which takes each one's lock.
pub const METRICS_WALK_PAUSE_MS: u64 = 1000;

/// Places of a queue of which it is known when their message came: ages are right to an eighth.
pub const TRAIL_MARKS_MAX: usize = 32;

/// Parts of a histogram, so that sessions on different processors seldom add to the same one.
pub const HISTOGRAM_SHARDS: usize = 8;

/// How long an answer may still take when the node stops.
pub const METRICS_END_PATIENCE_MS: u64 = 1000;

/// Bytes of a name that failed to log in that the log shows: as many as AMQP's names may have.
pub const SHOWN_USER_SIZE_MAX: usize = 255;

/// Bytes of an origin that was refused that the log shows: a name of a host and more.
pub const SHOWN_ORIGIN_SIZE_MAX: usize = 300;

/// Connections to the HTTP API at a time: a tool has a few. More would take descriptors from AMQP.
pub const MANAGEMENT_CONNECTIONS_MAX: usize = 64;

/// Bytes of a request's head that are kept, and of an answer that the socket does not take yet.
pub const MANAGEMENT_BUFFER_SIZE_MAX: usize = 64 * 1024;

/// Bytes of a request's body: RabbitMQ's default.
pub const MANAGEMENT_BODY_SIZE_MAX: u64 = 10_000_000;

/// How deep the JSON of a request may be nested: in an export it stands deeper, of 127 levels.
pub const MANAGEMENT_DEPTH_MAX: usize = 100;

/// Items of a definitions file that are declared in one go: well below a millisecond.
pub const IMPORT_STEP_MAX: usize = 64;

/// Bytes of the JSON that says what one thing is to be, as RabbitMQ bounds that of bindings: as
/// values it takes many times as much memory.
pub const MANAGEMENT_FIELDS_SIZE_MAX: u64 = 1024 * 1024;

/// KiB of memory and passes over it that a hash by Argon2 may take: a definitions file brings some.
pub const ARGON2_COSTS_MAX: [u32; 2] = [64 * 1024, 10];

/// Hashes that wait to be made, at some 30 ms each: who is behind them has given up by then.
pub const PASSWORD_CHECKS_MAX: usize = 512;

/// How long a publish over HTTP may wait for a limit or the disk: less than clients wait.
pub const MANAGEMENT_PUBLISH_PATIENCE_MS: u64 = 10_000;

/// Messages in one answer of the HTTP API: more than anybody reads.
pub const MANAGEMENT_GET_COUNT_MAX: usize = 10_000;

/// Bytes of one answer of the HTTP API with messages, but for the last one, and of a body that is
/// shown: a larger one is cut. A body of control characters is six times as long as JSON.
pub const MANAGEMENT_GET_SIZE_MAX: usize = 16 * 1024 * 1024;

/// Rows of a page where its size is not said: RabbitMQ's.
pub const LIST_PAGE_SIZE: usize = 100;

/// Rows of a page: RabbitMQ's.
pub const LIST_PAGE_SIZE_MAX: usize = 500;

/// Rows of a list that are looked at before others have their turn: well below a millisecond. A
/// value that is made takes about as long.
pub const LIST_ROWS_PER_TURN: usize = 2048;

/// What a name that is matched with a pattern in linear time counts of these: for most patterns it
/// takes no longer than a row, for the worst a thousand times as long.
pub const LIST_ROWS_PER_MATCH: usize = 64;

/// Rows of a list that are sorted at once: each is compared some eight times.
pub const LIST_ROWS_SORTED_AT_ONCE: usize = 256;

/// Names on the way to a column: in nothing that is told do objects stand so deep in each other.
pub const COLUMN_DEPTH_MAX: usize = 128;

/// Headers of an export that say what RabbitMQ does not take: as many as anybody reads, and within
/// what clients take as a head.
pub const EXPORT_WARNINGS_MAX: usize = 20;

/// How long closing listeners may take: each has only to be told.
pub const SUSPEND_PATIENCE_MS: u64 = 5000;

/// How often who is told of events, or of lines of the log, is told: often enough for people.
pub const STREAM_LOOK_MS: u64 = 100;

/// Bytes of the log, or of events, that are told at once: what a socket takes.
pub const STREAM_CHUNK_SIZE: usize = 32 * 1024;

/// Events that wait for somebody who watches over HTTP and reads slowly; the oldest go.
pub const WATCHED_EVENTS_MAX: i64 = 10_000;

/// Bytes of a list that are made at once: what a socket takes.
pub const LIST_CHUNK_SIZE: usize = 32 * 1024;

/// How long a connection to the HTTP API may last on which nobody tries to log in: one request.
pub const MANAGEMENT_STRANGER_PATIENCE_MS: u64 = 10_000;

/// How long an answer of the HTTP API may find no room: who is there reads, over any line.
pub const MANAGEMENT_WRITE_PATIENCE_MS: u64 = 30_000;

/// How long a connection to the HTTP API may go without a whole request: browsers keep theirs.
pub const MANAGEMENT_IDLE_PATIENCE_MS: u64 = 60_000;

/// How long a request's body may take to come: the largest one over a slow line.
pub const MANAGEMENT_BODY_PATIENCE_MS: u64 = 60_000;

/// How long an answer of the HTTP API may still take when the node stops.
pub const MANAGEMENT_END_PATIENCE_MS: u64 = 1000;
/// Things of which up to three samples are kept, some 600 bytes: more than a monitor walks through.
pub const SAMPLED_COUNT_MAX: usize = 50_000;
/// Things of which all samples of ten minutes are kept, some 20 KiB each: those that are drawn.
pub const CHARTED_COUNT_MAX: usize = 256;

/// How long `leveret ctl` waits for one answer, where nothing else is said: as long as RabbitMQ's
/// tools wait for a list.
pub const CTL_PATIENCE_MS: u64 = 60_000;

/// How long `leveret ctl` waits for a node to start or to stop, where nothing else is said: a large
/// log that is read after a crash, as RabbitMQ's tools wait.
pub const CTL_START_PATIENCE_MS: u64 = 300_000;

/// How long `leveret ctl` waits before it asks again whether a node is there: nobody notices it.
pub const CTL_RETRY_MS: u64 = 100;

/// The largest answer that `leveret ctl` takes: a list of a million queues with all their columns.
pub const CTL_ANSWER_SIZE_MAX: usize = 2 * 1024 * 1024 * 1024;
