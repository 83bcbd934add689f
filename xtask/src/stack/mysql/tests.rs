//! Apt's source files in both formats.

use super::archive_in;

#[test]
fn the_archive_is_found_in_a_one_line_source() {
    let sources = "# deb http://old.example/debian x main\n\
                   deb [arch=amd64] http://other.example/tools stable main\n\
                   deb http://archive.example/debian bookworm main\n";
    assert_eq!(archive_in(sources).as_deref(), Some("http://archive.example/debian"));
}

#[test]
fn the_archive_is_found_in_a_deb822_source() {
    let sources = "Types: deb\n# http://snapshot.example/archive/debian/20250520T000000Z\n\
                   URIs: https://archive.example/debian/\nSuites: bookworm\n";
    assert_eq!(archive_in(sources).as_deref(), Some("https://archive.example/debian/"));
}

#[test]
fn a_security_archive_is_not_the_archive() {
    assert_eq!(archive_in("deb http://archive.example/debian-security x main"), None);
}
