//! A playbook as a picture: Mermaid, or SVG with a layout of our own.
//!
//! The actions of a list stand in layers, each below all it waits for; what holds actions is a box around them.

use std::{collections::BTreeMap, fmt::Write};

use super::outline::{Outline, Step};

/// The picture in Mermaid's flowchart language. Its names are numbers: ids may be words of Mermaid's own or hold signs that
/// it does not take.
#[must_use]
pub fn mermaid(outline: &Outline) -> String {
    let mut out = String::from("flowchart TD\n");
    let _ = writeln!(out, "  trigger([\"{}\"])", quoted(&format!("{}: {}", outline.name, outline.trigger)));
    let mut names = Names::default();
    names.nodes(&outline.steps, 1, &mut out);
    for step in outline.steps.iter().filter(|step| step.after.is_empty()) {
        let _ = writeln!(out, "  trigger --> {}", names.of(&step.id));
    }
    names.arrows(&outline.steps, &mut out);
    out
}

/// Text between quotes.
fn quoted(text: &str) -> String {
    text.replace('&', "#amp;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}

/// The names of what is drawn.
#[derive(Default)]
struct Names {
    /// By the ids in lower case.
    nodes: BTreeMap<String, usize>,
    lists: usize,
}

impl Names {
    /// An action's name, the same each time.
    fn of(&mut self, id: &str) -> String {
        let next = self.nodes.len();
        format!("a{}", self.nodes.entry(id.to_lowercase()).or_insert(next))
    }

    fn nodes(&mut self, steps: &[Step], level: usize, out: &mut String) {
        let indent = "  ".repeat(level);
        for step in steps {
            let title = quoted(&format!("{}: {}", step.id, step.kind));
            let name = self.of(&step.id);
            if step.branches.is_empty() {
                let _ = writeln!(out, "{indent}{name}[\"{title}\"]");
                continue;
            }
            let _ = writeln!(out, "{indent}subgraph {name} [\"{title}\"]");
            for (branch, inner) in &step.branches {
                let _ = writeln!(out, "{indent}  subgraph l{} [\"{}\"]", self.lists, quoted(branch));
                self.lists += 1;
                self.nodes(inner, level + 2, out);
                let _ = writeln!(out, "{indent}  end");
            }
            let _ = writeln!(out, "{indent}end");
        }
    }

    fn arrows(&mut self, steps: &[Step], out: &mut String) {
        for step in steps {
            for (before, statuses) in &step.after {
                let label = label(statuses).map(|label| format!("|{label}|")).unwrap_or_default();
                let _ = writeln!(out, "  {} -->{label} {}", self.of(before), self.of(&step.id));
            }
            step.branches.iter().for_each(|(_, inner)| self.arrows(inner, out));
        }
    }
}

/// What an arrow says; nothing where it is the usual one.
fn label(statuses: &[String]) -> Option<String> {
    (statuses != ["succeeded"]).then(|| statuses.join(", "))
}

/// Pixels: of a letter, of a line of text, of the space around what stands in a box, between boxes beside and below each other.
const LETTER: usize = 8;
const LINE: usize = 18;
const PADDING: usize = 12;
const BESIDE: usize = 28;
const BELOW: usize = 44;

/// A box with what stands in it, its place counted from the box around it.
struct Shape<'s> {
    id: &'s str,
    lines: [String; 2],
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// The lists in it, each with its name and place.
    lists: Vec<List<'s>>,
}

/// A list of actions with its place in the box around it.
struct List<'s> {
    name: &'s str,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    shapes: Vec<Shape<'s>>,
    arrows: Vec<(usize, usize, Option<String>)>,
}

/// The picture as SVG. It needs no fonts but the system's, and holds no script and no link.
#[must_use]
pub fn svg(outline: &Outline) -> String {
    let title = format!("{}: {}", outline.name, outline.trigger);
    let list = list("", &outline.steps);
    let head = title.chars().count() * LETTER + 2 * PADDING;
    let width = list.width.max(head) + 2 * PADDING;
    let top = PADDING + LINE + 2 * PADDING;
    let height = top + BELOW + list.height + PADDING;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<title>{}</title>\n<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" \
         refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        escaped(&outline.name)
    );
    let x = (width - head) / 2;
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{PADDING}\" width=\"{head}\" height=\"{}\" rx=\"16\" fill=\"#e8f0fe\" stroke=\"#333\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        LINE + 2 * PADDING,
        width / 2,
        PADDING + LINE + PADDING / 2,
        escaped(&title)
    );
    let (left, upper) = ((width - list.width) / 2, top + BELOW);
    for (shape, _) in list.shapes.iter().zip(&outline.steps).filter(|(_, step)| step.after.is_empty()) {
        arrow(&mut out, (width / 2, top), (left + shape.x + shape.width / 2, upper + shape.y), None);
    }
    draw(&list, left, upper, &mut out);
    out.push_str("</svg>\n");
    out
}

