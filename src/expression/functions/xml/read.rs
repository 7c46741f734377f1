//! XML 1.0 with namespaces, read with limits. No entity is expanded but the five that XML itself has, and nothing that
//! a document type points to is fetched.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event, attributes::Attributes},
};

use super::{
    document::{Attribute, DOCUMENT, Document, Element, Id, Kind, Name},
    escape,
};
use crate::limits;

/// Why a text is no XML that is taken; a clause without a capital letter or a full stop.
pub(super) type Fault = String;

pub(super) fn read(text: &str) -> Result<Document, Fault> {
    let text = text.trim_start_matches('\u{feff}');
    if text.len() > limits::XML_BYTES {
        return Err(format!("it is longer than {} bytes", limits::XML_BYTES));
    }
    if let Some(letter) = text.chars().find(|letter| !escape::is_char(*letter)) {
        return Err(format!("it has the character U+{:04X}, which XML forbids", u32::from(letter)));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut building = Building::new();
    loop {
        let at_start = reader.buffer_position() == 0;
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Eof => break,
            event => building.take(event, at_start)?,
        }
        building.within_limit(0)?;
    }
    building.finish()
}

struct Building {
    document: Document,
    has_doctype: bool,
    /// How many attributes the elements have in all.
    attributes: usize,
    /// The elements that are open, the document first.
    open: Vec<Id>,
    /// The prefixes that each open element declared.
    declared: Vec<Vec<String>>,
    /// How many prefixes that is in all.
    prefixes: usize,
    /// What each prefix stands for, the innermost last.
    namespaces: BTreeMap<String, Vec<Rc<str>>>,
    text: String,
    /// Whether the text has a reference in it: then it counts even when it is white space.
    referred: bool,
}

impl Building {
    fn new() -> Self {
        let namespaces = [("", ""), ("xml", "http://www.w3.org/XML/1998/namespace"), ("xmlns", super::XMLNS)];
        Self {
            document: Document::new(),
            has_doctype: false,
            attributes: 0,
            open: vec![DOCUMENT],
            declared: Vec::new(),
            prefixes: 0,
            namespaces: namespaces.map(|(prefix, uri)| (prefix.to_owned(), vec![Rc::from(uri)])).into(),
            text: String::new(),
            referred: false,
        }
    }

    fn here(&self) -> Id {
        self.open.last().copied().unwrap_or(DOCUMENT)
    }

