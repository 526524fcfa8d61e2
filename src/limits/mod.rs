//! Every bound in the system, each with its reason. Nothing here decides anything. Those of the
//! doors for people and their tools, HTTP, metrics and the command line, are in `doors`.

mod doors;

pub use doors::*;

/// The largest frame offered at tuning, with its 8 bytes of frame: RabbitMQ's default.
pub const FRAME_SIZE_MAX: u32 = 131_072;

/// The smallest frame_max a client may ask for: the specification's `frame-min-size`. RabbitMQ 4.1
/// raised it and broke clients.
pub const FRAME_SIZE_MIN: u32 = 4096;

/// The largest frame before tuning: no handshake needs more.
pub const INITIAL_FRAME_SIZE_MAX: u32 = 4096;

/// Channels of one connection: RabbitMQ's default.
pub const CHANNEL_MAX: u16 = 2047;
/// Seconds between heartbeats offered: RabbitMQ's default.
pub const HEARTBEAT_SECONDS: u16 = 60;
/// From accept to connection.open: RabbitMQ's default.
pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;

/// Bytes of properties that the copy of a traced message has: it goes into one frame with the rest.
pub const TRACED_PROPERTIES_SIZE_MAX: usize = 40 * 1024;
/// The same for the names of the queues that the message went to.
pub const TRACED_QUEUES_SIZE_MAX: usize = 32 * 1024;

/// What happened and waits to be told, some 500 bytes each; what is more is lost.
pub const EVENTS_WAITING_MAX: usize = 20_000;
/// So much of it is told in one look at the timers, behind which queues wait.
pub const EVENTS_STEP_MAX: usize = 1000;

/// Lines of the log that wait to go to the exchange of logs: a burst of some ten thousand of them;
/// what is more is lost to it, and stands in the other outputs.
pub const LOG_LINES_WAITING_SIZE_MAX: usize = 4 << 20;
/// So many of them go there in one look at what is due, behind which queues wait.
pub const LOG_LINES_STEP_MAX: usize = 1000;

/// How long a failed login holds its connection, so that guessing passwords is slow. Clients that
/// understand it are told why at its beginning.
pub const SILENT_CLOSE_DELAY_MS: u64 = 3000;

/// Failed logins from one address that are answered like any: people and restarts mistype.
pub const LOGIN_FAILURES_FREE: u32 = 10;
/// How much longer the answer to the next one takes; each one after it takes twice as long.
pub const LOGIN_FAILURE_DELAY_MS: u64 = 250;
/// The longest that such an answer waits: a connection and a socket are held for it.
pub const LOGIN_FAILURE_DELAY_MAX_MS: u64 = 15_000;

/// For so long after the last one the failures of an address are known.
pub const LOGIN_FAILURE_MEMORY_MS: u64 = 300_000;
/// Addresses whose failures are known, some 64 bytes each.
pub const LOGIN_FAILURE_ADDRESSES_MAX: usize = 4096;

/// How long connection.close waits for close-ok where there is no shorter heartbeat.
pub const CLOSE_TIMEOUT_MS: u64 = 30_000;

/// What a client may still send after it broke the framing, while close-ok is awaited.
pub const CLOSED_INPUT_SIZE_MAX: usize = 16 * 1024 * 1024;

/// The largest body accepted: RabbitMQ's default up to 3.13.
pub const MESSAGE_SIZE_MAX: u64 = 134_217_728;

/// The largest body a content header may announce at all.
pub const CONTENT_SIZE_MAX: u64 = 536_870_912;

/// Bodies up to this size are copied into the message; larger ones keep the slices they came in.
pub const BODY_COPIED_SIZE_MAX: u64 = 4096;

/// Slices from this size on go out by vectored write; copying a smaller one is cheaper.
pub const BODY_SHARED_SIZE_MIN: usize = 4096;

/// Messages up to this size are put together on the stack before they are copied to where they
/// stay: the largest body that is copied, and names and properties.
pub const MESSAGE_STACK_SIZE: usize = 5120;

/// Bodies from this size on are copied together with what came between the message's parts: of a
/// smaller one those 30 bytes would be a notable part.
pub const AS_IT_CAME_SIZE_MIN: usize = 256;

