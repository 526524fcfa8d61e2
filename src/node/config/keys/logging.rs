//! Keys of logging.

use super::super::logs::{LEVELS, LogCategory, LogFormat, LogLevel, LogStream};
use super::super::values::Kind;
use super::{Key, Setting};

const LAYOUT: &str = "lines have one layout as text and one as JSON";
const COLORS: &str = "lines have no colors";

pub(super) static LOGGING: &[Key] = &[
    Key::obeyed(
        "log.console",
        "true",
        Kind::Boolean,
        "Write the log to the console.",
        |typed, setting| typed.log_console = setting.boolean(),
    ),
    Key::obeyed(
        "log.console.level",
        "info",
        Kind::Choice(LEVELS),
        "Least severity that is shown on the console. It holds back every category; without it \
         each category's own level decides.",
        |typed, setting| typed.log_console_level = level(setting),
    ),
    Key::obeyed(
        "log.console.formatter",
        "plaintext",
        Kind::Choice(&["plaintext", "json"]),
        "How lines look on the console.",
        |typed, setting| typed.log_console_format = format(setting),
    ),
    Key::obeyed(
        "log.console.stdio",
        "stderr",
        Kind::Choice(&["stdout", "stderr"]),
        "Which of the two outputs is the console.",
        |typed, setting| {
            let stream = setting.text().map(|name| match name.as_str() {
                "stdout" => LogStream::Output,
                _ => LogStream::Error,
            });
            typed.log_console_stream = stream;
        },
    ),
    Key::obeyed(
        "log.file",
        "false",
        Kind::Text,
        "A file to append the log to, or false. Relative to log.dir if that is set.",
        |typed, setting| typed.log_file = setting.text(),
    ),
    Key::obeyed(
        "log.dir",
        "",
        Kind::Text,
        "The folder for log files. Setting it alone logs to leveret.log in there.",
        |typed, setting| typed.log_folder = setting.text(),
    ),
    Key::obeyed(
        "log.file.level",
        "info",
        Kind::Choice(LEVELS),
        "Least severity that is written to the file, as for the console.",
        |typed, setting| typed.log_file_level = level(setting),
    ),
    Key::obeyed(
        "log.file.formatter",
        "plaintext",
        Kind::Choice(&["plaintext", "json"]),
        "How lines look in the file.",
        |typed, setting| typed.log_file_format = format(setting),
    ),
    Key::obeyed(
        "log.default.level",
        "info",
        Kind::Choice(LEVELS),
        "Least severity for what belongs to no category, and for categories without a level.",
        |typed, setting| typed.log_default_level = level(setting),
    ),
    Key::obeyed(
        "log.{connection,channel,queue}.level",
        "",
        Kind::Choice(LEVELS),
        "Least severity for a category.",
        |typed, setting| {
            let category = LogCategory::from_name(&setting.capture());
            if let (Some(category), Some(level)) = (category, level(setting)) {
                typed.log_categories.insert(category, level);
            }
        },
    ),
    Key::later(
        "log.{federation,shovel,ldap,prelaunch,discovery,feature_flags}.level",
        "",
        Kind::Choice(LEVELS),
        "Least severity for categories of parts that do not exist yet.",
    ),
    Key::inert(
        "log.{mirroring,upgrade,ra,osiris}.*",
        "there is no such part inside",
        "Categories of RabbitMQ's own parts.",
    ),
    Key::later("log.file.rotation.*", "", Kind::Text, "When the log file is rotated."),
    Key::later(
        "log.{connection,channel,queue,default,federation,shovel,ldap}.rotation.*",
        "",
        Kind::Text,
        "When a category's file is rotated.",
    ),
    Key::later(
        "log.{connection,channel,queue,federation,shovel,ldap}.file",
        "",
        Kind::Text,
        "A file for one category alone.",
    ),
    Key::inert("log.console.use_colors", COLORS, "Colors on the console."),
    Key::inert("log.console.color_esc_seqs.*", COLORS, "Which colors."),
    Key::inert("log.{console,file,exchange}.formatter.*", LAYOUT, "Details of the layout."),
    Key::later("log.syslog", "false", Kind::Boolean, "Log to syslog."),
    Key::later("log.syslog.*", "", Kind::Text, "Details of logging to syslog."),
    Key::obeyed(
        "log.exchange",
        "false",
        Kind::Boolean,
        "Log to the exchange amq.rabbitmq.log in the virtual host of default_vhost: each line is a \
         message, its level the routing key.",
        |typed, setting| typed.log_exchange = setting.boolean(),
    ),
    Key::obeyed(
        "log.exchange.level",
        "info",
        Kind::Choice(LEVELS),
        "Least severity that goes to the exchange, as for the console.",
        |typed, setting| typed.log_exchange_level = level(setting),
    ),
    Key::obeyed(
        "log.exchange.formatter",
        "plaintext",
        Kind::Choice(&["plaintext", "json"]),
        "How lines look that go to the exchange.",
        |typed, setting| typed.log_exchange_format = format(setting),
    ),
    Key::later("log.journald", "false", Kind::Boolean, "Log to journald."),
    Key::later("log.journald.*", "", Kind::Text, "Details of logging to journald."),
];

fn level(setting: &Setting) -> Option<LogLevel> {
    setting.text().and_then(|name| LogLevel::from_name(&name))
}

fn format(setting: &Setting) -> Option<LogFormat> {
    setting.text().map(|name| match name.as_str() {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    })
}
