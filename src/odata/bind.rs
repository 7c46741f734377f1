//! What was written → a condition over properties that exist, with types that fit.

use super::{
    Fault, Filter, Kind, Match, Operand, Operator, Order, Property, lexer,
    parser::{Key, Node, What, unknown_function},
};
use crate::{diagnostic::nearest, limits};

/// Binds a whole condition.
pub(super) fn filter(node: &Node, properties: &'static [Property]) -> Result<Filter, Fault> {
    Binder { properties, variables: Vec::new() }.condition(node)
}

/// Binds sort keys. Of a property that is named twice only the first counts, because the second can change nothing.
pub(super) fn orders(keys: &[Key], properties: &'static [Property]) -> Result<Vec<Order>, Fault> {
    let mut orders: Vec<Order> = Vec::with_capacity(keys.len());
    for key in keys {
        let property = find(properties, &key.path, key.at)?;
        if matches!(property.kind, Kind::Texts | Kind::Objects(_)) {
            return Err(Fault::new(key.at, format!("The list '{}' cannot be sorted by", property.path)));
        }
        if !orders.iter().any(|order| order.property == property) {
            orders.push(Order { property, descending: key.descending });
        }
    }
    Ok(orders)
}

/// A variable of `any` and what it stands for.
struct Variable<'n> {
    name: &'n str,
    list: &'static Property,
}

struct Binder<'n> {
    properties: &'static [Property],
    /// The outermost first.
    variables: Vec<Variable<'n>>,
}

/// An operand and what it holds; `None` is null.
type Bound = (Operand, Option<Kind>);

impl<'n> Binder<'n> {
    fn condition(&mut self, node: &'n Node) -> Result<Filter, Fault> {
        match &node.what {
            What::And(nodes) => self.conditions(nodes).map(Filter::And),
            What::Or(nodes) => self.conditions(nodes).map(Filter::Or),
            What::Not(inner) => self.condition(inner).map(|inner| Filter::Not(Box::new(inner))),
            What::Boolean(constant) => Ok(Filter::Constant(*constant)),
            What::Compare { left, operator, right } => self.compare(left, *operator, right, node.at),
            What::Any { list, lambda } => self.any(list, lambda.as_ref(), node.at),
            What::Call { function, arguments } => match match_function(function) {
                Some(function) => self.matches(function, arguments, node),
                None => {
                    self.operand(node)?;
                    Err(no_condition(node.at))
                }
            },
            _ => {
                self.operand(node)?;
                Err(no_condition(node.at))
            }
        }
    }

    fn conditions(&mut self, nodes: &'n [Node]) -> Result<Vec<Filter>, Fault> {
        nodes.iter().map(|node| self.condition(node)).collect()
    }

    fn compare(&mut self, left: &'n Node, operator: Operator, right: &'n Node, at: usize) -> Result<Filter, Fault> {
        for (constant, other) in [(left, right), (right, left)] {
            if let What::Boolean(constant) = constant.what
                && is_condition(other)
            {
                let condition = self.condition(other)?;
                return match operator {
                    Operator::Eq | Operator::Ne if constant == (operator == Operator::Eq) => Ok(condition),
                    Operator::Eq | Operator::Ne => Ok(Filter::Not(Box::new(condition))),
                    _ => Err(incompatible(at, "Edm.Boolean", operator, "Edm.Boolean")),
                };
            }
        }
        if is_condition(left) && is_condition(right) {
            return Err(incompatible(at, "Edm.Boolean", operator, "Edm.Boolean"));
        }
        for (condition, other) in [(left, right), (right, left)] {
            if is_condition(condition) {
                self.condition(condition)?;
                let (_, kind) = self.operand(other)?;
                return Err(incompatible(at, "Edm.Boolean", operator, type_name(kind)));
            }
        }
        let (mut left, mut operator, mut right) = (self.operand(left)?, operator, self.operand(right)?);
        if is_literal(&left.0) && !is_literal(&right.0) {
            (left, operator, right) = (right, operator.flipped(), left);
        }
        fit(&left, operator, &mut right, at)?;
        let (left, right) = (left.0, right.0);
        Ok(match literals(&left, operator, &right) {
            Some(constant) => Filter::Constant(constant),
            None => Filter::Compare { left, operator, right },
        })
    }

    fn matches(&mut self, function: Match, arguments: &'n [Node], node: &Node) -> Result<Filter, Fault> {
        let [text, part] = arguments else { return Err(no_signature(node)) };
        let (text, part) = (self.text(text, node)?, self.text(part, node)?);
        Ok(match (&text, &part) {
            (Operand::Null, _) | (_, Operand::Null) => Filter::Constant(false),
            (Operand::Text(text), Operand::Text(part)) => Filter::Constant(match function {
                Match::Contains => text.contains(part),
                Match::StartsWith => text.starts_with(part),
                Match::EndsWith => text.ends_with(part),
            }),
            _ => Filter::Match { function, text, part },
        })
    }