/// Different heads of publishes that are remembered within one input.
pub const PUBLISH_HEADS_MAX: usize = 256;

/// Publishes that are alike and handed on as one: enough that what is done once for all of them
/// costs nothing, few enough that consumers get the first while the rest is read.
pub const PUBLISH_RUN_COUNT_MAX: usize = 256;

/// The longest name of the cluster: every client is told it in a frame of 4 KiB at the most.
pub const CLUSTER_NAME_SIZE_MAX: usize = 255;

/// The name a client gives itself is cut here: it is for logs and listings.
pub const CLIENT_NAME_SIZE_MAX: usize = 256;

/// What a delivery costs in a session's window besides its body: method, header and bookkeeping.
pub const DELIVERY_OVERHEAD_SIZE: u64 = 256;

/// Deliveries on the way in one session, in bytes: enough to keep a fast reader busy, little enough
/// that a stopped one harms only itself.
pub const SESSION_WINDOW_SIZE: u64 = 1024 * 1024;

/// A session's buffers are counted again when they changed by this many bytes: little beside what
/// is counted for, and enough that a busy session seldom touches the counter.
pub const CHARGE_STEP_SIZE: u64 = 16 * 1024;

/// Bytes a session lets wait for its socket before it stops reading and draining.
pub const SESSION_OUTPUT_SIZE_MAX: usize = 256 * 1024;

/// Direct replies on the way to one session, in bytes; no queue can hold them back, so what passes
/// this is lost, as it is when the requester leaves.
pub const REPLY_WINDOW_SIZE: u64 = 16 * 1024 * 1024;

/// A scraper that looks more often than this sees the capacity of consumers over the last looks
/// together: RabbitMQ's interval.
pub const CAPACITY_WINDOW_MS: u64 = 5000;

/// For so long after somebody asked last, the delivery times of a queue are measured, which takes
/// some 150 bytes: longer than anybody waits between two looks.
pub const LATENCY_FORGOTTEN_MS: u64 = 1_200_000;

/// Exchanges of which it is counted what one channel publishes to them, some 100 bytes each: more
/// than anybody publishes to by one channel who wants to see each of them.
pub const CHANNEL_EXCHANGES_MAX: usize = 64;

/// Routes a channel remembers, of some 150 bytes each: the keys in use at a time are mostly few,
/// and where they are thousands, finding each way anew costs more than all else.
pub const ROUTE_CACHE_COUNT_MAX: usize = 16_384;

/// Queues a batch of publishes is grouped by before it is handed over: the search stays short.
pub const PUBLISH_GROUPS_MAX: usize = 32;

/// The read buffer of a worker thread: a full one is a good batch.
pub const READ_BUFFER_SIZE: usize = 128 * 1024;

/// The write buffer that a worker thread keeps: what sessions let wait for a socket, and the last
/// message that passed it.
pub const WRITE_BUFFER_SIZE_MAX: usize = 2 * SESSION_OUTPUT_SIZE_MAX;

/// Who reads as much as this at once publishes as fast as it can: it gives way to others then.
pub const BUSY_READ_SIZE_MIN: usize = 16 * 1024;

/// A delivery of fewer bytes than this may wait for more to be written with it: of larger ones, the
/// bytes cost more than the call.
pub const GATHERED_SIZE_MAX: u64 = 4 * 1024;

/// After so many times in vain a session writes at once 2 to the power of this times: what is left
/// of letting others go first is half a hundredth.
pub const GATHERING_MISSES_MAX: u32 = 8;

/// Over how long the pace of a queue's consumers is taken: less would be noise.
pub const PACE_WINDOW_MS: u64 = 10;

/// Consumers have enough to do for so long; publishers that add more may wait.
pub const WORK_AHEAD_MS: u64 = 3;

/// What would take consumers longer is a backlog: slow by choice, and nobody waits for them.
pub const WORK_AHEAD_MS_MAX: u64 = 100;

/// The longest a publisher waits for consumers before it goes on.
pub const HOLD_MS_MAX: u64 = 10;

/// A publish takes so many bytes at the least: a method without names, a header without properties,
/// no body.
pub const PUBLISH_SIZE_MIN: u64 = 39;

