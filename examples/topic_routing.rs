//! Topic routing: a binding asks for words of the routing key. `*` is one word, `#` any number.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, ExchangeKind};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
    let none = FieldTable::default;
    channel.exchange_declare("weather".into(), ExchangeKind::Topic, options, none()).await?;

    let bindings = ["europe.*.rain", "europe.#", "*.*.snow"];
    for pattern in bindings {
        let options = QueueDeclareOptions::exclusive();
        channel.queue_declare(pattern.into(), options, none()).await?;
        let (queue, exchange, key) = (pattern.into(), "weather".into(), pattern.into());
        channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), none()).await?;
    }
    // A confirm says that the message is in all the queues it was for.
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for key in ["europe.london.rain", "europe.oslo.snow", "asia.tokyo.snow", "asia.tokyo.sun"] {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let (exchange, body) = ("weather".into(), key.as_bytes());
        channel.basic_publish(exchange, key.into(), options, body, properties).await?.await?;
    }
    for pattern in bindings {
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(pattern.into(), options).await? {
            println!("{pattern} got {}", message.delivery.routing_key);
        }
    }
    connection.close(200, "done".into()).await
}