    /// Refuses more nodes than may be, with `more` that are not counted yet.
    fn within_limit(&self, more: usize) -> Result<(), Fault> {
        if self.document.len() + self.attributes + more > limits::XML_NODES {
            return Err(format!("it has more than {} nodes", limits::XML_NODES));
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, at_start: bool) -> Result<(), Fault> {
        match event {
            Event::Text(text) => {
                if text.contains("]]>") {
                    return Err("it has ']]>' in a text".into());
                }
                self.text.push_str(&text.xml10_content());
                return Ok(());
            }
            Event::GeneralRef(reference) => {
                let letter = escape::entity(&reference).filter(|letter| escape::is_char(*letter));
                let letter = letter.ok_or_else(|| format!("it refers to the unknown entity '{}'", &*reference))?;
                self.text.push(letter);
                self.referred = true;
                return Ok(());
            }
            _ => self.flush()?,
        }
        let here = self.here();
        match event {
            Event::Start(tag) => {
                let id = self.start(&tag, false)?;
                self.open.push(id);
                if self.open.len() > limits::XML_NESTING {
                    return Err(format!("its elements are nested deeper than {} levels", limits::XML_NESTING));
                }
            }
            Event::Empty(tag) => {
                self.start(&tag, true)?;
                self.leave();
            }
            Event::End(_) => {
                self.open.pop();
                self.leave();
            }
            Event::CData(_) if here == DOCUMENT => return Err("it has text outside of its root element".into()),
            Event::CData(text) => drop(self.document.append(here, Kind::CData(text.xml10_content().into_owned()))),
            Event::Comment(text) => drop(self.document.append(here, Kind::Comment(text.xml10_content().into_owned()))),
            Event::PI(instruction) => {
                let (target, data) = (instruction.target().to_owned(), instruction.content().trim_start().to_owned());
                if !escape::is_local_name(&target) || target.eq_ignore_ascii_case("xml") {
                    return Err(format!("'{target}' cannot be a processing instruction"));
                }
                self.document.append(here, Kind::Instruction { target, data });
            }
            Event::Decl(declaration) if at_start => {
                let kind = self::declaration(&declaration)?;
                self.document.append(DOCUMENT, kind);
            }
            Event::Decl(_) => return Err("its declaration does not stand at the start".into()),
            Event::DocType(text) => {
                if here != DOCUMENT || self.document.has_root() {
                    return Err("its document type does not stand before the root element".into());
                }
                if std::mem::replace(&mut self.has_doctype, true) {
                    return Err("it has several document types".into());
                }
                let kind = doctype(&text.xml10_content())?;
                self.document.append(DOCUMENT, kind);
            }
            Event::Text(_) | Event::GeneralRef(_) | Event::Eof => {}
        }
        Ok(())
    }

    /// Ends the text that was gathered. White space alone is layout and is dropped.
    fn flush(&mut self) -> Result<(), Fault> {
        let text = std::mem::take(&mut self.text);
        let referred = std::mem::take(&mut self.referred);
        if !referred && text.chars().all(|letter| letter.is_ascii_whitespace()) {
            return Ok(());
        }
        match self.here() {
            DOCUMENT => Err("it has text outside of its root element".into()),
            here => {
                self.document.append(here, Kind::Text(text));
                Ok(())
            }
        }
    }

    fn start(&mut self, tag: &BytesStart<'_>, empty: bool) -> Result<Id, Fault> {
        let parent = self.here();
        if parent == DOCUMENT && self.document.has_root() {
            return Err("it has several root elements".into());
        }
        let mut seen = BTreeSet::new();
        let mut attributes = Vec::new();
        // The crate's own check compares every attribute with every other.
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let (prefix, local) = split(attribute.key.as_ref())?;
            if attribute.value.contains('<') {
                return Err(format!("the attribute '{local}' has a '<' in it"));
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| error.to_string())?;
            if !seen.insert((prefix.clone(), local.clone())) {
                return Err(format!("the attribute '{local}' is written twice"));
            }
            if let Some(letter) = value.chars().find(|letter| !escape::is_char(*letter)) {
                return Err(format!("it has the character U+{:04X}, which XML forbids", u32::from(letter)));
            }
            attributes.push(((prefix, local), value.into_owned()));
            self.within_limit(attributes.len())?;
        }
        self.attributes += attributes.len();
        let mut declared = Vec::new();
        for ((prefix, local), value) in &attributes {
            let name = match (prefix.as_str(), local.as_str()) {
                ("", "xmlns") => "",
                ("xmlns", local) => local,
                _ => continue,
            };
            self.namespaces.entry(name.to_owned()).or_default().push(Rc::from(value.as_str()));
            declared.push(name.to_owned());
        }
        self.prefixes += declared.len();
        if self.prefixes > limits::XML_PREFIXES {
            return Err(super::too_many_prefixes());
        }
        self.declared.push(declared);
        let name = self.resolve(split(tag.name().as_ref())?, true)?;
        let attributes = attributes
            .into_iter()
            .map(|(name, value)| Ok(Attribute { name: self.resolve(name, false)?, value }))
            .collect::<Result<_, Fault>>()?;
        Ok(self.document.append(parent, Kind::Element(Element { name, attributes, empty })))
    }

    /// Forgets what the element that ends declared.
    fn leave(&mut self) {
        let declared = self.declared.pop().unwrap_or_default();
        self.prefixes -= declared.len();
        for prefix in declared {
            if let Some(namespaces) = self.namespaces.get_mut(&prefix) {
                namespaces.pop();
            }
        }
    }