/// Users without a limit on publishing who are gone are remembered until there may be so many of
/// them, or as many as others: to look for them at each login would cost more.
pub const UNUSED_RATES_MAX: usize = 64;

/// Where a limit on publishing leaves no room, a connection that has its turn takes so much of what
/// it sent: a few small messages. More would be a burst, less would be a step for each message.
pub const PORTION_SIZE_MIN: usize = 256;

/// Slices of one vectored write: far below what the system takes.
pub const WRITE_SLICES_MAX: usize = 64;

/// How long accepting pauses when descriptors run out.
pub const ACCEPT_PAUSE_MS: u64 = 100;

/// The longest header of the PROXY protocol: addresses, and what clouds say beside them.
pub const PROXY_HEADER_SIZE_MAX: usize = 4096;

/// What is read ahead, or written behind, of a connection that comes by a WebSocket.
pub const PIPE_BUFFER_SIZE: usize = 64 * 1024;

/// The largest message of a WebSocket: some frames of AMQP, and more than clients put in one.
pub const WEBSOCKET_MESSAGE_SIZE_MAX: usize = 1024 * 1024;

/// Tables and arrays may stand in each other this deep: far more than anyone needs, far less than a
/// thread's stack holds.
pub const TABLE_DEPTH_MAX: usize = 64;

/// Buckets one binding of a consistent hash exchange may ask for: they are kept one by one.
pub const HASH_WEIGHT_MAX: usize = 10_000;

/// Messages a recent history exchange keeps where its declaration does not say.
pub const RECENT_HISTORY_COUNT: usize = 20;

/// Keys that a deduplicating exchange forgets with each message, where their time is over: more
/// than come, so that they get fewer, and not so many that a message waits for all of them.
pub const SEEN_KEYS_FORGOTTEN_MAX: usize = 16;

/// How long a stopping node waits for its clients to answer connection.close: service managers send
/// SIGKILL not much later than 10 s.
pub const SHUTDOWN_PATIENCE_MS: u64 = 5000;

/// Events that may wait for a session whose client does not read, before nothing more is read from
/// it: a batch of publishes that all come back is not much more.
pub const SESSION_EVENTS_MAX: usize = 1024;

/// How long a client may take to hang up after close-ok.
pub const HANG_UP_PATIENCE_MS: u64 = 2000;

/// How often a node tries to lock its data folder: an inspection holds the lock for an instant, a
/// process that is just ending a little longer.
pub const FOLDER_LOCK_ATTEMPTS: u32 = 5;

/// The pause between these attempts.
pub const FOLDER_LOCK_PAUSE_MS: u64 = 10;
/// A batch of the log that nobody waits for is cut at this size: a sync then pays.
pub const LOG_BATCH_SIZE_MIN: u64 = 64 * 1024;

/// How long a fact that nobody waits for rides in the open batch.
pub const LOG_RIDE_MS: u64 = 50;

/// More is written as several batches: what one takes in memory is bounded, and a place in a file
/// fits 32 bits though every message is as large as it may be.
pub const LOG_BATCH_SIZE_MAX: u64 = 64 * 1024 * 1024;

/// How often the log's thread looks for the next one who waits before it sleeps, giving way to
/// others each time: some 0.1 ms, in which a client that waited for a confirm publishes again.
pub const LOG_LOOKOUT_COUNT: u32 = 200;

/// After so many times in vain it leaves out 2 to the power of this: what is left of looking out is
/// not a hundredth.
pub const LOG_LOOKOUT_MISSES_MAX: u32 = 7;

/// How long a written batch that nobody waits for may stay unsynced.
pub const LOG_UNSYNCED_MS: u64 = 200;

/// Messages that wait to be written, in bytes, before their publishers pause: some milliseconds of
/// a fast disk. With 16 MiB a backlog took half as much again of memory and filled half as fast,
/// since what was written had left the processor's cache by then.
pub const LOG_PENDING_SIZE_MAX: u64 = 2 * 1024 * 1024;

/// A busy log keeps a buffer of this size for the next batch: what may wait, and what one read of a
/// few publishers adds.
pub const LOG_BUFFER_SIZE_MAX: usize = 4 * 1024 * 1024;

/// A log file is sealed at this size: small enough that one leftover holds little, large enough
/// that sealing is seldom.
pub const LOG_FILE_SIZE: u64 = 32 * 1024 * 1024;

