//! Keys of the AMQP door: where it listens, how its sockets behave, what it allows a connection.

use std::path::PathBuf;

use super::super::values::Kind;
use super::Key;
use crate::server::Network;

const ACCEPTORS: &str = "one task accepts for each listener, which is enough";
const ERLANG_SOCKET: &str = "it belongs to the sockets of the Erlang virtual machine";

pub(super) static LISTENERS: &[Key] = &[
    Key::obeyed(
        "listeners.tcp",
        "",
        Kind::Choice(&["none"]),
        "Set to none to listen on no plain TCP port at all.",
        |typed, setting| typed.listeners.clear(setting.origin.layer()),
    ),
    Key::obeyed(
        "listeners.tcp.<name>",
        "",
        Kind::Address,
        "Listeners for AMQP over TCP, under any name: default, 1, 2 and so on. A bare port means \
         every interface. Without any such key Leveret listens on 127.0.0.1:5672 and [::1]:5672 \
         only. Port 0 lets the system choose.",
        |typed, setting| {
            if let Some(address) = setting.value.to_address() {
                typed.listeners.insert(setting, address);
            }
        },
    ),
    Key::obeyed(
        "listeners.ssl",
        "",
        Kind::Choice(&["none"]),
        "Set to none for no TLS port.",
        |typed, setting| typed.tls_listeners.clear(setting.origin.layer()),
    ),
    Key::obeyed(
        "listeners.ssl.<name>",
        "",
        Kind::Address,
        "Listeners for AMQP over TLS, under any name; RabbitMQ's port is 5671. A bare port means \
         every interface. They need ssl_options.certfile and ssl_options.keyfile.",
        |typed, setting| {
            if let Some(address) = setting.value.to_address() {
                typed.tls_listeners.insert(setting, address);
                typed.tls.ask(&format!("listeners.ssl.{}", setting.capture()), setting);
            }
        },
    ),
    Key::obeyed(
        "listeners.unix.<name>",
        "",
        Kind::Text,
        "Listeners for AMQP on this machine alone, each the path of its socket, such as \
         /run/leveret/amqp.sock. The file of a process that is gone is replaced. Leveret's own \
         key.",
        |typed, setting| {
            if let Some(path) = setting.text() {
                typed.unix_listeners.insert(setting.capture(), PathBuf::from(path));
            }
        },
    ),
    Key::inert("num_acceptors.{tcp,ssl}", ACCEPTORS, "Acceptors for each listener."),
    Key::obeyed(
        "proxy_protocol",
        "false",
        Kind::Boolean,
        "Expect the PROXY protocol's header, of version 1 or 2, on every connection to \
         listeners.tcp and listeners.ssl. Who sends none is not let in.",
        |typed, setting| typed.proxy_protocol = setting.boolean(),
    ),
    Key::obeyed(
        "proxy_protocol.trusted.<N>",
        "",
        Kind::Network,
        "Where proxies may be that send such a header. Without any such key, anywhere. Leveret's \
         own key.",
        |typed, setting| {
            typed.proxies.extend(setting.text().as_deref().and_then(Network::parse));
        },
    ),
    Key::later(
        "reverse_dns_lookups",
        "false",
        Kind::Boolean,
        "Show host names of peers instead of addresses.",
    ),
];

