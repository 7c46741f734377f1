//! An XML document as .NET's XmlDocument keeps it: CDATA, comments and `<a/>` against `<a></a>` stay distinct.

use std::rc::Rc;

/// A node's place in [`Document::nodes`]; nodes stand in document order.
pub(super) type Id = usize;

/// The document itself.
pub(super) const DOCUMENT: Id = 0;

#[derive(Debug)]
pub(super) struct Document {
    nodes: Vec<Node>,
    has_root: bool,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) parent: Option<Id>,
    pub(super) children: Vec<Id>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Document,
    Declaration { version: String, encoding: Option<String>, standalone: Option<String> },
    Doctype { name: String, public: Option<String>, system: Option<String>, subset: Option<String> },
    Element(Element),
    Text(String),
    CData(String),
    Comment(String),
    Instruction { target: String, data: String },
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: Name,
    /// Declarations of namespaces among them.
    pub(super) attributes: Vec<Attribute>,
    /// Written `<a />` when it has no children.
    pub(super) empty: bool,
}

#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: Name,
    pub(super) value: String,
}

/// A qualified name and the namespace its prefix stands for; no namespace is the empty text.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) prefix: String,
    pub(super) local: String,
    pub(super) namespace: Rc<str>,
}

impl Name {
    pub(super) fn qualified(&self) -> String {
        if self.prefix.is_empty() { self.local.clone() } else { format!("{}:{}", self.prefix, self.local) }
    }

    /// The prefix that this attribute declares, empty for the default namespace.
    pub(super) fn declares(&self) -> Option<&str> {
        match (self.prefix.as_str(), self.local.as_str()) {
            ("", "xmlns") => Some(""),
            ("xmlns", prefix) => Some(prefix),
            _ => None,
        }
    }
}

impl Document {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node { parent: None, children: Vec::new(), kind: Kind::Document }], has_root: false }
    }

    /// Adds a node as the last child of `parent`.
    pub(super) fn append(&mut self, parent: Id, kind: Kind) -> Id {
        let id = self.nodes.len();
        self.has_root |= parent == DOCUMENT && matches!(kind, Kind::Element(_));
        self.nodes.push(Node { parent: Some(parent), children: Vec::new(), kind });
        self.nodes[parent].children.push(id);
        id
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn element(&self, id: Id) -> Option<&Element> {
        match &self.nodes[id].kind {
            Kind::Element(element) => Some(element),
            _ => None,
        }
    }

    /// Whether there is a root element.
    pub(super) fn has_root(&self) -> bool {
        self.has_root
    }

    /// The node as XML, with the namespaces it needs declared in it. Writing stops once that is longer than `most` bytes:
    /// a declaration that many elements need is written into each.
    pub(super) fn outer_xml(&self, id: Id, most: usize) -> String {
        let mut out = String::new();
        self.write(id, &mut out, &mut Vec::new(), most);
        out
    }

    /// `scope` holds the declarations of the elements around, the nearest last.
    fn write<'d>(&'d self, id: Id, out: &mut String, scope: &mut Vec<(&'d str, &'d str)>, most: usize) {
        if out.len() > most {
            return;
        }
        let node = &self.nodes[id];
        match &node.kind {
            Kind::Document => node.children.iter().for_each(|child| self.write(*child, out, scope, most)),
            Kind::Declaration { version, encoding, standalone } => {
                out.push_str(&format!("<?xml version=\"{version}\""));
                for (name, value) in [("encoding", encoding), ("standalone", standalone)] {
                    if let Some(value) = value {
                        out.push_str(&format!(" {name}=\"{value}\""));
                    }
                }
                out.push_str("?>");
            }
            Kind::Doctype { name, public, system, subset } => {
                out.push_str(&format!("<!DOCTYPE {name}"));
                match (public, system) {
                    (Some(public), Some(system)) => out.push_str(&format!(" PUBLIC \"{public}\" \"{system}\"")),
                    (Some(public), None) => out.push_str(&format!(" PUBLIC \"{public}\"")),
                    (None, Some(system)) => out.push_str(&format!(" SYSTEM \"{system}\"")),
                    (None, None) => {}
                }
                if let Some(subset) = subset {
                    out.push_str(&format!("[{subset}]"));
                }
                out.push('>');
            }
            Kind::Text(text) => escape(text, false, out),
            Kind::CData(text) => out.push_str(&format!("<![CDATA[{text}]]>")),
            Kind::Comment(text) => out.push_str(&format!("<!--{text}-->")),
            Kind::Instruction { target, data } if data.is_empty() => out.push_str(&format!("<?{target}?>")),
            Kind::Instruction { target, data } => out.push_str(&format!("<?{target} {data}?>")),
            Kind::Element(element) => self.write_element(element, &node.children, out, scope, most),
        }
    }

    fn write_element<'d>(
        &'d self,
        element: &'d Element,
        children: &[Id],
        out: &mut String,
        scope: &mut Vec<(&'d str, &'d str)>,
        most: usize,
    ) {
        let outside = scope.len();
        let name = element.name.qualified();
        out.push('<');
        out.push_str(&name);
        for attribute in &element.attributes {
            if let Some(prefix) = attribute.name.declares() {
                scope.push((prefix, &attribute.value));
            }
            write_attribute(&attribute.name.qualified(), &attribute.value, out);
        }
        // A part of a document may need what was declared around it.
        let names = element.attributes.iter().map(|attribute| &attribute.name).filter(|name| !name.prefix.is_empty());
        for name in std::iter::once(&element.name).chain(names) {
            let (prefix, namespace) = (name.prefix.as_str(), name.namespace.as_ref());
            let known = scope.iter().rev().find(|(known, _)| *known == prefix).map_or("", |(_, namespace)| namespace);
            if known != namespace && !matches!(prefix, "xml" | "xmlns") {
                scope.push((prefix, namespace));
                let attribute = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
                write_attribute(&attribute, namespace, out);
            }
        }
        if children.is_empty() && element.empty {
            out.push_str(" />");
        } else {
            out.push('>');
            children.iter().for_each(|child| self.write(*child, out, scope, most));
            out.push_str(&format!("</{name}>"));
        }
        scope.truncate(outside);
    }
}

fn write_attribute(name: &str, value: &str, out: &mut String) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(value, true, out);
    out.push('"');
}

fn escape(text: &str, in_attribute: bool, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\t' if in_attribute => out.push_str("&#x9;"),
            '\n' if in_attribute => out.push_str("&#xA;"),
            // Else it would be read back as a line feed.
            '\r' => out.push_str("&#xD;"),
            _ => out.push(letter),
        }
    }
}
