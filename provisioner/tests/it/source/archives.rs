//! Compressed files, and directories of pages of PingOne's API.

use std::fs;
use std::path::Path;

use provisioner::reader::Snapshot;
use provisioner::source::{SourceError, SourceProblem};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{check, page, read_bytes, source};
use crate::support::read_source as read;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn compressed_file_is_read_as_the_file_within() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/identities");
    for name in ["users.ndjson", "users.json", "users.csv"] {
        let bytes = fs::read(folder.join(name)).unwrap();
        let plain = read(&source(&folder.join(name)), false).unwrap();
        assert_eq!(read_bytes(&format!("{name}.gz"), &gzip(&bytes), false), Ok(plain.clone()));
        assert_eq!(read_bytes(&format!("{name}.ZST"), &zstd(&bytes), false), Ok(plain.clone()));
        // Archives that were put together are one file.
        let (one, other) = bytes.split_at(bytes.len() / 3);
        assert_eq!(
            read_bytes(&format!("{name}.gz"), &[gzip(one), gzip(other)].concat(), false),
            Ok(plain.clone())
        );
        assert_eq!(read_bytes(&format!("{name}.zst"), &[zstd(one), zstd(other)].concat(), false), Ok(plain));
    }
    check("users.xlsx.gz", "", None, "unknown file extension");
}

#[test]
fn archive_that_is_cut_off_or_damaged_is_no_smaller_source() {
    let line = |id: usize| format!("{{\"id\":\"{id}\",\"username\":\"u{}\"}}\n", id * 7919 % 1000);
    let text: String = (0..400).map(line).collect();
    for (name, whole) in [("u.ndjson.gz", gzip(text.as_bytes())), ("u.ndjson.zst", zstd(text.as_bytes()))] {
        assert_eq!(read_bytes(name, &whole, false).unwrap().users.len(), 400, "{name}");
        for cut in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            let error = read_bytes(name, &whole[..cut], true).unwrap_err();
            assert!(
                error.to_string().contains("the compressed file is cut off or damaged"),
                "{name} {cut}: {error}"
            );
        }
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x10;
        assert!(read_bytes(name, &damaged, true).is_err(), "{name}");
        assert!(read_bytes(name, &[&whole[..], b"more"].concat(), true).is_err(), "{name}");
    }
    check("u.ndjson.gz", &line(1), None, "the file is not gzip, although its name ends so");
}

/// Writes pages into a directory and reads it.
fn read_pages(pages: &[(&str, &Value)]) -> Result<Snapshot, SourceError> {
    let folder = TempDir::new().unwrap();
    for (name, page) in pages {
        let text = page.to_string();
        let bytes =
            if name.strip_suffix(".gz").is_some() { gzip(text.as_bytes()) } else { text.into_bytes() };
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fs::write(folder.path().join(".hidden"), "x").unwrap();
    read(&source(folder.path()), false)
}

#[test]
fn file_that_is_not_compressed_is_told_from_a_damaged_archive() {
    let text = "{\"id\":\"1\",\"username\":\"a\"}\n";
    check("u.ndjson.gz", text, None, "the file is not gzip, although its name ends so");
    check("u.ndjson.zst", text, None, "the file is not zstd, although its name ends so");
    check("u.ndjson.gz", "", None, "the compressed file is cut off or damaged");
    let folder = TempDir::new().unwrap();
    for missing in ["pages", "users.ndjson", "users.xlsx"] {
        let error = read(&source(&folder.path().join(missing)), false).unwrap_err();
        assert_eq!(*error.problem(), SourceProblem::NotFound, "{missing}");
    }
}

/// Neither the size of a page nor the end of the links proves that all pages are there.
#[test]
fn directory_of_pages_without_a_count_is_refused() {
    let without = |page: &Value, members: &[&str]| {
        let mut page = page.clone();
        for member in members {
            page.as_object_mut().unwrap().remove(*member);
        }
        page
    };
    let (one, two) = (page(&[1, 2], 1, Some(2), 4), page(&[3, 4], 2, None, 4));
    for members in [&["count"][..], &["count", "size"]] {
        let pages = [without(&one, members), without(&two, members)];
        let error = read_pages(&[("1.json", &pages[0]), ("2.json", &pages[1])]).unwrap_err();
        assert_eq!(*error.problem(), SourceProblem::PageWithoutCount, "{members:?}");
        assert!(error.way_out().contains("jq"), "{}", error.way_out());
    }
    let bare = without(&two, &["count", "size", "_links"]);
    assert_eq!(*read_pages(&[("1.json", &bare)]).unwrap_err().problem(), SourceProblem::PageWithoutCount);
    // One page with a count is enough, wherever it is, and it is compared.
    let last = without(&two, &["count"]);
    assert_eq!(read_pages(&[("1.json", &one), ("2.json", &last)]).unwrap().users.len(), 4);
    let early = page(&[1, 2], 1, Some(2), 5);
    let error = read_pages(&[("1.json", &early), ("2.json", &last)]).unwrap_err();
    assert!(error.to_string().contains("its count is 5"), "{error}");
}

#[test]
fn directory_of_pages_is_read_in_the_order_of_the_names() {
    let pages: Vec<Value> =
        (0..12).map(|at| page(&[at * 2, at * 2 + 1], at, (at < 11).then_some(at + 1), 24)).collect();
    let names: Vec<String> =
        (0..12).map(|at| format!("page-{at}.json{}", if at == 3 { ".gz" } else { "" })).collect();
    let named: Vec<(&str, &Value)> = names.iter().map(String::as_str).zip(&pages).collect();
    let snapshot = read_pages(&named).unwrap();
    let ids: Vec<usize> = snapshot.users.iter().map(|user| user.id.as_str().parse().unwrap()).collect();
    assert_eq!(ids, (0..24).collect::<Vec<_>>());
    let empty = page(&[], 0, None, 0);
    let other = json!({ "users": [] });
    let doubled = page(&[2, 3], 2, None, 4);
    for (pages, file, expected) in [
        (named[..11].to_vec(), "page-10.json", "`_links.next` leads to more"),
        ([&named[..5], &named[6..]].concat(), "page-6.json", "does not follow the page before it"),
        (named[1..].to_vec(), "page-11.json", "has 22 users, but its count is 24"),
        (
            [&named[..], &[("page-5.json.tmp", &empty)]].concat(),
            "page-5.json.tmp",
            "this file among the pages is none",
        ),
        (vec![("a.json", &other)], "a.json", "this is not a page of PingOne's API"),
        (
            vec![("a.json", &pages[0]), ("b.json", &doubled), ("c.json", &pages[1])],
            "c.json",
            "the user with id \"2\" is there twice",
        ),
    ] {
        let error = read_pages(&pages).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(file), "{expected}: {error}");
    }
    assert_eq!(*read_pages(&[]).unwrap_err().problem(), SourceProblem::Directory);
    assert_eq!(*read_pages(&[("a.json", &empty)]).unwrap_err().problem(), SourceProblem::Empty);
}