    fn any(&mut self, list: &[String], lambda: Option<&'n (String, Box<Node>)>, at: usize) -> Result<Filter, Fault> {
        let list = find(self.properties, list, at)?;
        if !matches!(list.kind, Kind::Texts | Kind::Objects(_)) {
            return Err(Fault::new(at, format!("Any may only follow a list, and '{}' is none", list.path)));
        }
        let Some((name, condition)) = lambda else { return Ok(Filter::Any { list, filter: None }) };
        if self.variables.iter().any(|variable| variable.name.eq_ignore_ascii_case(name)) {
            return Err(Fault::new(at, format!("The range variable '{name}' has already been declared")));
        }
        if self.variables.len() == limits::FILTER_ANYS {
            let message = format!("More than {} 'any' inside each other", limits::FILTER_ANYS);
            return Err(Fault::new(at, message));
        }
        self.variables.push(Variable { name, list });
        let filter = self.condition(condition)?;
        self.variables.pop();
        Ok(Filter::Any { list, filter: Some(Box::new(filter)) })
    }

    fn operand(&mut self, node: &'n Node) -> Result<Bound, Fault> {
        Ok(match &node.what {
            What::Path(path) => self.path(path, node.at)?,
            What::Call { function, arguments } => self.call(function, arguments, node)?,
            What::Text(text) => (Operand::Text(text.clone()), Some(Kind::Text)),
            What::Guid(guid) => (Operand::Text(guid.clone()), Some(Kind::Name)),
            What::Integer(integer) => (Operand::Integer(*integer), Some(Kind::Integer)),
            What::Instant(instant) => (Operand::Instant(*instant), Some(Kind::Instant)),
            What::Null => (Operand::Null, None),
            What::Boolean(_) | What::And(_) | What::Or(_) | What::Not(_) | What::Compare { .. } | What::Any { .. } => {
                return Err(Fault::syntax(node.at));
            }
        })
    }

    /// `tolower` and `toupper`.
    fn call(&mut self, function: &str, arguments: &'n [Node], node: &Node) -> Result<Bound, Fault> {
        let lower = function.eq_ignore_ascii_case("tolower");
        if !lower && !function.eq_ignore_ascii_case("toupper") {
            return Err(unknown_function(node.at, function));
        }
        let [text] = arguments else { return Err(no_signature(node)) };
        let text = match self.text(text, node)? {
            Operand::Null => return Ok((Operand::Null, None)),
            Operand::Text(text) if lower => Operand::Text(text.to_lowercase()),
            Operand::Text(text) => Operand::Text(text.to_uppercase()),
            text if lower => Operand::Lower(Box::new(text)),
            text => Operand::Upper(Box::new(text)),
        };
        Ok((text, Some(Kind::Text)))
    }

    /// An argument that must be a text.
    fn text(&mut self, argument: &'n Node, call: &Node) -> Result<Operand, Fault> {
        if is_condition(argument) {
            self.condition(argument)?;
            return Err(no_signature(call));
        }
        match self.operand(argument)? {
            (text, None | Some(Kind::Text | Kind::Name | Kind::Choice(_))) => Ok(text),
            _ => Err(no_signature(call)),
        }
    }

    fn path(&self, path: &[String], at: usize) -> Result<Bound, Fault> {
        let [first, rest @ ..] = path else { return Err(Fault::syntax(at)) };
        let found = self.variables.iter().enumerate().find(|(_, variable)| variable.name.eq_ignore_ascii_case(first));
        let Some((any, variable)) = found else {
            let property = find(self.properties, path, at)?;
            return match property.kind {
                Kind::Texts | Kind::Objects(_) => {
                    let message = format!("The list '{}' cannot be compared; ask for any() of it", property.path);
                    Err(Fault::new(at, message))
                }
                kind => Ok((Operand::Property(property), Some(kind))),
            };
        };
        match (variable.list.kind, rest) {
            (Kind::Texts, []) => Ok((Operand::Element { any, property: None }, Some(Kind::Text))),
            (Kind::Objects(_), []) => {
                Err(Fault::new(at, format!("'{first}' is an object, name one of its properties")))
            }
            (Kind::Objects(properties), rest) => {
                let property = find(properties, rest, at + first.len() + 1)?;
                Ok((Operand::Element { any, property: Some(property) }, Some(property.kind)))
            }
            (_, rest) => Err(unknown_property(at + first.len() + 1, &rest.join("/"), &[])),
        }
    }
}