/// Lays a list out: in layers, each in the middle below the one before.
fn list<'s>(name: &'s str, steps: &'s [Step]) -> List<'s> {
    let index = |id: &str| steps.iter().position(|step| step.id.eq_ignore_ascii_case(id));
    let mut shapes: Vec<Shape<'_>> = steps.iter().map(shape).collect();
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut layer_of = vec![0; steps.len()];
    // As often as there are actions: what waits for itself, which `larum check` refuses, must not go on for ever.
    for _ in 0..steps.len() {
        for (at, step) in steps.iter().enumerate() {
            let before = step.after.iter().filter_map(|(id, _)| index(id)).map(|before| layer_of[before] + 1);
            layer_of[at] = before.max().unwrap_or(0).min(steps.len());
        }
    }
    for (at, layer) in layer_of.iter().enumerate() {
        layers.entry(*layer).or_default().push(at);
    }
    let wide = |row: &Vec<usize>, shapes: &[Shape<'_>]| {
        row.iter().map(|at| shapes[*at].width).sum::<usize>() + BESIDE * row.len().saturating_sub(1)
    };
    let width = layers.values().map(|row| wide(row, &shapes)).max().unwrap_or(0);
    let mut y = 0;
    for row in layers.values() {
        let mut x = (width - wide(row, &shapes)) / 2;
        let tallest = row.iter().map(|at| shapes[*at].height).max().unwrap_or(0);
        for at in row {
            (shapes[*at].x, shapes[*at].y) = (x, y);
            x += shapes[*at].width + BESIDE;
        }
        y += tallest + BELOW;
    }
    let arrows = steps.iter().enumerate().flat_map(|(to, step)| {
        step.after.iter().filter_map(move |(id, statuses)| Some((index(id)?, to, label(statuses))))
    });
    let arrows = arrows.collect();
    List { name, x: 0, y: 0, width, height: y.saturating_sub(BELOW), shapes, arrows }
}

fn shape(step: &Step) -> Shape<'_> {
    let lines = [step.id.clone(), step.kind.clone()];
    let letters = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (mut width, mut height) = (letters * LETTER + 2 * PADDING, 2 * LINE + PADDING);
    let mut lists: Vec<List<'_>> = step.branches.iter().map(|(name, steps)| list(name, steps)).collect();
    let mut x = PADDING;
    for list in &mut lists {
        (list.x, list.y) = (x, height + LINE + PADDING);
        list.width = list.width.max(list.name.chars().count() * LETTER);
        x += list.width + BESIDE;
    }
    if let Some(tallest) = lists.iter().map(|list| list.height).max() {
        width = width.max(x - BESIDE + PADDING);
        height += LINE + PADDING + tallest + PADDING;
    }
    Shape { id: &step.id, lines, x: 0, y: 0, width, height, lists }
}

fn draw(list: &List<'_>, x: usize, y: usize, out: &mut String) {
    for shape in &list.shapes {
        let (x, y) = (x + shape.x, y + shape.y);
        let fill = if shape.lists.is_empty() { "#f6f6f6" } else { "none" };
        let _ = writeln!(
            out,
            "<g id=\"{}\"><rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"{fill}\" stroke=\"#333\"/>",
            escaped(shape.id),
            shape.width,
            shape.height
        );
        for (line, (text, weight)) in shape.lines.iter().zip(["bold", "normal"]).enumerate() {
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"{weight}\">{}</text>",
                x + shape.width / 2,
                y + (line + 1) * LINE,
                escaped(text)
            );
        }
        for inner in &shape.lists {
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" fill=\"#555\" font-style=\"italic\">{}</text>",
                x + inner.x,
                y + inner.y - PADDING / 2,
                escaped(inner.name)
            );
            draw(inner, x + inner.x, y + inner.y, out);
        }
        out.push_str("</g>\n");
    }
    for (from, to, label) in &list.arrows {
        let (from, to) = (&list.shapes[*from], &list.shapes[*to]);
        let start = (x + from.x + from.width / 2, y + from.y + from.height);
        arrow(out, start, (x + to.x + to.width / 2, y + to.y), label.as_deref());
    }
}

fn arrow(out: &mut String, from: (usize, usize), to: (usize, usize), label: Option<&str>) {
    let _ = writeln!(
        out,
        "<path d=\"M{} {}L{} {}\" fill=\"none\" stroke=\"#333\" marker-end=\"url(#arrow)\"/>",
        from.0, from.1, to.0, to.1
    );
    if let Some(label) = label {
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#a00\" stroke=\"white\" \
             stroke-width=\"3\" paint-order=\"stroke\">{}</text>",
            usize::midpoint(from.0, to.0),
            to.1.saturating_sub(BELOW / 2 - 4),
            escaped(label)
        );
    }
}

/// Text in XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no other control characters.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