/// A log file is filled with zeros by so much at a time before small batches are written to it: a
/// sync then takes two thirds of the time. Little enough to delay one sync by about a millisecond.
pub const LOG_READY_SIZE: u64 = 1024 * 1024;

/// Batches up to this size are small: with larger ones such zeros cost more than they save, and
/// more gathers for the next one while the log's thread sleeps than while it looks out.
pub const LOG_SMALL_BATCH_SIZE_MAX: u64 = 16 * 1024;

/// Sealed files without anything alive that are kept to be written again: a file that was written
/// before syncs faster than one that grows.
pub const SPARE_FILES_MAX: usize = 2;

/// Files behind the last checkpoint with which a start goes on without another: a node that is
/// killed again and again leaves many small ones.
pub const TAIL_FILES_MAX: usize = 64;

/// A checkpoint is written when the log grew by this many times the last one's size, so that
/// checkpoints stay a small part of what is written.
pub const CHECKPOINT_GROWTH: u64 = 8;

/// Log files a store keeps open at once; others are opened when they are read.
pub const OPEN_LOG_FILES_MAX: usize = 256;

/// Bytes set aside for a full disk: what may wait for the log, and room for settlements behind it.
pub const RESERVE_SIZE: u64 = LOG_PENDING_SIZE_MAX + 4 * 1024 * 1024;

/// How long a full disk is left alone before it is tried again.
pub const FULL_DISK_PAUSE_MS: u64 = 200;

/// Records with no more than this between them are read in one piece.
pub const READ_GAP_SIZE_MAX: u64 = 16 * 1024;

/// Bytes of one read of records that stand close together.
pub const READ_SIZE_MAX: u64 = 1024 * 1024;

/// A sealed file of which at most one part in this many is alive is copied on.
pub const COMPACTION_LIVE_PART: u64 = 4;

/// How long what is alive in a sparse file must stay the same before it is copied on: a queue whose
/// consumers take at least a message a second empties its files without that.
pub const COMPACTION_REST_MS: u64 = 1000;

/// Sparse files that are left alone because they still get emptier: a drain in order has few of
/// them at a time, and one in any order has all, which must not fill the disk with what is dead.
pub const SPARSE_FILES_MAX: usize = 8;

/// Bytes copied on from old files per batch: little enough to delay no sync much.
pub const COMPACTION_SIZE_MAX: u64 = 256 * 1024;

/// Messages one consumer gets in its turn while many are ready: runs stay long where many consume,
/// and nobody waits long for his turn.
pub const TURN_COUNT_MAX: usize = 32;

/// Times to live of a queue that are remembered because messages of then may still be there: each
/// change by a policy makes one, and an empty queue has none. Of more, the oldest two become one.
pub const ERAS_MAX: usize = 16;

/// Milliseconds to which the end of a message's life is rounded up, where it is long: less than
/// what an expiry may be late by, and at most 250 different ends in a second.
pub const DUE_STEP_MS: u64 = 4;

/// The longest that a message waits before it is tried again: ten years, as the times of arguments.
pub const RETRY_MS_MAX: u64 = 315_360_000_000;

/// How long a consumer of a queue of quorum type may hold a delivery where nobody says otherwise:
/// as RabbitMQ, where jobs that take longer are known to be rare.
pub const CONSUMER_TIMEOUT_MS: u64 = 1_800_000;

/// Into how many steps that time is parted: a consumer keeps a count of deliveries for each, and is
/// looked at once in each, so more of them cost more and fewer notice later.
pub const CONSUMER_TIMEOUT_STEPS: u64 = 64;

/// The shortest of these steps: nobody tells the difference, and queues are not looked at all the
/// time.
pub const CONSUMER_TIMEOUT_STEP_MS: u64 = 10;

/// Milliseconds before its time at which a message that waits on disk is read: a hundred reads of a
/// slow disk, and few bodies in RAM meanwhile.
pub const FAR_MS: u64 = 500;

/// Places between two messages that wait on disk and are read together: reading a few for nothing
/// costs less than another read.
pub const FAR_GAP_MAX: u64 = 8;