pub(super) static SOCKETS: &[Key] = &[
    Key::inert("tcp_listen_options", "single options have keys of their own", "Only none."),
    Key::obeyed(
        "tcp_listen_options.backlog",
        "128",
        Kind::Number { min: 1, max: 65_535 },
        "Connections that may wait to be accepted.",
        |typed, setting| typed.tcp_backlog = setting.number(),
    ),
    Key::obeyed(
        "tcp_listen_options.nodelay",
        "true",
        Kind::Boolean,
        "Send small segments at once (TCP_NODELAY).",
        |typed, setting| typed.tcp_nodelay = setting.boolean(),
    ),
    Key::obeyed(
        "tcp_listen_options.keepalive",
        "false",
        Kind::Boolean,
        "Let the system probe idle connections. AMQP heartbeats do the same sooner.",
        |typed, setting| typed.tcp_keepalive = setting.boolean(),
    ),
    Key::obeyed(
        "tcp_listen_options.sndbuf",
        "",
        Kind::Size { min: 1, max: 1 << 30 },
        "The system's send buffer of a connection. Without it the system decides.",
        |typed, setting| typed.tcp_send_buffer_size = setting.number(),
    ),
    Key::obeyed(
        "tcp_listen_options.recbuf",
        "",
        Kind::Size { min: 1, max: 1 << 30 },
        "The system's receive buffer of a connection. Without it the system decides.",
        |typed, setting| typed.tcp_receive_buffer_size = setting.number(),
    ),
    Key::obeyed(
        "tcp_listen_options.linger.on",
        "false",
        Kind::Boolean,
        "Set the linger option on sockets.",
        |typed, setting| typed.tcp_linger_on = setting.boolean(),
    ),
    Key::obeyed(
        "tcp_listen_options.linger.timeout",
        "0",
        Kind::Number { min: 0, max: 65_535 },
        "Seconds to linger, if lingering is on.",
        |typed, setting| typed.tcp_linger_seconds = setting.number(),
    ),
    Key::inert(
        "tcp_listen_options.{exit_on_close,buffer,delay_send,dontroute,fd,high_msgq_watermark,\
         high_watermark,low_msgq_watermark,low_watermark,port,priority,send_timeout,\
         send_timeout_close,tos}",
        ERLANG_SOCKET,
        "Socket options of Erlang.",
    ),
    Key::obeyed(
        "unix_listen_options.mode",
        "660",
        Kind::Mode,
        "Whose processes may connect to the paths of listeners.unix: those that may write to their \
         files. Leveret's own key.",
        |typed, setting| typed.unix_mode = setting.number(),
    ),
    Key::inert("socket_writer.gc_threshold", ERLANG_SOCKET, "When a writer collects garbage."),
];

pub(super) static LIMITS: &[Key] = &[
    Key::obeyed(
        "heartbeat",
        "60",
        Kind::Number { min: 0, max: 65_535 },
        "Seconds between heartbeats that the server proposes; 0 proposes none.",
        |typed, setting| typed.heartbeat_seconds = setting.number(),
    ),
    Key::obeyed(
        "frame_max",
        "131072",
        Kind::SizeOrZero { min: 4096, max: 2_147_483_647 },
        "Largest frame; 0 for no limit.",
        |typed, setting| typed.frame_size_max = setting.number(),
    ),
    Key::obeyed(
        "initial_frame_max",
        "4096",
        Kind::Size { min: 4096, max: 2_147_483_647 },
        "Largest frame before the connection is tuned. Raise it for very long tokens in place of \
         passwords.",
        |typed, setting| typed.initial_frame_size_max = setting.number(),
    ),
    Key::obeyed(
        "max_channels_per_connection",
        "2047",
        Kind::Number { min: 0, max: 65_535 },
        "Channels that one connection may open; 0 for no limit.",
        |typed, setting| typed.channel_max = setting.number(),
    )
    .also(&["channel_max"]),
    Key::obeyed(
        "consumer_max_per_channel",
        "infinity",
        Kind::Limit { min: 1, max: 4_294_967_295 },
        "Consumers that one channel may have.",
        |typed, setting| typed.consumer_max_per_channel = Some(setting.number()),
    ),
    Key::obeyed(
        "max_message_size",
        "128MiB",
        Kind::Size { min: 1, max: 536_870_912 },
        "Largest message body.",
        |typed, setting| typed.message_size_max = setting.number(),
    ),
    Key::obeyed(
        "handshake_timeout",
        "10000",
        Kind::Limit { min: 1, max: 86_400_000 },
        "Milliseconds from accepting a connection until it is open. A handshake without an end is \
         an open door, so infinity is taken as one day.",
        |typed, setting| typed.handshake_timeout_ms = Some(setting.number()),
    ),
    Key::obeyed(
        "max_connections",
        "infinity",
        Kind::LIMIT,
        "Connections of this node.",
        |typed, setting| typed.node_limits.connections = setting.number(),
    )
    .also(&["connection_max", "ranch_connection_max"]),
    Key::obeyed(
        "channel_max_per_node",
        "infinity",
        Kind::LIMIT,
        "Channels of all connections of this node.",
        |typed, setting| typed.node_limits.channels = setting.number(),
    ),
    Key::obeyed(
        "vhost_max",
        "infinity",
        Kind::LIMIT,
        "Virtual hosts. The default one is created in any case.",
        |typed, setting| typed.node_limits.virtual_hosts = setting.number(),
    ),
    Key::obeyed(
        "cluster_queue_limit",
        "infinity",
        Kind::LIMIT,
        "Queues of all virtual hosts. Those that are there stay, however many they are.",
        |typed, setting| typed.node_limits.queues = setting.number(),
    ),
    Key::obeyed(
        "cluster_exchange_limit",
        "infinity",
        Kind::LIMIT,
        "Exchanges of all virtual hosts, with those that each has from the start.",
        |typed, setting| typed.node_limits.exchanges = setting.number(),
    ),
];
