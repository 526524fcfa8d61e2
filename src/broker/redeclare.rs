//! What becomes of a declaration of something that is there, where it says something else: it is
//! refused, or what is there stays as it is. What it says otherwise is found in
//! `message/equivalence.rs`.

use tracing::debug;

use super::session::{Place, Session};
use crate::message::equivalence::Difference;
use crate::message::{DeclareEquivalence, Resource};
use crate::protocol::reply::ChannelError;

impl Session {
    /// Refuses the first difference that is not let through in this virtual host.
    pub(super) fn judge<'a>(
        &self,
        place: &Place,
        resource: Resource<'_>,
        differences: impl Iterator<Item = Difference<'a>>,
    ) -> Result<(), ChannelError> {
        let of_host = place.host.declare_equivalence();
        let equivalence = of_host.unwrap_or(self.broker.options.declare_equivalence);
        let mut passed = Vec::new();
        for Difference { name, refusal, is_passable } in differences {
            if !is_passable || equivalence == DeclareEquivalence::Strict {
                return Err(refusal);
            }
            passed.push(name);
        }
        if !passed.is_empty() {
            let differences = passed.join(", ");
            debug!(
                target: "channel",
                differences, "{resource} was declared again, and stays as it is"
            );
        }
        Ok(())
    }
}