/// Keys that an exchange may know which lets equal messages pass once: some 300 MB of RAM, and as
/// much as one deletion may have to take back in the log.
pub const SEEN_KEYS_MAX: u64 = 1_000_000;

/// Dead letters of one queue that are on their way at once. A queue whose messages all die at once
/// gives way to others in between, and holds no more than these besides its own bodies.
pub const DEAD_LETTERS_OUT_MAX: usize = 256;

/// Dead letters that one step brings away; the rest waits for its turn among other things that are
/// due, so that whoever made them is not busy with them for long.
pub const DEAD_LETTERS_STEP_MAX: usize = 8192;

/// What those that come together count as at least: a lock for themselves and the way there.
pub const DEAD_LETTERS_TURN_COST: usize = 16;

/// Milliseconds after which dead letters are tried again that were too many for one step, or wait
/// for the log or for a queue: soon enough for 8,192 each time.
pub const DEAD_LETTER_PAUSE_MS: u64 = 2;

/// Milliseconds after which dead letters that no queue takes are tried again where they are kept:
/// 256 at most of each queue, so that it costs little, and soon after there is room for a person.
pub const DEAD_LETTER_RETRY_MS: u64 = 500;

/// Messages in RAM that one list of a queue holds: a longer one is copied as a whole when it grows,
/// under the queue's lock, which takes 66 ms where there are eight million.
pub const STRETCH_COUNT_MAX: usize = 65_536;

/// Stretches that a durable queue may have ready before a message that the log need not have goes
/// there too, so as to be one stretch with its neighbors: 64 octets of RAM each.
pub const PATCHES_MAX: usize = 1024;

/// What a message in RAM costs besides its body: its head, names, properties and the pointer to it.
pub const MESSAGE_OVERHEAD_SIZE: u64 = 128;

/// Places of a queue that one fetch of bodies from the disk asks for: few enough to come soon,
/// enough that a drain streams.
pub const FETCH_COUNT_MAX: usize = 256;

/// Bytes of bodies that one fetch asks for, by what the bodies there have on average: what one
/// session may have on the way.
pub const FETCH_SIZE_MAX: u64 = 1024 * 1024;

/// Bodies in RAM that are on disk too, for the whole node: what is about to be delivered. The page
/// cache is the cache; a backlog fills and drains no faster with twice as much.
pub const READ_WINDOW_SIZE: u64 = 16 * 1024 * 1024;

/// Bodies that are in RAM only, where nobody says how much memory there is.
pub const UNLOGGED_SIZE_MAX: u64 = 512 * 1024 * 1024;

/// Ready bodies that a queue with consumers keeps in RAM though they are on disk: two reads.
pub const SERVED_QUEUE_SIZE_KEPT: u64 = 2 * FETCH_SIZE_MAX;

/// The same for a queue without consumers: the first get is answered at once.
pub const IDLE_QUEUE_SIZE_KEPT: u64 = 64 * 1024;

/// A queue looks for bodies to forget when it holds so much more than after the last look.
pub const SHED_STEP_SIZE: u64 = 1024 * 1024;

/// Bodies in RAM only that a queue writes out at a time.
pub const PAGE_OUT_SIZE: u64 = 1024 * 1024;

/// How often the log's thread looks after files and memory.
pub const STORE_TEND_MS: u64 = 50;

/// How often it looks at the free space of the disk.
pub const DISK_CHECK_MS: u64 = 250;

/// Steps back of a permission's pattern: milliseconds, and more than any sensible one takes.
pub const PATTERN_BACKTRACK_MAX: usize = 100_000;

/// Messages that an inspection reads at a time: a bound for those without a body.
pub const INSPECT_READ_COUNT_MAX: u64 = 1024;

/// Bytes of bodies that an inspection reads at a time.
pub const INSPECT_READ_SIZE_MAX: u64 = 1024 * 1024;

/// Messages of a queue that an inspection prints where nobody says how many: a screen or two.
pub const INSPECT_PRINTED_COUNT: u64 = 20;

/// Bytes of a body that an inspection prints: a few lines.
pub const INSPECT_PREVIEW_SIZE: usize = 240;

/// How often an inspection begins anew when a running broker takes a file away under it.
pub const INSPECT_ATTEMPTS: usize = 5;
