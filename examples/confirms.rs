//! Confirms: the broker says of each message that it has it, and gives back what no queue wanted.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

const DEFAULT: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

#[tokio::main]
async fn main() -> lapin::Result<()> {
    let address = std::env::var("AMQP_ADDR").unwrap_or_else(|_| DEFAULT.to_owned());
    let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let (options, none) = (QueueDeclareOptions::exclusive(), FieldTable::default());
    channel.queue_declare("orders".into(), options, none).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    // One by one: each waits for its confirm. Mandatory ones that no queue takes come back.
    let mandatory = BasicPublishOptions { mandatory: true, immediate: false };
    for key in ["orders", "odrers"] {
        let properties = BasicProperties::default();
        let sent = channel.basic_publish("".into(), key.into(), mandatory, b"one", properties);
        let confirmation = sent.await?.await?;
        let is_confirmed = confirmation.is_ack();
        match confirmation.take_message() {
            Some(returned) => println!("{key}: confirmed, but returned: {}", returned.reply_text),
            None => println!("{key}: confirmed {is_confirmed}"),
        }
    }

    // Many at once: the confirms are awaited together, which is much faster.
    let mut confirms = Vec::new();
    for number in 0..1000 {
        let (options, body) = (BasicPublishOptions::default(), format!("order {number}"));
        let (queue, properties) = ("orders".into(), BasicProperties::default());
        let sent = channel.basic_publish("".into(), queue, options, body.as_bytes(), properties);
        confirms.push(sent.await?);
    }
    let mut count = 0;
    for confirm in confirms {
        count += usize::from(confirm.await?.is_ack());
    }
    println!("{count} of 1000 confirmed");
    connection.close(200, "done".into()).await
}
