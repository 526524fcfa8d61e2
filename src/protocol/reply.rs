//! Reply codes, and the two scopes an error can have. What is thrown where, the other floors
//! decide.

/// The codes of close and return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ReplyCode {
    /// All went well.
    Success = 200,
    /// The content is too large.
    ContentTooLarge = 311,
    /// No queue takes the message.
    NoRoute = 312,
    /// No consumer takes the message.
    NoConsumers = 313,
    /// An operator closed the connection.
    ConnectionForced = 320,
    /// The virtual host is unknown.
    InvalidPath = 402,
    /// Permissions do not allow it.
    AccessRefused = 403,
    /// There is no such thing.
    NotFound = 404,
    /// It belongs to another connection.
    ResourceLocked = 405,
    /// A condition does not hold.
    PreconditionFailed = 406,
    /// The frame is malformed.
    FrameError = 501,
    /// A field has an illegal value.
    SyntaxError = 502,
    /// The method is not for this moment.
    CommandInvalid = 503,
    /// The channel is not open, or is open already.
    ChannelError = 504,
    /// The frame is not for this moment.
    UnexpectedFrame = 505,
    /// The server has not enough of something.
    ResourceError = 506,
    /// It is forbidden, whoever asks.
    NotAllowed = 530,
    /// The server cannot do it.
    NotImplemented = 540,
    /// The server failed.
    InternalError = 541,
}

impl ReplyCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The name as it stands in reply texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::ContentTooLarge => "CONTENT_TOO_LARGE",
            Self::NoRoute => "NO_ROUTE",
            Self::NoConsumers => "NO_CONSUMERS",
            Self::ConnectionForced => "CONNECTION_FORCED",
            Self::InvalidPath => "INVALID_PATH",
            Self::AccessRefused => "ACCESS_REFUSED",
            Self::NotFound => "NOT_FOUND",
            Self::ResourceLocked => "RESOURCE_LOCKED",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::FrameError => "FRAME_ERROR",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::CommandInvalid => "COMMAND_INVALID",
            Self::ChannelError => "CHANNEL_ERROR",
            Self::UnexpectedFrame => "UNEXPECTED_FRAME",
            Self::ResourceError => "RESOURCE_ERROR",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// It closes the connection, not only the channel.
    #[must_use]
    pub const fn is_hard(self) -> bool {
        matches!(self.number(), 320 | 402 | 500..)
    }
}

/// Declares an error type of one scope with a constructor per code.
macro_rules! scoped_error {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$method_doc:meta])* $method:ident => $code:ident,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The code.
            pub code: ReplyCode,
            /// `NAME - explanation`, at most 255 bytes.
            pub text: String,
            /// The class of the method that failed, 0 where it was none.
            pub class_id: u16,
            /// The method that failed, 0 where it was none.
            pub method_id: u16,
        }

        impl $name {
            $($(#[$method_doc])*
            #[must_use]
            pub fn $method(explanation: impl AsRef<str>) -> Self {
                let code = ReplyCode::$code;
                let text = reply_text(code, explanation.as_ref());
                Self { code, text, class_id: 0, method_id: 0 }
            })*

            /// The same error, of this method.
            #[must_use]
            pub fn at(self, class_id: u16, method_id: u16) -> Self {
                if self.class_id != 0 {
                    return self;
                }
                Self { class_id, method_id, ..self }
            }
        }
    };
}

scoped_error! {
    /// An error that closes its channel.
    ChannelError {
        /// 311
        content_too_large => ContentTooLarge,
        /// 403
        access_refused => AccessRefused,
        /// 404
        not_found => NotFound,
        /// 405
        resource_locked => ResourceLocked,
        /// 406
        precondition_failed => PreconditionFailed,
    }
}

scoped_error! {
    /// An error that closes its connection.
    ConnectionError {
        /// 320
        connection_forced => ConnectionForced,
        /// 402
        invalid_path => InvalidPath,
        /// 403, where a login is refused
        access_refused => AccessRefused,
        /// 501
        frame_error => FrameError,
        /// 502
        syntax_error => SyntaxError,
        /// 503
        command_invalid => CommandInvalid,
        /// 504
        channel_error => ChannelError,
        /// 505
        unexpected_frame => UnexpectedFrame,
        /// 506
        resource_error => ResourceError,
        /// 530
        not_allowed => NotAllowed,
        /// 540
        not_implemented => NotImplemented,
        /// 541
        internal_error => InternalError,
    }
}

/// An error in its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AmqpError {
    /// Closes the channel.
    Channel(ChannelError),
    /// Closes the connection.
    Connection(ConnectionError),
}

impl AmqpError {
    /// The same error, of this method.
    #[must_use]
    pub fn at(self, class_id: u16, method_id: u16) -> Self {
        match self {
            Self::Channel(error) => Self::Channel(error.at(class_id, method_id)),
            Self::Connection(error) => Self::Connection(error.at(class_id, method_id)),
        }
    }

    /// On channel 0 every error closes the connection.
    #[must_use]
    pub fn into_hard(self) -> ConnectionError {
        match self {
            Self::Channel(ChannelError { code, text, class_id, method_id }) => {
                ConnectionError { code, text, class_id, method_id }
            }
            Self::Connection(error) => error,
        }
    }

    /// The text, whatever the scope.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Channel(error) => &error.text,
            Self::Connection(error) => &error.text,
        }
    }
}

impl From<ChannelError> for AmqpError {
    fn from(error: ChannelError) -> Self {
        Self::Channel(error)
    }
}

impl From<ConnectionError> for AmqpError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

/// `NAME - explanation`, cut to what a short string holds.
fn reply_text(code: ReplyCode, explanation: &str) -> String {
    let mut text = format!("{} - {explanation}", code.name());
    text.truncate(text.floor_char_boundary(255));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_begin_with_the_name_and_end_at_255_bytes() {
        let error = ChannelError::not_found("no queue 'q' in vhost '/'");
        assert_eq!(error.text, "NOT_FOUND - no queue 'q' in vhost '/'");
        let long = ChannelError::not_found("é".repeat(300));
        assert!(long.text.len() <= 255 && long.text.ends_with('é'));
    }

    #[test]
    fn the_first_method_named_stays() {
        let error = ConnectionError::not_allowed("x").at(10, 40).at(20, 10);
        assert_eq!((error.class_id, error.method_id), (10, 40));
    }

    #[test]
    fn hard_codes_close_connections() {
        assert!(ReplyCode::ConnectionForced.is_hard() && ReplyCode::FrameError.is_hard());
        assert!(!ReplyCode::NotFound.is_hard() && !ReplyCode::NoRoute.is_hard());
    }
}
