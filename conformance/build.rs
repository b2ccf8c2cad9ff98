//! Puts the cases of `data/cases`, the mutants of `data/mutants`, `data/client` and `data/probe` into the program.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("data");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    embed("CASES", &root.join("cases"), &out.join("cases.rs"))?;
    embed("MUTANTS", &root.join("mutants"), &out.join("mutants.rs"))?;
    embed("CLIENT", &root.join("client"), &out.join("client.rs"))?;
    embed("CLIENTS", &root.join("clients"), &out.join("clients.rs"))?;
    embed("PROBE", &root.join("probe"), &out.join("probe.rs"))?;
    Ok(())
}

/// Writes a constant with the path below `folder` and the text of each TOML file in it.
fn embed(name: &str, folder: &Path, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(&current)? {
            let path = entry?.path();
            if path.is_dir() {
                println!("cargo::rerun-if-changed={}", path.display());
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path.canonicalize()?);
            }
        }
    }
    files.sort();
    let folder = folder.canonicalize()?;
    let mut text = format!("/// Path and text of each file.\nconst {name}: &[(&str, &str)] = &[\n");
    for path in files {
        let below: Vec<_> = path.strip_prefix(&folder)?.iter().map(|part| part.to_string_lossy()).collect();
        writeln!(text, "    ({:?}, include_str!({:?})),", below.join("/"), path.to_string_lossy())?;
    }
    text.push_str("];\n");
    std::fs::write(file, text)?;
    Ok(())
}
