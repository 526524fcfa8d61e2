"""Whether Prometheus takes what the broker tells, and answers what dashboards ask.

The questions are those of RabbitMQ's Overview dashboard, in words of our own: each metric that it
draws, with the join that gives it the names of the node and the cluster.
"""

import pytest

JOIN = "* on(instance, job) group_left(rabbitmq_cluster, rabbitmq_node) rabbitmq_identity_info"

# What is drawn as it is.
GAUGES = [
    "rabbitmq_connections", "rabbitmq_channels", "rabbitmq_consumers", "rabbitmq_queues",
    "rabbitmq_queue_messages_ready", "rabbitmq_queue_messages_unacked", "rabbitmq_queue_messages",
    "rabbitmq_process_resident_memory_bytes", "rabbitmq_resident_memory_limit_bytes",
    "rabbitmq_disk_space_available_bytes", "rabbitmq_disk_space_available_limit_bytes",
    "rabbitmq_process_open_fds", "rabbitmq_process_max_fds", "rabbitmq_erlang_uptime_seconds",
    "rabbitmq_global_publishers", "rabbitmq_global_consumers",
    "rabbitmq_alarms_memory_used_watermark", "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_file_descriptor_limit",
]

# What is drawn as a rate, and has risen by what the clients of these tests did.
RISEN = [
    "rabbitmq_connections_opened_total", "rabbitmq_channels_opened_total",
    "rabbitmq_queues_created_total", "rabbitmq_queues_declared_total",
    "rabbitmq_queues_deleted_total",
    "rabbitmq_global_messages_received_total", "rabbitmq_global_messages_received_confirm_total",
    "rabbitmq_global_messages_confirmed_total", "rabbitmq_global_messages_routed_total",
    "rabbitmq_global_messages_unroutable_dropped_total",
    "rabbitmq_global_messages_unroutable_returned_total",
    "rabbitmq_global_messages_delivered_total",
    "rabbitmq_global_messages_delivered_consume_manual_ack_total",
    "rabbitmq_global_messages_delivered_get_auto_ack_total",
    "rabbitmq_global_messages_delivered_get_manual_ack_total",
    "rabbitmq_global_messages_get_empty_total", "rabbitmq_global_messages_redelivered_total",
    "rabbitmq_global_messages_acknowledged_total",
    "rabbitmq_channel_messages_published_total", "rabbitmq_channel_messages_confirmed_total",
    "rabbitmq_channel_messages_unroutable_dropped_total",
    "rabbitmq_channel_messages_unroutable_returned_total",
    "rabbitmq_channel_messages_delivered_ack_total", "rabbitmq_channel_get_total",
    "rabbitmq_channel_get_ack_total", "rabbitmq_channel_get_empty_total",
    "rabbitmq_channel_messages_redelivered_total", "rabbitmq_channel_messages_acked_total",
]

# What is drawn as a rate, and may be where it was.
OTHER_COUNTERS = [
    "rabbitmq_connections_closed_total", "rabbitmq_channels_closed_total",
    "rabbitmq_global_messages_delivered_consume_auto_ack_total",
    "rabbitmq_channel_messages_delivered_total", "rabbitmq_auth_attempts_total",
]

# What each queue, channel and connection tells by itself, on two of the paths.
OF_QUEUE = [
    "queue_messages_ready", "queue_messages_unacked", "queue_messages", "queue_consumers",
    "queue_messages_bytes", "queue_messages_ram", "queue_messages_unacked_bytes",
    "queue_consumer_capacity", "queue_consumer_utilisation", "queue_messages_persistent",
    "queue_messages_persistent_bytes", "queue_disk_reads_total", "queue_disk_writes_total",
]
OF_CLIENT = [
    "channel_consumers", "channel_messages_unacked", "channel_messages_unconfirmed",
    "consumer_prefetch", "connection_incoming_bytes_total", "connection_outgoing_bytes_total",
    "connection_incoming_packets_total", "connection_channels",
]


def drawn(expression, job="aggregated"):
    """As the dashboard asks: summed by node, of one cluster at a time."""
    return f'sum by (rabbitmq_node) ({expression}{{job="{job}"}} {JOIN})'


@pytest.mark.parametrize("path", [
    "/metrics", "/metrics/per-object", "/metrics/memory-breakdown",
    "/metrics/detailed?family=queue_coarse_metrics&family=queue_metrics&family=channel_metrics"
    "&family=connection_metrics&family=connection_coarse_metrics&family=exchange_bindings"
    "&family=exchange_names&family=vhost_status&family=node_metrics&family=node_coarse_metrics"
    "&family=auth_attempt_metrics&family=connection_churn_metrics&family=exchange_metrics"
    "&family=leveret_queue_latencies",
])
def test_promtool_has_nothing_against_an_answer(traffic, scrape, lint, is_leveret, path):
    if not is_leveret:
        pytest.skip("promtool has something against RabbitMQ's names for Erlang")
    assert lint(scrape(path)) == ""


