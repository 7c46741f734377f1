//! A condition → SQL. No value is ever part of the SQL's text.

use rusqlite::types::Value;

use super::collection::{Collection, element_column};
use crate::odata::{Filter, Kind, Match, Operand, Operator, Property};

/// The values of a statement's numbered parameters.
#[derive(Debug, Default)]
pub(super) struct Parameters(pub Vec<Value>);

impl Parameters {
    /// Takes a value in and returns how the SQL names it.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("?{}", self.0.len())
    }
}

/// The SQL of a condition. It is true where the condition holds; where it does not, it is false or null.
pub(super) fn sql(collection: &Collection, filter: &Filter, parameters: &mut Parameters) -> String {
    Writer { collection, parameters, any: 0 }.condition(filter)
}

struct Writer<'a> {
    collection: &'a Collection,
    parameters: &'a mut Parameters,
    /// How many `any` surround what is written.
    any: usize,
}

impl Writer<'_> {
    fn condition(&mut self, filter: &Filter) -> String {
        match filter {
            Filter::And(parts) => self.joined(parts, "AND"),
            Filter::Or(parts) => self.joined(parts, "OR"),
            Filter::Not(inner) => format!("({} IS NOT TRUE)", self.condition(inner)),
            Filter::Constant(constant) => String::from(if *constant { "1" } else { "0" }),
            Filter::Compare { left, operator, right } => format!("({})", self.compare(left, *operator, right)),
            Filter::Match { function, text, part } => {
                let function = match function {
                    Match::Contains => "contains",
                    Match::StartsWith => "starts_with",
                    Match::EndsWith => "ends_with",
                };
                format!("{function}({}, {})", self.operand(text), self.operand(part))
            }
            Filter::Any { list, filter } => {
                let (list, alias) = ((self.collection.column)(list), alias(self.any));
                self.any += 1;
                let inner = filter.as_ref().map(|filter| format!(" WHERE {}", self.condition(filter)));
                self.any -= 1;
                format!("EXISTS (SELECT 1 FROM json_each({list}) AS {alias}{})", inner.unwrap_or_default())
            }
        }
    }

    /// Joins halves of halves: SQLite's own limit is on depth, and a chain of a thousand is no deeper than ten then.
    fn joined(&mut self, parts: &[Filter], operator: &str) -> String {
        match parts {
            [] => String::from("1"),
            [only] => self.condition(only),
            _ => {
                let (left, right) = parts.split_at(parts.len() / 2);
                let (left, right) = (self.joined(left, operator), self.joined(right, operator));
                format!("({left} {operator} {right})")
            }
        }
    }

    fn compare(&mut self, left: &Operand, operator: Operator, right: &Operand) -> String {
        if let (Some(Kind::Choice(values)), Operand::Text(value)) = (kind(left), right) {
            return self.choice(left, operator, values, value);
        }
        let left_sql = self.operand(left);
        match right {
            Operand::Null => match operator {
                Operator::Eq => format!("{left_sql} IS NULL"),
                Operator::Ne => format!("{left_sql} IS NOT NULL"),
                _ => String::from("0"),
            },
            Operand::Instant(at) => {
                // Kept are whole microseconds: between two of them an instant is more than one and less than the other.
                let (micros, whole) = (at.timestamp_micros(), at.timestamp_subsec_nanos() % 1_000 == 0);
                let micros = match operator {
                    Operator::Eq if !whole => return String::from("0"),
                    Operator::Ne if !whole => return String::from("1"),
                    Operator::Ge | Operator::Lt if !whole => micros + 1,
                    _ => micros,
                };
                format!("{left_sql} {} {}", symbol(operator, true), self.parameters.bind(micros))
            }
            _ => {
                let named = [left, right].into_iter().any(|side| kind(side) == Some(Kind::Name));
                let collation = if named { " COLLATE NOCASE" } else { "" };
                let literal = matches!(right, Operand::Text(_) | Operand::Integer(_));
                format!("{left_sql}{collation} {} {}", symbol(operator, literal), self.operand(right))
            }
        }
    }

    /// A value of a closed list is compared by its place in the list.
    fn choice(&mut self, left: &Operand, operator: Operator, values: &[&str], value: &str) -> String {
        let column = self.operand(left);
        if matches!(operator, Operator::Eq | Operator::Ne) {
            return format!("{column} {} {}", symbol(operator, true), self.parameters.bind(value.to_owned()));
        }
        let place = |value| values.iter().position(|known| *known == value);
        let fitting = values.iter().filter(|known| operator.holds(place(**known).cmp(&place(value))));
        let fitting: Vec<_> = fitting.map(|known| self.parameters.bind((*known).to_owned())).collect();
        format!("{column} IN ({})", fitting.join(", "))
    }

    fn operand(&mut self, operand: &Operand) -> String {
        match operand {
            Operand::Property(property) => (self.collection.column)(property),
            Operand::Element { any, property } => element_column(&alias(*any), *property),
            Operand::Text(text) => self.parameters.bind(text.clone()),
            Operand::Integer(integer) => self.parameters.bind(*integer),
            Operand::Instant(at) => self.parameters.bind(at.timestamp_micros()),
            Operand::Null => String::from("NULL"),
            Operand::Lower(inner) => format!("lower_unicode({})", self.operand(inner)),
            Operand::Upper(inner) => format!("upper_unicode({})", self.operand(inner)),
        }
    }
}

fn alias(any: usize) -> String {
    format!("element_{any}")
}

/// What an operand holds, as far as the way it is compared depends on it.
fn kind(operand: &Operand) -> Option<Kind> {
    let property: Option<&Property> = match operand {
        Operand::Property(property) => Some(property),
        Operand::Element { property, .. } => *property,
        _ => None,
    };
    property.map(|property| property.kind)
}

/// `eq` and `ne` say something of nulls too. With a literal, which is none, `=` says the same and can use an index.
fn symbol(operator: Operator, literal: bool) -> &'static str {
    match operator {
        Operator::Eq if literal => "=",
        Operator::Eq => "IS",
        Operator::Ne => "IS NOT",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Lt => "<",
        Operator::Le => "<=",
    }
}
