//! Floor 3: who a client is and what it may do: mechanisms, users, permissions. It decides from
//! values; it keeps no session and asks no network.

mod certificate;
mod failures;
mod mechanism;
mod password;
mod password_rule;
mod permission;
mod topic_permission;
mod users;

pub use certificate::{AlternativeName, CertificateEnd, CertificateLogin, PeerCertificate};
pub use failures::LoginFailures;
pub use mechanism::{Claim, Login, MechanismError, read_response};
pub use password_rule::PasswordRule;
pub use permission::{Access, Permissions};
pub use topic_permission::{TopicPatterns, TopicPermissions};
pub use users::{Checked, LoginRefused, User, Users};
