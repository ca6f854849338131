//! Programs and files.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// Where the repository is: the working directory or above it.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    let found = here.ancestors().find(|folder| folder.join("Cargo.lock").exists());
    found.map(Path::to_owned).ok_or_else(|| "not inside the repository".to_owned())
}

/// The cargo that runs this, so that a toolchain chosen on the command line stays chosen.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program to its end; an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("{}: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("failed: {}", shown(command))) }
}

/// What a program prints; an error with its complaints if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("failed: {}\n{}", shown(command), String::from_utf8_lossy(&output.stderr)))
}

/// Reads a file; the error names it.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file and the folders above it; the error names it.
pub(crate) fn write(path: &Path, text: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// The files of the repository that git knows or would add, relative to the root.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = output(&mut git)?;
    let mut files: Vec<String> = listed.lines().map(str::to_owned).collect();
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

/// Makes a copy equal to the repository; files that are equal keep their age, so that little is
/// built again.
pub(crate) fn mirror(root: &Path, copy: &Path) -> Result<()> {
    for file in files(root)? {
        let wanted = std::fs::read(root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        let to = copy.join(&file);
        if std::fs::read(&to).ok().as_ref() != Some(&wanted) {
            write(&to, &wanted)?;
        }
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
