//! Bindings that an import knows to be there. A file does not tell how wide the numbers in
//! arguments were, so one with arguments is looked for by how a file has it; each destination is
//! gone through once, and not once for each of its bindings in the file.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use crate::definitions::{Binding, BindingEnd, VirtualHostDefinitions, export};
use crate::message::Name;

/// By destination: the bindings that lead to it, as a file has them.
#[derive(Debug, Default)]
pub(super) struct KnownBindings(HashMap<(Name, BindingEnd), HashSet<String>>);

impl KnownBindings {
    /// Whether a binding is there that a file could have been made of.
    pub(super) fn has(
        &mut self,
        host: &Name,
        definitions: &VirtualHostDefinitions,
        binding: &Binding,
    ) -> bool {
        if definitions.binding(binding).is_some() || binding.arguments.is_empty() {
            return definitions.binding(binding).is_some();
        }
        let place = (host.clone(), binding.destination.clone());
        let known = self.0.entry(place).or_insert_with(|| {
            let there = definitions.bindings_to(&binding.destination);
            there.filter(|each| !each.arguments.is_empty()).map(|each| text(each)).collect()
        });
        known.contains(&text(binding))
    }

    /// It is there from now on.
    pub(super) fn add(&mut self, host: &Name, binding: &Binding) {
        let place = (host.clone(), binding.destination.clone());
        if let Some(known) = self.0.get_mut(&place) {
            known.insert(text(binding));
        }
    }
}

/// Names in an object are sorted, so equal ones have one text.
fn text(binding: &Binding) -> String {
    let arguments = export::arguments(&binding.arguments);
    json!([*binding.source, *binding.routing_key, arguments]).to_string()
}
