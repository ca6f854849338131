//! `cargo xtask new`: a contract, and two crates with every room.
//!
//! What it makes compiles, complies and stores something before the first edit; the author
//! changes what it is about. The templates lie in `xtask/template`. No file that exists is edited:
//! the workspace finds its crates by their folders, and the list of services is written anew.

use std::path::Path;

use crate::{Result, catalogue, metadata, shell};

/// Where each file of a new service goes; the names of folders are filled in like the text.
const FILES: [(&str, &str); 10] = [
    ("proto/stoa/{{service}}/v1/{{service}}.proto", include_str!("../template/contract.proto")),
    ("contracts/{{service}}/Cargo.toml", include_str!("../template/contract/Cargo.toml.txt")),
    ("contracts/{{service}}/src/lib.rs", include_str!("../template/contract/src/lib.rs.txt")),
    ("{{folder}}/Cargo.toml", include_str!("../template/Cargo.toml.txt")),
    ("{{folder}}/README.md", include_str!("../template/README.md")),
    ("{{folder}}/examples.yaml", include_str!("../template/examples.yaml")),
    (
        "{{folder}}/migrations/0001_{{entities}}.sql",
        include_str!("../template/migrations/0001.sql"),
    ),
    ("{{folder}}/src/lib.rs", include_str!("../template/src/lib.rs.txt")),
    ("{{folder}}/src/api.rs", include_str!("../template/src/api.rs.txt")),
    ("{{folder}}/tests/it.rs", include_str!("../template/tests/it.rs.txt")),
];

/// Makes a service in a repository.
pub(crate) fn run(root: &Path, context: &str, service: &str) -> Result<()> {
    let names = Names::new(context, service)?;
    let crate_name = format!("stoa-{service}");
    if metadata::packages(root)?.iter().any(|package| package.name == crate_name) {
        return Err(format!("there is already a {crate_name}"));
    }
    for (path, text) in FILES {
        shell::write(&root.join(names.fill(path)), names.fill(text).as_bytes())?;
    }
    catalogue::run(root)?;
    // The lengths of names decide where lines break.
    let mut format = shell::cargo();
    format.current_dir(root).args(["fmt", "-p", &crate_name]);
    shell::run(&mut format)?;
    println!("{}", names.fill("proto/stoa/{{service}}/v1/{{service}}.proto\n{{folder}}"));
    println!("next: cargo nextest run -p {crate_name}");
    Ok(())
}

/// What stands for what in the templates.
struct Names(Vec<(&'static str, String)>);

impl Names {
    fn new(context: &str, service: &str) -> Result<Self> {
        for name in [context, service] {
            let lower = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            if !lower || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > 30 {
                return Err(format!("`{name}` is not one lower-case word"));
            }
        }
        let entity = match service.strip_suffix('s') {
            Some(one) if one.len() > 1 && !one.ends_with('s') => one,
            _ => service,
        };
        let entities = if entity == service && service.ends_with('s') {
            format!("{entity}es")
        } else {
            format!("{entity}s")
        };
        let article = if entity.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        Ok(Self(vec![
            ("{{folder}}", format!("services/{context}/{service}")),
            ("{{context}}", context.to_owned()),
            ("{{service}}", service.to_owned()),
            ("{{Service}}", capital(service)),
            ("{{entity}}", entity.to_owned()),
            ("{{Entity}}", capital(entity)),
            ("{{an entity}}", format!("{article} {entity}")),
            ("{{An entity}}", format!("{} {entity}", capital(article))),
            ("{{prefix}}", entity.chars().take(3).collect()),
            ("{{Entities}}", capital(&entities)),
            ("{{entities}}", entities),
        ]))
    }

    fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_used_are_refused() {
        for (context, service) in [("demo", "Thing"), ("demo", "a-b"), ("demo", ""), ("De", "x")] {
            assert!(Names::new(context, service).is_err(), "{context} {service}");
        }
        let names = Names::new("identity", "addresses").unwrap();
        assert_eq!(names.fill("{{an entity}} {{entities}}"), "an addresse addresses");
    }
}