def test_every_path_can_be_scraped(traffic, prometheus):
    prometheus.becomes("up", lambda found: [up for _, up in found] == [1, 1, 1])
    assert prometheus.targets() == {
        "aggregated": ("up", ""), "per-object": ("up", ""), "detailed": ("up", ""),
    }


@pytest.mark.parametrize("name", GAUGES)
def test_the_dashboard_draws_what_is(traffic, prometheus, name):
    found = prometheus.becomes(drawn(name), lambda found: len(found) == 1)
    assert "@" in found[0][0]["rabbitmq_node"]


@pytest.mark.parametrize("name", RISEN)
def test_the_dashboard_draws_what_happened(traffic, prometheus, name):
    prometheus.becomes(drawn(name), lambda found: len(found) == 1 and found[0][1] > 0)


@pytest.mark.parametrize("name", RISEN + OTHER_COUNTERS)
def test_the_dashboard_draws_rates(traffic, prometheus, name):
    rate = f'sum(rate({name}{{job="aggregated"}}[60s]) {JOIN}) by (rabbitmq_node)'
    prometheus.becomes(rate, lambda found: len(found) == 1 and found[0][1] >= 0)


def test_the_dashboard_shows_memory_that_is_left_before_publishers_are_blocked(prometheus):
    left = "(rabbitmq_resident_memory_limit_bytes " + JOIN + \
        ") - (rabbitmq_process_resident_memory_bytes " + JOIN + ")"
    prometheus.becomes(left, lambda found: len(found) >= 1 and found[0][1] > 0)


def test_the_dashboard_lists_nodes_with_their_versions(prometheus):
    table = "rabbitmq_build_info * on(instance, job) group_left(rabbitmq_cluster, rabbitmq_node) " \
        "rabbitmq_identity_info"
    found = prometheus.becomes(table, lambda found: len(found) == 3)
    assert all(labels["rabbitmq_version"] and labels["rabbitmq_node"] for labels, _ in found)


@pytest.mark.parametrize("name", OF_QUEUE)
@pytest.mark.parametrize("job, begin", [
    ("per-object", "rabbitmq_"), ("detailed", "rabbitmq_detailed_"),
])
def test_each_queue_has_numbers_of_its_own(traffic, prometheus, job, begin, name):
    chosen = f'{begin}{name}{{job="{job}",vhost="/",queue="{traffic}"}} {JOIN}'
    prometheus.becomes(chosen, lambda found: len(found) == 1)


def test_a_queue_has_one_message_out_and_one_consumer(traffic, prometheus):
    for name, value in [("messages_unacked", 1), ("messages_ready", 0), ("consumers", 1)]:
        chosen = f'rabbitmq_detailed_queue_{name}{{queue="{traffic}"}}'
        prometheus.becomes(chosen, lambda found, value=value: [v for _, v in found] == [value])


@pytest.mark.parametrize("name", OF_CLIENT)
@pytest.mark.parametrize("job, begin", [
    ("per-object", "rabbitmq_"), ("detailed", "rabbitmq_detailed_"),
])
def test_each_client_has_numbers_of_its_own(traffic, prometheus, job, begin, name):
    chosen = f'{begin}{name}{{job="{job}"}}'
    found = prometheus.becomes(chosen, lambda found: len(found) >= 1)
    assert all(labels["channel"] for labels, _ in found)


def test_the_sum_of_each_is_that_of_all(traffic, prometheus):
    both = 'sum(rabbitmq_queue_messages{job="per-object"}) == ' \
        'sum(rabbitmq_queue_messages{job="aggregated"})'
    prometheus.becomes(both, lambda found: len(found) == 1)


def test_exchanges_and_virtual_hosts_are_told_of_the_cluster(traffic, prometheus):
    chosen = 'rabbitmq_cluster_exchange_bindings{vhost="/",exchange="amq.topic",type="topic"}'
    prometheus.becomes(chosen, lambda found: len(found) == 1)
    prometheus.becomes('rabbitmq_cluster_vhost_status{vhost="/"}',
                       lambda found: [value for _, value in found] == [1])


@pytest.mark.parametrize("name", [
    "rabbitmq_message_size_bytes", "leveret_confirm_seconds", "leveret_store_sync_seconds",
])
def test_histograms_add_up(traffic, prometheus, is_leveret, name):
    if not is_leveret:
        pytest.skip("sizes of messages are told since 4.1 only, and times never")
    of_all = f'sum({name}_bucket{{job="aggregated",le="+Inf"}}) == sum({name}_count' \
        '{job="aggregated"}) > 0'
    prometheus.becomes(of_all, lambda found: len(found) == 1)
    median = f'histogram_quantile(0.5, sum by (le) ({name}_bucket{{job="aggregated"}}))'
    prometheus.becomes(median, lambda found: len(found) == 1 and found[0][1] > 0)
