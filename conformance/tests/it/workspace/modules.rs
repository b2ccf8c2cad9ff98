//! The order of modules: no circle between the modules at the top of a crate, and a stated order where one is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ItemImpl, ItemMod, ItemUse, UseTree};

use super::{root, sources};

/// A module path below the crate, as in `["net", "socket"]`.
type Module = Vec<String>;

/// The paths that one file names, tests excluded, each resolved to segments below the crate.
struct Named<'m> {
    here: Module,
    modules: &'m BTreeSet<Module>,
    found: BTreeSet<Module>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

impl Named<'_> {
    /// Resolves a path that begins with `crate`, `super`, `self` or a child module, to the innermost module in it.
    fn add(&mut self, segments: &[String]) {
        let Some((first, rest)) = segments.split_first() else { return };
        let absolute: Module = match first.as_str() {
            "crate" => rest.to_vec(),
            "self" => [self.here.as_slice(), rest].concat(),
            "super" => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                let kept = self.here.len().saturating_sub(ups);
                [&self.here[..kept], &segments[ups..]].concat()
            }
            _ => return,
        };
        let innermost = (1..=absolute.len()).rev().map(|length| &absolute[..length]);
        if let Some(module) = innermost.into_iter().find(|module| self.modules.contains(*module)) {
            self.found.insert(module.to_vec());
        }
    }

    fn add_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.add(&with(&name.ident)),
            UseTree::Rename(rename) => self.add(&with(&rename.ident)),
            UseTree::Glob(_) => self.add(before),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(item, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Named<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            self.add_tree(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }
}

/// Returns the modules that each module of a crate names.
fn imports(member: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let base = root().join(member).join("src");
    let of_path = |path: &Path| -> Module {
        let below = path.strip_prefix(&base).expect("a source").with_extension("");
        below.iter().map(|part| part.to_string_lossy().into_owned()).collect()
    };
    let files: Vec<_> = sources(&base)
        .into_iter()
        .map(|(path, text)| (of_path(&path), text))
        .filter(|(module, _)| {
            !module.iter().any(|part| part == "tests") && !["lib", "main"].contains(&module[0].as_str())
        })
        .collect();
    assert!(!files.is_empty(), "{member} has no sources");
    let modules: BTreeSet<Module> = files
        .iter()
        .flat_map(|(module, _)| (1..=module.len()).map(|length| module[..length].to_vec()))
        .collect();
    files
        .iter()
        .map(|(module, text)| {
            let file = syn::parse_file(text).expect("Rust");
            let mut named = Named { here: module.clone(), modules: &modules, found: BTreeSet::new() };
            named.visit_file(&file);
            (module.clone(), named.found)
        })
        .collect()
}

/// Returns a circle of modules at the top of a crate, each with a file that names the next; `None` if there is none.
fn circle(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<String>> {
    let mut edges: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for (from, named) in imports {
        for to in named.iter().filter(|to| to[0] != from[0]) {
            let told = format!("{} names {}", from.join("/"), to.join("/"));
            edges.entry(&from[0]).or_default().entry(&to[0]).or_insert(told);
        }
    }
    // Modules without an edge to one that is left are taken away until nothing changes: the rest is circles.
    loop {
        let left: BTreeSet<&str> = edges.keys().copied().collect();
        let before = left.len();
        edges.retain(|_, to| to.keys().any(|module| left.contains(module)));
        if edges.len() == before {
            break;
        }
    }
    let mut at = *edges.keys().next()?;
    let mut walked: Vec<(&str, String)> = Vec::new();
    while !walked.iter().any(|(module, _)| *module == at) {
        let (next, told) = edges[at].iter().find(|(module, _)| edges.contains_key(*module)).expect("an edge");
        walked.push((at, told.clone()));
        at = next;
    }
    Some(walked.into_iter().skip_while(|(module, _)| *module != at).map(|(_, told)| told).collect())
}

#[test]
fn modules_of_a_crate_import_in_one_direction() {
    for member in ["scim", "cli-support", "mock-aquera", "provisioner", "conformance"] {
        assert_eq!(circle(&imports(member)), None, "{member}");
    }
}

#[test]
fn connection_layer_imports_in_its_stated_order() {
    let order = ["fault", "connection_state", "socket", "service", "connection", "listener"];
    let place = |module: &Module| order.iter().position(|name| module.len() == 2 && module[1] == *name);
    let imports = imports("mock-aquera");
    for name in order {
        assert!(imports.contains_key(&vec!["net".to_owned(), name.to_owned()]), "net/{name} is missing");
    }
    for (from, named) in imports.iter().filter(|(from, _)| from[0] == "net") {
        let Some(from_at) = place(from) else { continue };
        let later = |to: &&Module| place(to).is_some_and(|to_at| to[0] == "net" && to_at > from_at);
        let wrong: Vec<_> = named.iter().filter(later).collect();
        assert!(wrong.is_empty(), "{from:?} names {wrong:?}");
    }
}

#[test]
fn circle_is_found_and_told_with_its_files() {
    let module = |text: &str| -> Module { text.split('/').map(ToOwned::to_owned).collect() };
    let graph = |edges: &[(&str, &str)]| {
        let mut imports: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in edges {
            imports.entry(module(from)).or_default().insert(module(to));
        }
        imports
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("b/x", "c"), ("a/y", "a")])), None);
    let found = circle(&graph(&[("z", "a"), ("a/x", "b"), ("b", "c/y"), ("c", "a")])).expect("a circle");
    assert_eq!(found, ["a/x names b", "b names c/y", "c names a"]);
}