fn find(properties: &'static [Property], path: &[String], at: usize) -> Result<&'static Property, Fault> {
    let path = path.join("/");
    properties
        .iter()
        .find(|property| property.path.eq_ignore_ascii_case(&path))
        .ok_or_else(|| unknown_property(at, &path, properties))
}

const PREFIX: &str = "properties/";

fn unknown_property(at: usize, path: &str, properties: &'static [Property]) -> Fault {
    // Most often only the `properties/` before it was forgotten, so it does not count.
    let bare = |path: &'static str| path.strip_prefix(PREFIX).unwrap_or(path);
    let near = nearest(path.strip_prefix(PREFIX).unwrap_or(path), properties.iter().map(|known| bare(known.path)));
    let meant = near.and_then(|near| properties.iter().find(|known| bare(known.path) == near));
    let hint = meant.map(|meant| format!(" (did you mean '{}'?)", meant.path)).unwrap_or_default();
    Fault::new(at, format!("Could not find a property named '{path}'{hint}"))
}

fn match_function(name: &str) -> Option<Match> {
    match name.to_ascii_lowercase().as_str() {
        "contains" => Some(Match::Contains),
        "startswith" => Some(Match::StartsWith),
        "endswith" => Some(Match::EndsWith),
        _ => None,
    }
}

/// Whether this is true or false rather than a value.
fn is_condition(node: &Node) -> bool {
    match &node.what {
        What::And(_) | What::Or(_) | What::Not(_) | What::Compare { .. } | What::Any { .. } | What::Boolean(_) => true,
        What::Call { function, .. } => match_function(function).is_some(),
        _ => false,
    }
}

fn is_literal(operand: &Operand) -> bool {
    matches!(operand, Operand::Text(_) | Operand::Integer(_) | Operand::Instant(_) | Operand::Null)
}

/// Makes `right` fit `left`, or says that it cannot.
fn fit(left: &Bound, operator: Operator, right: &mut Bound, at: usize) -> Result<(), Fault> {
    let equality = matches!(operator, Operator::Eq | Operator::Ne);
    let (Some(left_kind), Some(right_kind)) = (left.1, right.1) else { return Ok(()) };
    let refused = || incompatible(at, type_name(Some(left_kind)), operator, type_name(Some(right_kind)));
    match (left_kind, right_kind) {
        (Kind::Integer, Kind::Integer) | (Kind::Instant, Kind::Instant) => Ok(()),
        (Kind::Instant, Kind::Text) => match &right.0 {
            Operand::Text(text) => {
                right.0 = Operand::Instant(lexer::instant(text).ok_or_else(refused)?);
                Ok(())
            }
            _ => Err(refused()),
        },
        (Kind::Choice(values), Kind::Text | Kind::Name) if is_literal(&right.0) => {
            let Operand::Text(text) = &mut right.0 else { return Err(refused()) };
            let Some(value) = values.iter().find(|value| value.eq_ignore_ascii_case(text)) else {
                return Err(Fault::new(at, format!("'{text}' is not one of {}", values.join(", "))));
            };
            *text = (*value).to_owned();
            Ok(())
        }
        // Two lists of values have no order in common, and a text has none with either.
        (Kind::Choice(_), Kind::Text | Kind::Name | Kind::Choice(_)) | (Kind::Text | Kind::Name, Kind::Choice(_)) => {
            if equality {
                Ok(())
            } else {
                Err(refused())
            }
        }
        (Kind::Text | Kind::Name, Kind::Text | Kind::Name) => Ok(()),
        _ => Err(refused()),
    }
}

/// What a comparison of two literals comes to; `None` when one is no literal.
fn literals(left: &Operand, operator: Operator, right: &Operand) -> Option<bool> {
    match (left, right) {
        (Operand::Text(left), Operand::Text(right)) => Some(operator.holds(left.cmp(right))),
        (Operand::Integer(left), Operand::Integer(right)) => Some(operator.holds(left.cmp(right))),
        (Operand::Instant(left), Operand::Instant(right)) => Some(operator.holds(left.cmp(right))),
        (Operand::Null, Operand::Null) => Some(operator == Operator::Eq),
        (Operand::Null, other) | (other, Operand::Null) if is_literal(other) => Some(operator == Operator::Ne),
        _ => None,
    }
}

fn type_name(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Text | Kind::Name | Kind::Choice(_)) => "Edm.String",
        Some(Kind::Integer) => "Edm.Int64",
        Some(Kind::Instant) => "Edm.DateTimeOffset",
        Some(Kind::Texts | Kind::Objects(_)) => "Collection",
        None => "null",
    }
}

fn incompatible(at: usize, left: &str, operator: Operator, right: &str) -> Fault {
    let operator = operator.as_str();
    let message = "A binary operator with incompatible types was detected: found operand types";
    Fault::new(at, format!("{message} '{left}' and '{right}' for operator '{operator}'"))
}

fn no_signature(call: &Node) -> Fault {
    let name = if let What::Call { function, .. } = &call.what { function } else { "" };
    let message = format!("No function signature for the function with name '{name}' matches the specified arguments");
    Fault::new(call.at, message)
}

fn no_condition(at: usize) -> Fault {
    Fault::new(at, "The $filter expression must evaluate to a single boolean value")
}