    /// The namespace of a name; the default one is for elements only.
    fn resolve(&self, (prefix, local): (String, String), element: bool) -> Result<Name, Fault> {
        let namespace = match self.namespaces.get(&prefix).and_then(|namespaces| namespaces.last()) {
            _ if prefix.is_empty() && local == "xmlns" => Rc::from(super::XMLNS),
            _ if prefix.is_empty() && !element => Rc::from(""),
            Some(namespace) => Rc::clone(namespace),
            None => return Err(format!("the prefix '{prefix}' is not declared")),
        };
        Ok(Name { prefix, local, namespace })
    }

    fn finish(mut self) -> Result<Document, Fault> {
        self.flush()?;
        if self.open.len() > 1 {
            return Err("it ends before its root element does".into());
        }
        if !self.document.has_root() {
            return Err("it has no root element".into());
        }
        Ok(self.document)
    }
}

/// A qualified name as prefix and local name.
fn split(name: &str) -> Result<(String, String), Fault> {
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let valid = |part: &str| escape::is_local_name(part);
    if !valid(local) || (!prefix.is_empty() && !valid(prefix)) || name.starts_with(':') {
        return Err(format!("'{name}' is no name"));
    }
    Ok((prefix.to_owned(), local.to_owned()))
}

/// `<?xml version encoding standalone?>`, in that order.
fn declaration(content: &str) -> Result<Kind, Fault> {
    let fault = || "its declaration is not <?xml version=\"1.0\" encoding=\"…\" standalone=\"yes|no\"?>".to_owned();
    let mut found: Vec<(String, String)> = Vec::new();
    for attribute in Attributes::new(content, "xml".len()) {
        let attribute = attribute.map_err(|_| fault())?;
        found.push((attribute.key.as_ref().to_owned(), attribute.value.into_owned()));
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    if !matches!(
        names[..],
        ["version"] | ["version", "encoding"] | ["version", "standalone"] | ["version", "encoding", "standalone"]
    ) {
        return Err(fault());
    }
    let mut value =
        |wanted: &str| found.iter_mut().find(|(name, _)| name == wanted).map(|(_, value)| std::mem::take(value));
    let (version, encoding, standalone) = (value("version"), value("encoding"), value("standalone"));
    let is_label = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let valid = version.as_deref() == Some("1.0")
        && encoding
            .as_deref()
            .is_none_or(|label| label.starts_with(|c: char| c.is_ascii_alphabetic()) && is_label(label))
        && standalone.as_deref().is_none_or(|word| matches!(word, "yes" | "no"));
    match version {
        Some(version) if valid => Ok(Kind::Declaration { version, encoding, standalone }),
        _ => Err(fault()),
    }
}

/// `name PUBLIC "public" "system" [subset]`; the subset is kept as it is and never followed.
fn doctype(content: &str) -> Result<Kind, Fault> {
    let fault = || "its document type cannot be read".to_owned();
    let content = content.trim();
    let (head, subset) = match content.split_once('[') {
        Some((head, rest)) => (head.trim_end(), Some(rest.trim_end().strip_suffix(']').ok_or_else(fault)?)),
        None => (content, None),
    };
    let end = head.find(|c: char| c.is_ascii_whitespace()).unwrap_or(head.len());
    let (name, rest) = head.split_at(end);
    split(name)?;
    let rest = rest.trim_start();
    let (public, system) = if let Some(rest) = rest.strip_prefix("PUBLIC") {
        let (public, rest) = quoted(rest).ok_or_else(fault)?;
        let (system, rest) = quoted(rest).ok_or_else(fault)?;
        if !rest.is_empty() {
            return Err(fault());
        }
        (Some(public), Some(system))
    } else if let Some(rest) = rest.strip_prefix("SYSTEM") {
        match quoted(rest) {
            Some((system, "")) => (None, Some(system)),
            _ => return Err(fault()),
        }
    } else if rest.is_empty() {
        (None, None)
    } else {
        return Err(fault());
    };
    let subset = subset.filter(|subset| !subset.is_empty()).map(str::to_owned);
    Ok(Kind::Doctype { name: name.to_owned(), public, system, subset })
}

/// The literal in quotes that `text` begins with, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (inside, rest) = text[1..].split_once(quote)?;
    // Written back in double quotes, it must not have any itself.
    (!inside.contains('"')).then(|| (inside.to_owned(), rest.trim_start()))
}
