//! The repository's own files.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The files under `folder` whose names end in `ending`, in order.
pub fn under(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut waiting = vec![PathBuf::from(folder)];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

/// The playbooks and the test files of the repository that are without fault.
pub fn good() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut all = under("playbooks", ".yaml");
    all.retain(|path| !path.starts_with("playbooks/rules"));
    all.extend(under("tests/behaviour", ".yaml"));
    all.into_iter().partition(|path| !path.to_string_lossy().ends_with(".test.yaml"))
}

/// Whether what is made from the source is what the repository has; with `UPDATE_EXPECTED` it is written anew.
pub fn fresh(folder: &str, files: &[(String, String)]) {
    let folder = Path::new(folder);
    for (name, text) in files {
        let path = folder.join(name);
        if env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&path, text).unwrap();
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        assert!(there == *text, "{} is stale; UPDATE_EXPECTED=1 cargo test --test authoring", path.display());
    }
    let there = fs::read_dir(folder).unwrap().count();
    assert_eq!(there, files.len(), "{} has a file that nothing makes", folder.display());
}
