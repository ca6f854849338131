//! `cargo xtask new`: a contract, a crate with every room, and the lines that make them known.
//!
//! What it makes compiles, complies and stores something before the first edit; the author
//! changes what it is about. The templates lie in `xtask/template`.

use std::path::Path;

use crate::{Result, shell};

/// Where each file of a new service goes; the names of folders are filled in like the text.
const FILES: [(&str, &str); 10] = [
    ("proto/stoa/{{service}}/v1/{{service}}.proto", include_str!("../template/contract.proto")),
    ("{{folder}}/Cargo.toml", include_str!("../template/Cargo.toml.txt")),
    ("{{folder}}/README.md", include_str!("../template/README.md")),
    ("{{folder}}/examples.yaml", include_str!("../template/examples.yaml")),
    (
        "{{folder}}/migrations/0001_{{entities}}.sql",
        include_str!("../template/migrations/0001.sql"),
    ),
    ("{{folder}}/src/lib.rs", include_str!("../template/src/lib.rs.txt")),
    ("{{folder}}/src/api.rs", include_str!("../template/src/api.rs.txt")),
    ("{{folder}}/src/model.rs", include_str!("../template/src/model.rs.txt")),
    ("{{folder}}/src/store.rs", include_str!("../template/src/store.rs.txt")),
    ("{{folder}}/tests/it.rs", include_str!("../template/tests/it.rs.txt")),
];

/// Where the files of a new context go.
const CONTEXT: [(&str, &str); 3] = [
    ("contracts/{{context}}/Cargo.toml", include_str!("../template/contract/Cargo.toml.txt")),
    ("contracts/{{context}}/build.rs", include_str!("../template/contract/build.rs.txt")),
    ("contracts/{{context}}/src/lib.rs", include_str!("../template/contract/src/lib.rs.txt")),
];

/// Makes a service.
pub(crate) fn run(context: &str, service: &str) -> Result<()> {
    let root = shell::root()?;
    let names = Names::new(context, service)?;
    let folder = root.join(names.fill("{{folder}}"));
    let manifest = shell::read(&root.join("Cargo.toml"))?;
    let crate_name = format!("stoa-{service}");
    if folder.exists() || keys(&manifest).any(|key| key == crate_name) {
        return Err(format!("there is already a {crate_name}"));
    }
    for (path, text) in FILES {
        create(&root, &names, path, text)?;
    }
    let build = root.join(format!("contracts/{context}/build.rs"));
    if build.exists() {
        let text = shell::read(&build)?;
        shell::write(&build, contracts_with(&text, service)?.as_bytes())?;
    } else {
        for (path, text) in CONTEXT {
            create(&root, &names, path, text)?;
        }
    }
    shell::write(&root.join("Cargo.toml"), workspace_with(&manifest, &names)?.as_bytes())?;
    edit(&root, "stoa/Cargo.toml", |text| {
        sorted(text, "[dependencies]\n", &names.fill("stoa-{{service}}.workspace = true"))
    })?;
    edit(&root, "stoa/src/lib.rs", |text| {
        sorted(
            text,
            "    pub fn standard() -> Self {\n        [\n",
            &names.fill("            stoa_{{service}}::service,"),
        )
    })?;
    // The lengths of names decide where lines break.
    let mut format = shell::cargo();
    format.current_dir(&root).args(["fmt", "-p", &crate_name]);
    shell::run(&mut format)?;
    println!(
        "{}\n{}",
        names.fill("proto/stoa/{{service}}/v1/{{service}}.proto"),
        names.fill("{{folder}}")
    );
    println!("next: cargo nextest run -p {crate_name}");
    Ok(())
}

fn create(root: &Path, names: &Names, path: &str, text: &str) -> Result<()> {
    shell::write(&root.join(names.fill(path)), names.fill(text).as_bytes())
}

fn edit(root: &Path, path: &str, change: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let path = root.join(path);
    let text = shell::read(&path)?;
    let changed = change(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    shell::write(&path, changed.as_bytes())
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
        if context == service {
            return Err("a service and its context cannot have one name".to_owned());
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

fn workspace_with(manifest: &str, names: &Names) -> Result<String> {
    let mut text = manifest.to_owned();
    for line in ["    \"contracts/{{context}}\",", "    \"{{folder}}\","] {
        text = sorted(&text, "members = [\n", &names.fill(line))?;
    }
    for line in [
        "stoa-{{context}} = { path = \"contracts/{{context}}\" } # what the services of {{context}} promise",
        "stoa-{{service}} = { path = \"{{folder}}\" } # {{entities}}",
    ] {
        text = sorted(&text, "# Contracts, services and drivers.\n", &names.fill(line))?;
    }
    Ok(text)
}

/// A build script that generates one service more.
fn contracts_with(script: &str, service: &str) -> Result<String> {
    let (before, rest) = script.split_once("&[").ok_or("no list of services in build.rs")?;
    let (list, after) = rest.split_once(']').ok_or("no list of services in build.rs")?;
    let mut services: Vec<String> = list
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    services.push(format!("\"{service}\""));
    services.sort();
    services.dedup();
    Ok(format!("{before}&[{}]{after}", services.join(", ")))
}

/// Puts a line into the sorted block that follows a marker; the block ends at a line that is
/// empty or closes a list. A line whose key is there is not put twice.
fn sorted(text: &str, marker: &str, line: &str) -> Result<String> {
    let at = text.find(marker).ok_or_else(|| format!("there is no `{}`", marker.trim()))?;
    let (before, block) = text.split_at(at + marker.len());
    let key =
        |line: &str| line.split([' ', '=', '.']).find(|word| !word.is_empty()).map(str::to_owned);
    let mut place = before.len();
    for known in block.lines() {
        if known.trim().is_empty() || known.trim_start().starts_with(']') {
            break;
        }
        if key(known) == key(line) {
            return Ok(text.to_owned());
        }
        if key(known) < key(line) {
            place = known.as_ptr() as usize - text.as_ptr() as usize + known.len() + 1;
        }
    }
    let (before, after) = text.split_at(place);
    Ok(format!("{before}{line}\n{after}"))
}

fn keys(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_finds_its_place() {
        let text = "members = [\n    \"a\",\n    \"kernel/*\",\n    \"z\",\n]\n\n\"b\"\n";
        let put = |line: &str| sorted(text, "members = [\n", line).unwrap();
        assert!(put("    \"b\",").contains("\"a\",\n    \"b\",\n    \"kernel/*\""));
        assert!(put("    \"zz\",").contains("\"z\",\n    \"zz\",\n]"));
        assert_eq!(put("    \"a\","), text, "what is there is not put twice");
        assert!(sorted(text, "nowhere", "x").is_err());
    }

    #[test]
    fn a_context_generates_one_service_more() {
        let script = "fn main() {\n    contracts(&[\"auth\", \"users\"]);\n}\n";
        let found = contracts_with(script, "tokens").unwrap();
        assert!(found.contains("contracts(&[\"auth\", \"tokens\", \"users\"]);"), "{found}");
    }

    #[test]
    fn names_that_cannot_be_used_are_refused() {
        for (context, service) in [("demo", "Thing"), ("demo", "a-b"), ("demo", ""), ("x", "x")] {
            assert!(Names::new(context, service).is_err(), "{context} {service}");
        }
        let names = Names::new("identity", "addresses").unwrap();
        assert_eq!(names.fill("{{an entity}} {{entities}}"), "an addresse addresses");
    }
}
