//! The key of a webhook: made from the call alone, before there is a run.

use std::collections::BTreeSet;

use super::{Checker, admission::is_delivered, references::Reader};
use crate::{
    diagnostic::codes,
    expression::{Template, Tree},
    yaml::Given,
};

impl<'a> Checker<'a> {
    /// Compiles the key's template; it may name `trigger` and `request` only.
    pub(super) fn key(&mut self, given: Given<'a>) -> Option<Template> {
        let text = given.words(self.faults)?;
        let compiled = Template::compile(text, &self.templates.partials).ok();
        let used = compiled.iter().flat_map(Template::uses).find(|used| !is_delivered(&used.what));
        if let Some(range) = used.map(|used| used.range.clone()) {
            let span = self.place(given.node, range);
            let message = "a key is made before there is a run, from `trigger` and `request` alone";
            self.faults.add(codes::FIXED_KEY, span, message);
            return None;
        }
        let before = self.faults.count();
        let nothing = BTreeSet::new();
        match self.text(given.node, text, &Reader { id: "key", ended: &nothing, within: &[], item: false }) {
            Tree::Template(template) => Some(template),
            _ if self.faults.count() > before => None,
            _ => {
                let help = "write what differs from call to call, such as \"{{request.headers.x-github-delivery}}\"";
                let message = "every call would have the same key, and only the first would start a run";
                self.faults.add_with(codes::FIXED_KEY, given.span(), message, Some(help.to_owned()));
                None
            }
        }
    }
}
