//! Which method a path and a method of HTTP ask for.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use stoa_contract::{Binding, Code, Method, Permission, Segment};
use stoa_kit::{Error, Registry, Result};

/// Every binding, by the service that its path begins with.
pub(crate) struct Routes(BTreeMap<&'static str, Vec<Route>>);

#[derive(Clone, Copy)]
struct Route {
    method: &'static Method,
    binding: &'static Binding,
}

/// What a path asks for, whatever is done to it.
pub(crate) struct Place {
    segments: Vec<String>,
    routes: Vec<Route>,
}

/// A method that was asked for.
pub(crate) struct Found {
    pub(crate) method: &'static Method,
    pub(crate) binding: &'static Binding,
    /// Fields, and what the path has for them.
    pub(crate) values: Vec<(&'static str, String)>,
}

impl Routes {
    pub(crate) fn new(registry: &Registry) -> Self {
        let mut routes: BTreeMap<&'static str, Vec<Route>> = BTreeMap::new();
        let contracts = registry.services().iter().filter_map(|service| service.contract);
        for &method in contracts.flat_map(|contract| contract.methods) {
            let shown = method.permission != Permission::Internal;
            for binding in method.http.iter().filter(|_| shown) {
                routes.entry(method.service).or_default().push(Route { method, binding });
            }
        }
        Self(routes)
    }

    /// What a path, as it was sent, asks for.
    ///
    /// # Errors
    /// `node.no_such_method`, `request.path`.
    pub(crate) fn at(&self, path: &str) -> Result<Place> {
        let last = path.rfind('/').unwrap_or(0);
        let (whole, verb) = match path[last..].rsplit_once(':') {
            Some((kept, verb)) => (&path[..last + kept.len()], Some(verb)),
            None => (path, None),
        };
        let segments = whole.split('/').skip(1).map(decoded).collect::<Result<Vec<_>>>()?;
        let service = segments.get(1).and_then(|service| self.0.get(service.as_str()));
        let routes: Vec<Route> = service
            .into_iter()
            .flatten()
            .filter(|route| {
                let wanted = Some(route.binding.verb).filter(|verb| !verb.is_empty());
                wanted == verb && fits(route.binding.segments, &segments)
            })
            .copied()
            .collect();
        match routes.is_empty() {
            true => Err(nothing(path)),
            false => Ok(Place { segments, routes }),
        }
    }
}

impl Place {
    /// What can be done to it, as `Allow` says it.
    pub(crate) fn allow(&self) -> String {
        let mut methods: Vec<&str> =
            self.routes.iter().map(|route| route.binding.http_method).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.sort_unstable();
        methods.dedup();
        methods.join(", ")
    }

    /// The method that is asked for by a method of HTTP.
    pub(crate) fn by(self, http_method: &http::Method) -> Option<Found> {
        let wanted = if *http_method == http::Method::HEAD { "GET" } else { http_method.as_str() };
        let route = self.routes.iter().find(|route| route.binding.http_method == wanted)?;
        let Route { method, binding } = *route;
        let values = binding.variables.iter().map(|variable| {
            let is_rest = binding.segments.get(variable.end - 1) == Some(&Segment::Rest);
            let end = if is_rest { self.segments.len() } else { variable.end };
            (variable.field, joined(&self.segments[variable.start..end], is_rest))
        });
        Some(Found { method, binding, values: values.collect() })
    }
}

fn fits(pattern: &[Segment], segments: &[String]) -> bool {
    match (pattern, segments) {
        ([Segment::Rest, ..], _) | ([], []) => true,
        ([wanted, pattern @ ..], [segment, segments @ ..]) => {
            let fits_here = match wanted {
                Segment::Word(word) => word == segment,
                Segment::One | Segment::Rest => !segment.is_empty(),
            };
            fits_here && fits(pattern, segments)
        }
        _ => false,
    }
}

/// A value that may have several segments: a slash that was part of one stays encoded, so that it
/// can be told from those between them.
fn joined(segments: &[String], is_rest: bool) -> String {
    match segments {
        [one] if !is_rest => one.clone(),
        many => many.iter().map(|one| one.replace('/', "%2F")).collect::<Vec<_>>().join("/"),
    }
}

fn decoded(segment: &str) -> Result<String> {
    let text = percent_decode_str(segment).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| {
        Error::new(Code::InvalidArgument, "request.path", "the path is not UTF-8")
            .help("Encode what is not ASCII as the percent-encoded bytes of its UTF-8.")
    })
}

fn nothing(path: &str) -> Error {
    let path: String = path.chars().take(128).collect();
    let message = format!("there is nothing at {path}");
    Error::new(Code::Unimplemented, "node.no_such_method", message).help(
        "See /openapi.json for what there is. A value in a path that holds a slash or a colon is \
         sent with `%2F` or `%3A`.",
    )
}
