//! Lists the files that `scripts/web.sh` built of `web/console`, to be embedded. Where it built none,
//! the list is empty: the binary is built without Node.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[allow(clippy::disallowed_methods, reason = "cargo tells a build script its folder so")]
fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/console/dist");
    println!("cargo::rerun-if-changed={}", root.display());
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut names = Vec::new();
    walk(&root, "", &mut names)?;
    names.sort();
    // Copies: who builds the pages anew meanwhile takes nothing away from the compiler.
    for (number, name) in names.iter().enumerate() {
        fs::copy(root.join(name), out.join(format!("file-{number}")))?;
    }
    fs::write(out.join("files.rs"), list(&names))
}

/// The files as Rust writes them down, each with what was packed of it beside it.
fn list(names: &[String]) -> String {
    let bytes = |name: &str| {
        let number = names.iter().position(|known| known == name)?;
        Some(format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/file-{number}\"))"))
    };
    let packed = |name: String| bytes(&name).map_or("None".to_owned(), |it| format!("Some({it})"));
    let mut list = "&[\n".to_owned();
    for name in names.iter().filter(|name| !name.ends_with(".br") && !name.ends_with(".gz")) {
        let plain = bytes(name).unwrap_or_default();
        let (brotli, gzip) = (packed(format!("{name}.br")), packed(format!("{name}.gz")));
        list += &format!(
            "File {{ name: {name:?}, plain: {plain}, brotli: {brotli}, gzip: {gzip} }},\n"
        );
    }
    list + "]\n"
}

/// The files below a folder, by their paths from the root. Those that begin with a dot are not served.
fn walk(folder: &Path, path: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, names)?;
        } else {
            names.push(path);
        }
    }
    Ok(())
}
