//! Finding an API's route by an address: names ignore case, as Azure Resource Manager's do, and a slash at the end does
//! not count.

use percent_encoding::percent_decode_str;

use super::{Handler, Route};

/// The routes of the APIs, their paths taken apart.
pub struct Routes(Vec<(Vec<Segment>, &'static Route)>);

enum Segment {
    Text(&'static str),
    Parameter(&'static str),
}

/// What an address means.
pub enum Found {
    Route {
        route: &'static Route,
        parameters: Vec<(&'static str, String)>,
    },
    /// The address is one, but takes other methods: these.
    WrongMethod(Vec<&'static str>),
    Nothing,
}

impl Routes {
    /// The API routes among these.
    #[must_use]
    pub fn of(table: &'static [Route]) -> Self {
        let api = table.iter().filter(|route| matches!(route.handler, Handler::Api(_)));
        Self(api.map(|route| (pattern(route.path), route)).collect())
    }

    /// The first route for this method and path (still percent-encoded).
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Found {
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        let given: Result<Vec<_>, _> =
            trimmed.split('/').skip(1).map(|segment| percent_decode_str(segment).decode_utf8()).collect();
        let Ok(given) = given else { return Found::Nothing };
        let mut methods = Vec::new();
        for (pattern, route) in &self.0 {
            let fits = pattern.len() == given.len()
                && pattern.iter().zip(&given).all(|(segment, given)| match segment {
                    Segment::Text(text) => text.eq_ignore_ascii_case(given),
                    Segment::Parameter(_) => !given.is_empty(),
                });
            if !fits {
                continue;
            }
            if route.methods.contains(&method) || (method == "HEAD" && route.methods.contains(&"GET")) {
                let named = pattern.iter().zip(given).filter_map(|(segment, given)| match segment {
                    Segment::Text(_) => None,
                    Segment::Parameter(name) => Some((*name, given.into_owned())),
                });
                return Found::Route { route, parameters: named.collect() };
            }
            for method in route.methods {
                if !methods.contains(method) {
                    methods.push(*method);
                }
            }
        }
        if methods.is_empty() { Found::Nothing } else { Found::WrongMethod(methods) }
    }
}

fn pattern(path: &'static str) -> Vec<Segment> {
    let segment = |text: &'static str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(name) => Segment::Parameter(name),
        None => Segment::Text(text),
    };
    path.split('/').skip(1).map(segment).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::TABLE, *};

    /// The route's path and its parameters, the methods there are, or nothing.
    fn found(method: &str, path: &str) -> String {
        match Routes::of(TABLE).find(method, path) {
            Found::Route { route, parameters } => {
                let given: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("{} {}", route.path, given.join(" "))
            }
            Found::WrongMethod(methods) => methods.join(", "),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn an_address_is_found_in_any_case_and_with_its_names_decoded() {
        let table = [
            ("GET", "/api/incidents/search", "/api/incidents/search "),
            ("GET", "/API/Incidents/Case%207/", "/api/incidents/{incident} incident=Case 7"),
            ("GET", "/api/incidents/a%2Fb", "/api/incidents/{incident} incident=a/b"),
            ("HEAD", "/api/runs", "/api/runs "),
            ("PUT", "/api/runs", "GET"),
            ("PUT", "/api/incidents/search", "GET, PATCH, DELETE"),
            ("GET", "/api/incidents//comments", "nothing"),
            ("GET", "/api/incidents/%FF", "nothing"),
            ("GET", "/api", "nothing"),
            ("GET", "/api/runs//", "nothing"),
            // Pages are axum's, in exactly the case they are written in.
            ("GET", "/healthz", "nothing"),
        ];
        for (method, path, expected) in table {
            assert_eq!(found(method, path), expected, "{method} {path}");
        }
    }
}
