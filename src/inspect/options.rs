//! What may be typed after `leveret inspect`. What it means is decided elsewhere.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

const AFTER_HELP: &str = "\
Nothing in the folder is changed: it is read as a start would read it, and what a start would
write stays in memory. The folder of a running broker may be looked at too; what the broker is
just writing may be missing then.

Exit status: 0 where all was shown, 1 where the folder or a message could not be read, 2 for a
wrong command line.

Examples:
  leveret inspect /var/lib/leveret
      Queues, counts, files, damage.
  leveret inspect ./data --verify
      Read every message, and tell which are damaged.
  leveret inspect ./data --queue orders --vhost /shop --count 5
      The first five messages of a queue.
  leveret inspect ./data --export all.jsonl
      Every message of every queue, one line of JSON each.
  leveret inspect ./data --queue orders --export - | jq -r .routing_key
      The messages of one queue for another program.";

/// Where to look, and at what.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(
    after_help = AFTER_HELP,
    group = ArgGroup::new("messages").args(["queue", "number", "export"]).multiple(true),
)]
pub struct Options {
    /// The data directory of a broker, running or not
    #[arg(value_name = "DATA_DIR")]
    pub data_dir: PathBuf,
    /// Print the messages of this queue, the first one first
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// The virtual host of the queue [default: /]
    #[arg(long, value_name = "NAME", requires = "queue")]
    pub vhost: Option<String>,
    /// Print the messages of the queue of this number, for one that is no longer declared
    #[arg(long, value_name = "NUMBER", conflicts_with = "queue")]
    pub number: Option<u64>,
    /// At most so many messages of each queue [default: 20, or all with --export]
    #[arg(long, short = 'n', value_name = "N", requires = "messages")]
    pub count: Option<u64>,
    /// Write messages to a new file, one line of JSON each, the payload in Base64; `-` is the
    /// standard output. Of every queue, unless one is named
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Read every message, and count those that are damaged
    #[arg(long, conflicts_with = "messages")]
    pub verify: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Option<Options> {
        Line::try_parse_from(line.split(' ')).ok().map(|line| line.options)
    }

    #[test]
    fn what_belongs_together_is_taken_and_what_does_not_is_refused() {
        let options = parse("inspect d --queue q --vhost v --count 3 --export f --json").unwrap();
        let expected = Options {
            data_dir: "d".into(),
            queue: Some("q".into()),
            vhost: Some("v".into()),
            count: Some(3),
            export: Some("f".into()),
            json: true,
            ..Options::default()
        };
        assert_eq!(options, expected);
        assert_eq!(parse("inspect d --number 7 -n 1").unwrap().number, Some(7));
        let wrong = [
            "inspect",
            "inspect d --vhost v",
            "inspect d --count 1",
            "inspect d --queue q --number 7",
            "inspect d --verify --queue q",
        ];
        for line in wrong {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
