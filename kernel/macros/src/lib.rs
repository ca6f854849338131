//! The code generator as macros, so that a crate of a contract is one line and no build script:
//! ninety build scripts would each link the generator, and run it, before anything is compiled.
//!
//! `stoa-contract` exports [`contract!`]; the other two are for `stoa-contract` itself.
//!
//! **Invariant:** what is wrong with a contract is an error of the compiler that names its line.
//!
//! **Invariant:** a file that was read is a file whose change builds the crate again.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "it runs while code is built, not in a node")]

use std::path::{Path, PathBuf};

use proc_macro::{TokenStream, TokenTree};
use stoa_codegen::{Generated, Problem, Problems};

/// The contract of a service, as items of the module where this stands: `contract!("ledger")` is
/// `stoa/ledger/v1/ledger.proto` in `proto/`, two folders above the crate; another folder of
/// contracts comes second, `contract!("loyalty", "proto")`, and begins at the crate's own.
#[proc_macro]
pub fn contract(input: TokenStream) -> TokenStream {
    let words = words(input);
    expand(move || match words.as_slice() {
        [service] => stoa_codegen::contract(&folder("../../proto"), service),
        [service, root] => stoa_codegen::contract(&folder(root), service),
        _ => Err(wrong("say `contract!(\"ledger\")` or `contract!(\"ledger\", \"proto\")`")),
    })
}

/// The messages of a package without a service, by its files as imports name them.
#[proc_macro]
pub fn messages(input: TokenStream) -> TokenStream {
    let files = words(input);
    expand(move || stoa_codegen::messages(&folder("../../proto"), &files))
}

/// The descriptors of everything that contracts may import, as the constant `IMPORTS`.
#[proc_macro]
pub fn imports(_: TokenStream) -> TokenStream {
    expand(|| {
        let imports = stoa_codegen::imports(&folder("../../proto"))?;
        let text = format!("pub const IMPORTS: &[u8] = {};", imports.text);
        Ok(Generated { text, ..imports })
    })
}

fn expand(generate: impl FnOnce() -> Result<Generated, Problems> + Send + 'static) -> TokenStream {
    // On a thread of its own, what handles tokens does so by itself; on the compiler's it would ask
    // the compiler for each of them.
    let outcome = std::thread::spawn(generate).join();
    let problems = match outcome.unwrap_or_else(|_| Err(wrong("the generator of code panicked"))) {
        Ok(generated) => match items(&generated).parse() {
            Ok(tokens) => return tokens,
            Err(error) => wrong(&format!("what was generated is not Rust: {error}")),
        },
        Err(problems) => problems,
    };
    let errors =
        problems.0.iter().map(|problem| format!("compile_error!({:?});", problem.to_string()));
    errors.collect::<String>().parse().unwrap_or_default()
}

/// A module that says nothing about its style, and the files it came from, so that they are watched.
fn items(generated: &Generated) -> String {
    let watched: String = generated
        .files
        .iter()
        .map(|file| format!("const _: &[u8] = include_bytes!({:?});\n", file.display().to_string()))
        .collect();
    format!(
        "#[allow(missing_docs, unreachable_pub, unused, rustdoc::all, clippy::all, clippy::pedantic)]\n\
         mod generated {{\n{}\n}}\npub use generated::*;\n{watched}",
        generated.text
    )
}

/// The literals between the commas, without their quotes.
fn words(input: TokenStream) -> Vec<String> {
    let literals = input.into_iter().filter_map(|tree| match tree {
        TokenTree::Literal(literal) => Some(literal.to_string().trim_matches('"').to_owned()),
        _ => None,
    });
    literals.collect()
}

/// A folder, beginning at that of the crate which is compiled.
fn folder(path: &str) -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(path)
}

fn wrong(message: &str) -> Problems {
    Problems(vec![Problem { file: String::new(), line: 0, message: message.to_owned() }])
}
